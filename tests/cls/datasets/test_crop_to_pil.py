"""The crop to a Pillow image, against the two stock steps."""

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import init_default_scope
from PIL import Image
from sklearn.datasets import load_sample_image
from support.view_pipelines import VARIABLES, config

from mmpaco.cls.datasets import RandomResizedCropToPIL


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


@pytest.mark.parametrize(
    'name', [x for x in VARIABLES if x.endswith('224') and 'test' not in x]
)
def test_views_of_the_configs_are_those_of_the_stock_steps(name, photo):
    first, *rest = config(name)
    assert first.pop('type') == 'mmpaco.RandomResizedCropToPIL'
    stock = Compose([*stock_steps(**first), *rest])
    view = Compose(config(name))
    for seed in range(4):
        np.testing.assert_array_equal(
            seeded(view, photo, seed), seeded(stock, photo, seed)
        )


def test_an_unknown_interpolation_is_refused():
    with pytest.raises(ValueError, match="'bilinear'.*got 'area'"):
        RandomResizedCropToPIL(8, interpolation='area')


def test_a_pillow_image_is_refused_with_the_cure(photo):
    with pytest.raises(TypeError, match='torchvision/RandomResizedCrop'):
        RandomResizedCropToPIL(8)(dict(img=Image.fromarray(photo)))
