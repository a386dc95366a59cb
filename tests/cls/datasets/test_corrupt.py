"""The corruptions, of any image, and the same for the same image."""

import sys
import types

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, RepeatDataset
from support.scope import enter_scope
from torch.utils.data import DataLoader

from mmpaco.cls.corruptions import CORRUPTIONS
from mmpaco.cls.datasets import Corrupt, CorruptedDataset

pytest.importorskip('imagecorruptions')


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


def picture(height=40, width=48, channels=3, seed=0):
    """A photograph of sorts: smooth, with edges and colours."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width][..., None]
    phase = rng.uniform(0, 6, channels)
    waves = np.sin(rows / 5 + phase) + np.cos(columns / 7 - phase)
    waves = waves + (rows > columns)
    return np.uint8(30 + 50 * (waves + 2).clip(0, 4))


def corrupted(image, *args, **options):
    return Corrupt(*args, **options)(dict(img=image))['img']


@pytest.mark.parametrize('corruption', CORRUPTIONS)
def test_corruptions_grow_and_depend_on_image_and_seed_alone(corruption):
    image = picture()
    before = image.copy()
    state = np.random.get_state()[1].copy()
    changes = []
    for severity in (1, 5):
        results = Corrupt(corruption, severity)(dict(img=image, a=1))
        assert (results['corruption'], results['severity'], results['a']) == (
            *(corruption, severity),
            1,
        )
        found = results['img']
        assert found.shape == image.shape and found.dtype == np.uint8
        changes.append(np.abs(found.astype(float) - image).mean())
        np.random.rand()
        again = corrupted(image.copy(), corruption, severity)
        assert np.array_equal(found, again)
    assert 0 < changes[0] < changes[1]
    assert np.array_equal(image, before)
    np.random.set_state(('MT19937', state, 0, 0, 0.0))
    corrupted(image, corruption, 1)
    # What else draws from numpy goes on as if nothing had been drawn.
    assert np.array_equal(np.random.get_state()[1], state)
    is_random = corruption in (
        *('gaussian_noise', 'shot_noise', 'impulse_noise', 'glass_blur'),
        *('motion_blur', 'snow', 'frost', 'fog', 'elastic_transform'),
    )
    other = corrupted(image, corruption, 5, seed=1)
    assert np.array_equal(found, other) != is_random


def test_two_images_get_noise_of_their_own():
    images = [np.full((32, 32), value, np.uint8) for value in (128, 129)]
    noise = [
        corrupted(image, 'gaussian_noise', 1).astype(int) - image
        for image in images
    ]
    noise = [x - x.mean() for x in noise]
    correlation = (noise[0] * noise[1]).mean() / noise[0].var()
    assert abs(correlation) < 0.15
    # 0.08 of the range.
    assert noise[0].std() == pytest.approx(0.08 * 255, rel=0.1)


@pytest.mark.parametrize('corruption', ('frost', 'snow', 'motion_blur'))
def test_the_order_of_the_channels_is_known(corruption):
    image = picture()
    rgb = corrupted(image, corruption, 3, channel_order='rgb')
    bgr = corrupted(image[..., ::-1], corruption, 3)
    assert np.array_equal(rgb, bgr[..., ::-1])


@pytest.mark.parametrize('shape', ((40, 48), (40, 48, 1)))
def test_grey_images_stay_grey(shape):
    image = picture(channels=1).reshape(shape)
    for corruption in ('gaussian_noise', 'motion_blur', 'frost'):
        found = corrupted(image, corruption, 2)
        assert found.shape == shape
        colours = np.repeat(image.reshape(40, 48, 1), 3, 2)
        in_colours = corrupted(colours, corruption, 2)
        assert np.array_equal(found.reshape(40, 48), in_colours[..., 1])


@pytest.mark.parametrize(
    'image, error, message',
    (
        (np.zeros((31, 40, 3), np.uint8), ValueError, 'at least 32 x 32'),
        (np.zeros((40, 40, 3), np.float32), TypeError, 'before it is norm'),
        (np.zeros((40, 40, 4), np.uint8), TypeError, r'\(40, 40, 4\)'),
        ([1], TypeError, 'expected an image of uint8'),
    ),
)
def test_other_images_are_refused(image, error, message):
    with pytest.raises(error, match=message):
        corrupted(image, 'fog', 1)


@pytest.mark.parametrize(
    'options',
    (
        dict(corruption='rain', severity=1),
        dict(corruption='fog', severity=6),
        dict(corruption='fog', severity=2.0),
        dict(corruption='fog', severity=True),
        dict(corruption='fog', severity=1, seed=-1),
        dict(corruption='fog', severity=1, channel_order='gbr'),
    ),
)
def test_unknown_arguments_are_refused(options):
    with pytest.raises(ValueError, match='must be'):
        Corrupt(**options)


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'imagecorruptions', None)
    with pytest.raises(
        ImportError, match='"pip install imagecorruptions-imaug"'
    ):
        Corrupt('fog', 1)


def test_the_older_package_is_refused(monkeypatch):
    older = types.SimpleNamespace(
        corruption_dict=dict(glass_blur=lambda image, severity: image)
    )
    monkeypatch.setitem(sys.modules, 'imagecorruptions', older)
    with pytest.raises(ImportError, match='the older imagecorruptions is'):
        Corrupt('fog', 1)


class Pictures(BaseDataset):
    def __init__(self, number=3, **kwargs):
        self.number = number
        super().__init__(
            pipeline=[dict(type='PackInputs')], test_mode=True, **kwargs
        )

    def load_data_list(self):
        return [
            dict(img=picture(seed=i), gt_label=i) for i in range(self.number)
        ]


def test_every_image_is_there_under_every_corruption():
    chosen = dict(corruptions=['contrast', 'fog'], severities=[2, 1])
    found = CorruptedDataset(Pictures(), **chosen, seed=7)
    assert len(found) == len(list(found)) == 12
    for index, data in enumerate(found):
        # In the order of the benchmark, whatever that of the choice.
        corruption = ('fog', 'contrast')[index // 6]
        severity = 1 + index // 3 % 2
        sample = data['data_samples']
        assert (sample.corruption, sample.severity) == (corruption, severity)
        assert int(sample.gt_label) == index % 3
        expected = corrupted(
            picture(seed=index % 3), corruption, severity, seed=7
        )
        assert np.array_equal(
            data['inputs'].numpy(), expected.transpose(2, 0, 1)
        )


def test_wrappers_and_workers_change_nothing():
    chosen = dict(corruptions=['glass_blur'], severities=[1])
    twice = RepeatDataset(Pictures(), 2)
    found = CorruptedDataset(twice, **chosen)
    assert len(found) == 6
    loader = DataLoader(
        found, batch_size=None, num_workers=2, collate_fn=lambda x: x
    )
    for i, data in enumerate(loader):
        expected = corrupted(picture(seed=i % 3), 'glass_blur', 1)
        assert np.array_equal(
            data['inputs'].numpy(), expected.transpose(2, 0, 1)
        )


def test_a_pipeline_that_packs_no_image_is_refused():
    dataset = Pictures()
    dataset.pipeline.transforms.clear()
    with pytest.raises(TypeError, match='ends in PackInputs'):
        CorruptedDataset(dataset)[0]
