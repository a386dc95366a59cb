"""AutoAugment and Cutout of CIFAR, against table and geometry."""

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from PIL import Image
from scipy.stats import chisquare
from sklearn.datasets import load_sample_image
from support.view_pipelines import config, find

from mmpaco.cls.datasets.transforms import Cutout
from mmpaco.registry import TRANSFORMS

# AutoAugment's policy for CIFAR-10: operation, probability, index.
POLICIES = """
Invert .1 0, Contrast .2 6; Rotate .7 2, TranslateX .3 9;
Sharpness .8 1, Sharpness .9 3; ShearY .5 8, TranslateY .7 9;
AutoContrast .5 0, Equalize .9 0; ShearY .2 7, Posterize .3 7;
Color .4 3, Brightness .6 7; Sharpness .3 9, Brightness .7 9;
Equalize .6 0, Equalize .5 0; Contrast .6 7, Sharpness .6 5;
Color .7 7, TranslateX .5 8; Equalize .3 0, AutoContrast .4 0;
TranslateY .4 3, Sharpness .2 6; Brightness .9 6, Color .2 8;
Solarize .5 2, Invert 0 0; Equalize .2 0, AutoContrast .6 0;
Equalize .2 0, Equalize .6 0; Color .9 9, Equalize .6 0;
AutoContrast .8 0, Solarize .2 8; Brightness .1 3, Color .7 0;
Solarize .4 5, AutoContrast .9 0; TranslateY .9 9, TranslateY .7 9;
AutoContrast .9 0, Solarize .8 3; Equalize .8 0, Invert .1 0;
TranslateY .7 9, AutoContrast .9 0
"""


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')
    set_random_seed(0)


def test_policies_are_those_of_cifar10():
    step = find('cifar_autoaug-cutout', 'AutoAugment')
    shares = np.linspace(0, 1, 10)
    table = {
        'Brightness': 0.9 * shares,
        'Color': 0.9 * shares,
        'Contrast': 0.9 * shares,
        'Sharpness': 0.9 * shares,
        'Posterize': np.round(np.linspace(8, 4, 10)),
        'Solarize': np.linspace(256, 0, 10),
        'Rotate': 30 * shares,
        'ShearY': 0.3 * shares,
        'TranslateX': 150 / 331 * shares,
        'TranslateY': 150 / 331 * shares,
    }
    both_signs = set(table) - {'Posterize', 'Solarize', 'Rotate'}
    policies = [
        [operation.split() for operation in policy.split(',')]
        for policy in POLICIES.split(';')
    ]
    assert len(policies) == len(step.transforms) == 25
    for policy, built in zip(policies, step.transforms):
        assert len(policy) == len(built.transforms) == 2
        for (op, prob, index), operation in zip(policy, built):
            assert (operation.op, operation.prob) == (op, float(prob))
            assert operation.pad_val == 128
            bicubic = op.startswith('Shear')
            assert operation.interpolation == (
                'bicubic' if bicubic else 'nearest',
            )
            assert operation.random_negative_prob == (
                0.5 if op in both_signs else 0
            )
            if op == 'Solarize':
                ramp = np.arange(256, dtype=np.uint8)[None]
                operation.prob = 1
                out = operation(dict(img=Image.fromarray(ramp)))['img']
                inverted = np.asarray(out) != ramp
                threshold = table[op][int(index)]
                np.testing.assert_array_equal(inverted, ramp >= threshold)
            elif op in table:
                assert operation.magnitude == pytest.approx(
                    table[op][int(index)]
                )
            else:
                assert operation.magnitude is None


def test_policies_are_drawn_uniformly():
    step = find('cifar_autoaug-cutout', 'AutoAugment')
    draws = [step.random_pipeline_index() for _ in range(5000)]
    assert chisquare(np.bincount(draws, minlength=25)).pvalue > 1e-3


def test_rotation_of_cifar_is_counter_clockwise_only():
    step = find('cifar_autoaug-cutout', 'AutoAugment')
    rotate = step.transforms[1].transforms[0]
    rotate.prob = 1
    image = np.zeros((32, 32, 3), np.uint8)
    image[15:17, 26:30] = 255
    for _ in range(30):
        out = np.asarray(rotate(dict(img=Image.fromarray(image)))['img'])
        rows, columns = np.nonzero((out == 255).all(axis=-1))
        # The spot on the right goes up by 12 sin(20 deg / 3).
        assert 1 < 15.5 - rows.mean() < 1.8
        assert columns.mean() > 26


def test_black_squares_end_the_cifar_view():
    small = load_sample_image('flower.jpg')[200:232, 300:332]
    view = Compose(config('cifar_autoaug-cutout'))
    for _ in range(50):
        black = (view(dict(img=small))['img'] == 0).all(axis=-1)
        # At least a quarter of the square is inside of the image.
        assert black.sum() >= 64


def test_cutout_blackens_a_square_around_a_uniform_centre():
    step = TRANSFORMS.build(dict(type='mmpaco.Cutout', length=16))
    image = np.full((32, 40, 3), 255, np.uint8)
    # The rows and columns that a centre leaves of 16 pixels.
    spans = {
        size: [(max(c - 8, 0), min(c + 8, size)) for c in range(size)]
        for size in (32, 40)
    }
    seen = {size: dict.fromkeys(spans[size], 0) for size in spans}
    for _ in range(4000):
        out = step(dict(img=image))['img']
        black = (out == 0).all(axis=-1)
        assert ((out == 255).all(axis=-1) | black).all()
        rows, columns = (np.flatnonzero(black.any(axis=a)) for a in (1, 0))
        assert black.sum() == len(rows) * len(columns)
        for size, hit in ((32, rows), (40, columns)):
            seen[size][(hit[0], hit[-1] + 1)] += 1
    for size, counts in seen.items():
        assert len(counts) == size
        assert chisquare(list(counts.values())).pvalue > 1e-3
    assert (image == 255).all()


def test_cutout_takes_gray_arrays():
    out = Cutout(4)(dict(img=np.ones((2, 2), np.uint8)))['img']
    assert not out.any()


def test_cutout_says_that_it_takes_arrays():
    with pytest.raises(TypeError, match='PILToNumpy'):
        Cutout(4)(dict(img=Image.new('L', (8, 8))))


def test_cutout_without_length_is_refused():
    with pytest.raises(ValueError, match='positive, but got 0'):
        Cutout(0)
