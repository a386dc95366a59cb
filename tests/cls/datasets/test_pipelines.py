"""The pipelines of the configs, against the tables of the recipes."""

import pickle
import re

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from PIL import Image
from scipy.stats import kstest
from sklearn.datasets import load_sample_image
from support.pages import code
from support.view_pipelines import (
    PIPELINES,
    VARIABLES,
    build,
    config,
    find,
    kind,
    load,
)
from torchvision import transforms as tv

from mmpaco.cls.models import MultiViewDataPreprocessor

TRAINING = [name for name in VARIABLES if not name.startswith('test')]
STEPS = {
    'sim': 'RandomResizedCrop ColorJitter RandomGrayscale GaussianBlur '
    'RandomFlip',
    'randaug': 'RandomResizedCrop RandomHorizontalFlip ColorJitter '
    'RandAugment',
    'randaug_stack': 'RandomResizedCrop RandomHorizontalFlip ColorJitter '
    'RandomGrayscale GaussianBlur RandAugment',
    'autoaug_cutout': 'RandomCrop RandomHorizontalFlip AutoAugment Cutout',
    'cifar_sim': 'RandomResizedCrop RandomHorizontalFlip RandomApply '
    'RandomGrayscale GaussianBlur',
    'crop_flip': 'RandomResizedCrop RandomHorizontalFlip',
    'cifar_crop-flip': 'RandomCrop RandomFlip',
    'crop_flip_rotate': 'RandomCrop RandomHorizontalFlip RandomRotation',
    'crop_flip_bicubic': 'RandomResizedCrop RandomHorizontalFlip',
    'mae': 'RandomResizedCrop RandomHorizontalFlip RandAugment RandomErasing',
    'jitter': 'RandomResizedCrop RandomHorizontalFlip ColorJitter',
    'test_view': 'ResizeEdge CenterCrop',
    'test_bicubic': 'ResizeEdge CenterCrop',
}


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')
    set_random_seed(0)


@pytest.fixture(scope='module')
def photo():
    """A real photograph, BGR, as OpenCV loads it."""
    return load_sample_image('flower.jpg')[..., ::-1].copy()


def test_every_file_is_known():
    assert {path.stem for path in PIPELINES.glob('*.py')} == set(VARIABLES)


@pytest.mark.parametrize('name', VARIABLES)
def test_a_file_defines_one_list_whose_steps_are_in_order(name):
    assert list(load(name)) == [VARIABLES[name]]
    steps = [kind(step) for step in build(name)]
    converted = [x for x in steps if not x.startswith(('PILTo', 'NumpyTo'))]
    assert ' '.join(converted) == STEPS.get(name, STEPS[VARIABLES[name]])


@pytest.mark.parametrize('name', VARIABLES)
def test_a_view_is_an_array_of_its_size_and_its_source_stays(name, photo):
    size = 32 if name.startswith('cifar') else 224
    image = photo[:32, :32] if size == 32 else photo
    before = image.copy()
    view = Compose(config(name))
    for _ in range(5):
        out = view(dict(img=image))['img']
        assert isinstance(out, np.ndarray)
        assert out.shape == (size, size, 3) and out.dtype == np.uint8
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize('name', TRAINING)
def test_a_seed_gives_a_view_again_in_a_copy_of_the_pipeline(name, photo):
    view = Compose(config(name))
    image = photo[:32, :32] if name.startswith('cifar') else photo
    outs = []
    # Workers that are spawned get pickled copies.
    for transform in (view, pickle.loads(pickle.dumps(view)), view):
        outs.append(transform(dict(img=image))['img'])
        set_random_seed(0)
    np.testing.assert_array_equal(outs[0], outs[1])
    np.testing.assert_array_equal(outs[0], outs[2])


@pytest.mark.parametrize('name', [x for x in TRAINING if 'randaug' in x])
def test_the_name_of_a_file_is_its_randaugment(name):
    n, m = map(int, re.search(r'_n(\d+)-m(\d+)_', name).groups())
    step = find(name, 'RandAugment')
    assert type(step).__module__ == 'mmpaco.cls.datasets.transforms'
    assert (step.num_policies, step.magnitude_level) == (n, m)
    assert len(step.random_policy_indices()) == n
    for operation in step:
        assert operation.prob == 0.5
        assert tuple(operation.pad_val) == (124, 116, 104)
        if operation.magnitude_range is not None:
            assert operation.magnitude_std == 0.5


def argument_of_timm(op, level):
    """What an operation of rand-m9-mstd0.5-inc1 does at a level."""
    if op in ('AutoContrast', 'Equalize', 'Invert'):
        return None
    if op == 'Posterize':
        return 4 - int(level / 10 * 4)
    if op == 'Solarize':
        return 256 - int(level / 10 * 256)
    most = {'SolarizeAdd': 110, 'Rotate': 30}.get(op)
    if most is None:
        most = {'S': 0.3, 'T': 0.45}[op[0]] if op[-1] in 'XY' else 0.9
    return int(level / 10 * most) if op == 'SolarizeAdd' else level / 10 * most


@pytest.mark.parametrize('level', [0, 3.7, 5, 7.49, 7.5, 9, 9.6, 10])
def test_operations_of_mae_get_stronger_as_timms_do(level, monkeypatch):
    augment = find('mae_224', 'RandAugment')
    assert (augment.num_policies, augment.magnitude_level) == (2, 9)
    assert len(augment.transforms) == 15
    monkeypatch.setattr(np.random, 'normal', lambda mean, std: level)
    for operation in augment.transforms:
        assert operation.prob == 0.5
        assert tuple(operation.pad_val) == (124, 116, 104)
        assert operation.interpolation == ('bicubic',)
        expected = argument_of_timm(operation.op, level)
        if expected is None:
            assert operation.magnitude_range is None
            continue
        assert (operation.magnitude_level, operation.magnitude_std) == (9, 0.5)
        found = operation.random_magnitude()
        is_whole = operation.op in ('Posterize', 'Solarize', 'SolarizeAdd')
        found = int(found) if is_whole else found
        assert found == pytest.approx(expected), operation.op
        assert operation.random_negative_prob == (0 if is_whole else 0.5)


def test_mae_erases_a_quarter_of_the_images():
    erasing = find('mae_224', 'RandomErasing')
    image = np.zeros((64, 64, 3), np.uint8)
    shares = []
    for _ in range(1200):
        out = erasing(dict(img=image.copy()))['img']
        if out.any():
            shares.append(out.any(2).mean())
    assert abs(len(shares) / 1200 - 0.25) < 0.065
    assert 0.01 < min(shares) and max(shares) < 0.36
    # Of the colour and deviation of ImageNet.
    noise = np.concatenate(
        [
            erasing._fill_pixels(image.copy(), 0, 0, 64, 64).reshape(-1, 3)
            for _ in range(9)
        ]
    )
    assert np.abs(noise.mean(0) - (104, 117, 124)).max() < 2


@pytest.mark.parametrize('name', TRAINING)
def test_crop_flip_and_jitter_are_those_of_the_tables(name):
    cifar = name.startswith('cifar')
    steps = {kind(step): step for step in build(name)}
    if name == 'cifar_crop-flip':
        crop = steps['RandomCrop']
        assert (crop.crop_size, crop.padding) == ((32, 32), 4)
        assert (crop.pad_val, crop.padding_mode) == (0, 'constant')
        assert steps['RandomFlip'].prob == 0.5
        return
    if name in ('cifar_autoaug-cutout', 'cifar_crop-flip-rotate'):
        crop = steps['RandomCrop'].t
        assert (crop.size, crop.padding) == ((32, 32), 4)
        assert (crop.fill, crop.padding_mode) == (0, 'constant')
        turn = steps.get('RandomRotation')
        assert turn is None or turn.t.degrees == [-15, 15]
        return
    crop = steps['RandomResizedCrop'].t
    assert crop.size == ((32, 32) if cifar else (224, 224))
    assert tuple(crop.scale) == ((0.2, 1) if cifar else (0.08, 1))
    assert tuple(crop.ratio) == (3 / 4, 4 / 3)
    is_bicubic = 'bicubic' in name or name == 'mae_224'
    way = 'bicubic' if is_bicubic else 'bilinear'
    assert crop.interpolation == tv.InterpolationMode(way)
    if name.startswith('crop-flip') or name == 'mae_224':
        return
    jitter = (
        steps['RandomApply'].transforms.transforms[0]
        if cifar
        else steps['ColorJitter']
    ).t
    for factors in (jitter.brightness, jitter.contrast, jitter.saturation):
        assert factors == pytest.approx((0.6, 1.4))
    assert jitter.hue == ((-0.1, 0.1) if cifar else None)


def share_changed(step, image, draws=1500):
    before = np.asarray(image)
    changed = 0
    for _ in range(draws):
        out = np.asarray(step(dict(img=image))['img'])
        changed += (out != before).any()
    return changed / draws


@pytest.mark.parametrize(
    'name, kinds',
    [
        ('sim_224', dict(RandomFlip=0.5, RandomGrayscale=0.2)),
        ('sim_224', dict(ColorJitter=1, GaussianBlur=0.5)),
        ('randaug_n2-m10_224', dict(RandomHorizontalFlip=0.5, ColorJitter=1)),
        (
            'randaug-stack_n2-m10_224',
            dict(RandomHorizontalFlip=0.5, RandomGrayscale=0.2),
        ),
        ('randaug-stack_n2-m10_224', dict(ColorJitter=1, GaussianBlur=0.5)),
        ('cifar_autoaug-cutout', dict(RandomHorizontalFlip=0.5)),
        ('cifar_sim', dict(RandomApply=0.8, RandomGrayscale=0.2)),
        ('cifar_sim', dict(RandomHorizontalFlip=0.5, GaussianBlur=0.5)),
        ('cifar_sim_blur0.2', dict(RandomApply=0.8, RandomGrayscale=0.2)),
        (
            'cifar_sim_blur0.2',
            dict(RandomHorizontalFlip=0.5, GaussianBlur=0.2),
        ),
    ],
)
def test_steps_are_as_frequent_as_in_the_tables(name, kinds, photo):
    small = np.ascontiguousarray(photo[200:216, 300:316])
    for wanted, share in kinds.items():
        step = find(name, wanted)
        is_array = wanted == 'RandomFlip' or (
            wanted == 'GaussianBlur' and name.startswith('cifar')
        )
        image = small if is_array else Image.fromarray(small)
        # Five standard deviations; a jitter or blur may round to nothing.
        assert abs(share_changed(step, image) - share) < 0.065


@pytest.mark.parametrize(
    'name', ['sim_224', 'randaug-stack_n2-m10_224', 'cifar_sim']
)
def test_radius_of_the_blur_is_uniform(name):
    step = find(name, 'GaussianBlur')
    radii = [step.random_magnitude() for _ in range(2000)]
    assert kstest(radii, 'uniform', (0.1, 1.9)).pvalue > 1e-3


@pytest.mark.parametrize(
    'name, blue',
    [('sim_224', 0), ('randaug-stack_n2-m10_224', 0), ('cifar_sim', 2)],
)
def test_gray_has_the_weights_of_its_colours(name, blue):
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., blue] = 255
    image = build(name)[0](dict(img=image))['img']
    step = find(name, 'RandomGrayscale')
    values = {step(dict(img=image))['img'].getpixel((0, 0)) for _ in range(99)}
    # The gray of pure blue is 0.114 of it.
    assert values == {(0, 0, 255), (29, 29, 29)}


@pytest.mark.parametrize('name', ['randaug_n5-m10_224', 'sim_224'])
def test_channels_come_back_in_their_order(name):
    image = np.full((300, 300, 3), (200, 100, 20), np.uint8)
    kept = 0
    for _ in range(40):
        middle = Compose(config(name))(dict(img=image))['img'][112, 112]
        kept += middle[0] > middle[1] > middle[2]
    # Gray, or inverted, it may be, but mostly it is still bluish.
    assert kept > 12


def test_fill_is_the_mean_of_imagenet_in_the_order_of_the_image(photo):
    steps = build('randaug_n5-m10_224')
    view = Compose([steps[0], *steps[-2:]])
    image = np.full((32, 32, 3), (1, 2, 3), np.uint8)
    colours = set()
    for _ in range(200):
        out = view(dict(img=image))['img']
        colours |= {tuple(pixel) for pixel in out.reshape(-1, 3)}
    assert (104, 116, 124) in colours
    assert (124, 116, 104) not in colours


def test_test_view_is_that_of_torchvision(photo):
    expected = tv.Compose([tv.Resize(256), tv.CenterCrop(224)])
    for image in (photo, photo.transpose(1, 0, 2).copy(), photo[:251, :300]):
        image = np.ascontiguousarray(image)
        np.testing.assert_array_equal(
            Compose(config('test_224'))(dict(img=image))['img'],
            np.asarray(expected(Image.fromarray(image))),
        )


@pytest.mark.parametrize(
    'first, second',
    [
        ('randaug_n2-m10_224', 'sim_224'),
        ('randaug-stack_n3-m12_224', 'sim_224'),
        ('randaug_n3-m10_224', 'randaug-stack_n3-m10_224'),
        ('randaug_n5-m10_224', 'randaug-stack_n2-m10_224'),
        ('cifar_autoaug-cutout', 'cifar_sim'),
        ('cifar_autoaug-cutout', 'cifar_sim_blur0.2'),
    ],
)
def test_two_files_are_bases_of_one_config(first, second, photo, tmp_path):
    path = tmp_path / 'config.py'
    bases = [str(PIPELINES / f'{x}.py') for x in (first, second, 'test_224')]
    path.write_text(f"""
_base_ = {bases!r}
train_pipeline = [
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[
            _base_.{VARIABLES[first]},
            _base_.{VARIABLES[second]},
        ],
    ),
    dict(type='PackInputs'),
]
test_pipeline = [*_base_.test_view, dict(type='PackInputs')]
""")
    loaded = Config.fromfile(str(path))
    loaded.dump(str(tmp_path / 'dumped.py'))
    dumped = Config.fromfile(str(tmp_path / 'dumped.py'))
    assert dumped.to_dict() == loaded.to_dict()
    view = dumped.train_pipeline[0]
    for i, name in enumerate((first, second)):
        assert view.transforms[i] == config(name)
    pipeline = Compose(dumped.train_pipeline)
    batch = [
        pipeline(dict(img=photo[:32, :32].copy(), gt_label=i))
        for i in range(2)
    ]
    batch = MultiViewDataPreprocessor(num_classes=2)(
        default_collate(batch), training=True
    )
    size = 32 if 'cifar' in first else 224
    assert batch['inputs'].shape == (4, 3, size, size)
    assert Compose(dumped.test_pipeline)(dict(img=photo))['inputs'].shape == (
        3,
        224,
        224,
    )


def test_examples_of_the_docs_are_configs(tmp_path):
    loaded = []
    for example in code('augmentations.md'):
        path = tmp_path / 'config.py'
        base = PIPELINES.parent.as_posix()
        path.write_text(example.replace('../_base_', base))
        loaded.append(Config.fromfile(str(path)))
    views = loaded[0].train_pipeline[1].transforms
    assert views == [config('randaug_n2-m10_224'), config('sim_224')]
    steps = Compose(loaded[1].randaug_stack).transforms
    assert steps[-2].num_policies == 12
