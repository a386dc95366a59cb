"""Views with fewer copies, against the stock steps."""

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import init_default_scope
from mmpretrain.datasets.transforms import GaussianBlur as ArrayBlur
from mmpretrain.datasets.transforms import PackInputs, PILToNumpy
from PIL import Image
from sklearn.datasets import load_sample_image
from support.view_pipelines import VARIABLES, config

from mmpaco.cls.datasets import (
    GaussianBlur,
    PILToPlanes,
    RandomResizedCropToPIL,
)

VIEWS = {name: config(name) for name in VARIABLES}


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


@pytest.fixture(scope='module')
def photo():
    """A real photograph, BGR, as OpenCV loads it."""
    return load_sample_image('china.jpg')[..., ::-1].copy()


def stock_steps(size, to_rgb=False, **options):
    return [
        dict(type='NumpyToPIL', to_rgb=to_rgb),
        dict(type='torchvision/RandomResizedCrop', size=size, **options),
    ]


def seeded(transform, image, seed):
    np.random.seed(seed)
    torch.manual_seed(seed)
    return transform(dict(img=image))['img']


@pytest.mark.parametrize('way', ('bilinear', 'bicubic', 'nearest'))
@pytest.mark.parametrize(
    'size, options',
    (
        (224, dict(to_rgb=True)),
        ((20, 40), dict(scale=(0.2, 1.0))),
        # No crop of this shape fits, so torchvision takes the middle.
        (32, dict(ratio=(9.0, 10.0), scale=(0.9, 1.0), to_rgb=True)),
    ),
)
def test_it_gives_what_the_stock_steps_give(photo, way, size, options):
    options = dict(options, interpolation=way)
    stock = Compose(stock_steps(size, **options))
    crop = RandomResizedCropToPIL(size, **options)
    before = photo.copy()
    for seed in range(10):
        found, after = seeded(crop, photo, seed), torch.rand(2)
        expected = seeded(stock, photo, seed)
        # They drew as often.
        assert torch.equal(torch.rand(2), after)
        assert found.mode == 'RGB' and found.size == expected.size
        assert found.tobytes() == expected.tobytes()
    assert (photo == before).all()


def test_a_gray_array_becomes_a_gray_image(photo):
    gray = photo[..., 0].copy()
    found = seeded(RandomResizedCropToPIL(16), gray, 0)
    expected = seeded(Compose(stock_steps(16)), gray, 0)
    assert found.mode == 'L' and found.tobytes() == expected.tobytes()


def with_stock_steps(steps):
    """The same list, with the steps that mmpretrain and torchvision have."""
    found = []
    for step in map(dict, steps):
        kind = step.pop('type')
        if kind == 'mmpaco.RandomResizedCropToPIL':
            found += stock_steps(**step)
        elif kind == 'mmpaco.GaussianBlur':
            found += [
                dict(type='PILToNumpy'),
                dict(step, type='GaussianBlur'),
                dict(type='NumpyToPIL'),
            ]
        elif kind == 'mmpaco.PILToPlanes':
            found.append(dict(step, type='PILToNumpy'))
        else:
            found.append(dict(step, type=kind))
    return found


@pytest.mark.parametrize(
    'name',
    [x for x, steps in VIEWS.items() if steps != with_stock_steps(steps)],
)
def test_views_of_the_configs_are_those_of_the_stock_steps(name, photo):
    image = photo[200:232, 300:332] if name.startswith('cifar') else photo
    view = Compose(VIEWS[name])
    stock = Compose(with_stock_steps(VIEWS[name]))
    for seed in range(12):
        found, after = seeded(view, image, seed), draws()
        np.testing.assert_array_equal(found, seeded(stock, image, seed))
        assert after == draws()


def draws():
    return np.random.rand(), torch.rand(1).item()


@pytest.mark.parametrize(
    'options',
    (dict(radius=1.5), dict(magnitude_range=(0.1, 2), magnitude_std='inf')),
)
def test_a_blurred_image_is_the_blurred_array(photo, options):
    for seed in range(12):
        found = seeded(GaussianBlur(**options), Image.fromarray(photo), seed)
        stock = ArrayBlur(**options)
        np.testing.assert_array_equal(
            np.asarray(found), seeded(stock, photo, seed)
        )


@pytest.mark.parametrize('to_bgr', (False, True))
def test_planes_are_the_array_and_are_packed_without_a_copy(photo, to_bgr):
    image = Image.fromarray(photo[:20, :31])
    found = PILToPlanes(to_bgr)(dict(img=image))['img']
    np.testing.assert_array_equal(
        found, PILToNumpy(to_bgr)(dict(img=image))['img']
    )
    packed = PackInputs()(dict(img=found))['inputs']
    np.testing.assert_array_equal(packed, found.transpose(2, 0, 1))
    assert np.shares_memory(packed.numpy(), found)
    found[:] = 7
    assert (packed == 7).all()


@pytest.mark.parametrize('to_bgr', (False, True))
def test_planes_of_a_gray_image_are_its_array(photo, to_bgr):
    image = Image.fromarray(photo[..., 0])
    found = PILToPlanes(to_bgr)(dict(img=image))['img']
    expected = PILToNumpy(to_bgr)(dict(img=image))['img']
    np.testing.assert_array_equal(found, expected)
    found[:] = 7


@pytest.mark.parametrize('step', (GaussianBlur(1), PILToPlanes()))
def test_arrays_are_refused_with_the_cure(photo, step):
    with pytest.raises(TypeError, match='NumpyToPIL'):
        step(dict(img=photo))


def test_planes_of_other_modes_are_refused(photo):
    with pytest.raises(ValueError, match="mode 'HSV'"):
        PILToPlanes()(dict(img=Image.fromarray(photo).convert('HSV')))


def test_an_unknown_interpolation_is_refused():
    with pytest.raises(ValueError, match="'bilinear'.*got 'area'"):
        RandomResizedCropToPIL(8, interpolation='area')


def test_a_pillow_image_is_refused_with_the_cure(photo):
    with pytest.raises(TypeError, match='torchvision/RandomResizedCrop'):
        RandomResizedCropToPIL(8)(dict(img=Image.fromarray(photo)))
