"""The operations of RandAugment, against NumPy, and errors."""

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image
from scipy.stats import chisquare, norm
from sklearn.datasets import load_sample_image

from mmpaco.cls.datasets.transforms import PillowOp, RandAugment

FILL = (124, 116, 104)
GEOMETRIC = ('Rotate', 'ShearX', 'ShearY', 'TranslateX', 'TranslateY')


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')
    np.random.seed(0)


@pytest.fixture(scope='module')
def photo():
    """A real photograph, RGB, 71 x 107 pixels."""
    return load_sample_image('china.jpg')[::6, ::6].copy()


def luma(image):
    red, green, blue = np.moveaxis(image.astype(int), -1, 0)
    return (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16


def blend(start, image, factor):
    """Go from the first image through the second, and beyond."""
    values = start + factor * (image.astype(float) - start)
    return values.clip(0, 255).astype(int)


def smooth(image):
    """Average 3 x 3 pixels, the middle one five times; borders stay."""
    weights = np.ones((3, 3))
    weights[1, 1] = 5
    height, width = image.shape[:2]
    out = image.astype(float)
    out[1:-1, 1:-1] = (
        sum(
            weights[i, j] * image[i : height - 2 + i, j : width - 2 + j]
            for i in range(3)
            for j in range(3)
        )
        / 13
    )
    return (out + 0.5).astype(int)


def by_channel(function):
    return lambda image: np.stack(
        [function(image[..., c].astype(int)) for c in range(3)], axis=-1
    )


def stretch(channel):
    low, high = channel.min(), channel.max()
    return (channel - low) * 255 // (high - low)


def equalize(channel):
    counts = np.bincount(channel.ravel(), minlength=256)
    step = (channel.size - counts[counts > 0][-1]) // 255
    below = np.cumsum(counts) - counts
    return ((step // 2 + below) // step).clip(0, 255)[channel]


def contrast(image):
    return blend(int(luma(image).mean() + 0.5), image, 1.9)


# At level 10.
EXPECTED = {
    'AutoContrast': by_channel(stretch),
    'Equalize': by_channel(equalize),
    'Invert': lambda x: 255 - x.astype(int),
    'Posterize': lambda x: x // 16 * 16,
    'Solarize': lambda x: x,
    'SolarizeAdd': lambda x: np.where(x < 128, x.astype(int) + 110, x),
    'Color': lambda x: blend(luma(x)[..., None], x, 1.9),
    'Contrast': contrast,
    'Brightness': lambda x: blend(0, x, 1.9),
    'Sharpness': lambda x: blend(smooth(x), x, 1.9),
}


def source(op, height, width, sign):
    """Where each pixel comes from at level 10, in pixels from the corner."""
    y, x = np.mgrid[:height, :width] + 0.5
    if op == 'Rotate':
        angle = np.deg2rad(30 * sign)
        u, v = x - width / 2, y - height / 2
        # Counter-clockwise on a screen, whose second axis points down.
        return (
            np.cos(angle) * u - np.sin(angle) * v + width / 2,
            np.sin(angle) * u + np.cos(angle) * v + height / 2,
        )
    if op == 'ShearX':
        return x + 0.3 * sign * y, y
    if op == 'ShearY':
        return x, y + 0.3 * sign * x
    if op == 'TranslateX':
        return x + 0.45 * sign * width, y
    return x, y + 0.45 * sign * height


def kernel(distance, mode):
    d = np.abs(distance)
    if mode == 'bilinear':
        return np.where(d < 1, 1 - d, 0)
    # Keys' kernel with a slope of -1, as in Pillow's geometric operations.
    near = (d - 2) * d * d + 1
    far = ((-d + 5) * d - 8) * d + 4
    return np.where(d < 1, near, np.where(d < 2, far, 0))


def resample(image, x, y, mode):
    """Interpolate with clamped neighbours, and fill what is outside."""
    height, width = image.shape[:2]
    left = np.floor(x - 0.5).astype(int)
    top = np.floor(y - 0.5).astype(int)
    out = np.zeros(image.shape)
    for i in range(-1, 3):
        for j in range(-1, 3):
            weight = kernel(x - 0.5 - left - j, mode) * kernel(
                y - 0.5 - top - i, mode
            )
            pixel = image[
                (top + i).clip(0, height - 1), (left + j).clip(0, width - 1)
            ]
            out += weight[..., None] * pixel
    outside = (x < 0) | (x >= width) | (y < 0) | (y >= height)
    return np.where(outside[..., None], FILL, out.clip(0, 255))


def drawn(op, level=10, std=0.0):
    """Give an operation of RandAugment, always executed."""
    (step,) = (step for step in RandAugment(1, level, std) if step.op == op)
    step.prob = 1.0
    return step


def apply(step, image):
    out = step(dict(img=Image.fromarray(image)))['img']
    return np.asarray(out).astype(int)


@pytest.mark.parametrize('op', EXPECTED)
def test_operation_at_level_10_is_its_formula(photo, op):
    expected = EXPECTED[op](photo)
    error = np.abs(apply(drawn(op), photo) - expected)
    # Pillow's products are in single precision, then cut off.
    assert error.max() <= 1
    assert (error > 0).mean() < 0.02


@pytest.mark.parametrize('op', GEOMETRIC)
def test_geometric_operation_interpolates_both_ways_and_fills(photo, op):
    references = {
        (mode, sign): resample(
            photo, *source(op, *photo.shape[:2], sign), mode
        )
        for mode in ('bilinear', 'bicubic')
        for sign in (-1, 1)
    }
    step = drawn(op)
    seen = dict.fromkeys(references, 0)
    for _ in range(200):
        out = apply(step, photo)
        errors = {
            key: np.abs(out - reference).max()
            for key, reference in references.items()
        }
        best = min(errors, key=errors.get)
        # Pillow cuts off what follows the point.
        assert errors[best] < 1.01
        seen[best] += 1
    assert chisquare(list(seen.values())).pvalue > 1e-3


def test_operations_are_drawn_uniformly_and_executed_by_half(photo):
    small = photo[20:36, 30:46].copy()
    # At level 3 each of them changes this picture.
    augment = RandAugment(2, 3, 0.5)
    steps = list(augment)
    assert len({step.op for step in steps}) == 15
    draws = np.array([augment.random_policy_indices() for _ in range(3000)])
    assert draws.shape == (3000, 2)
    pairs = np.bincount(draws[:, 0] * 15 + draws[:, 1], minlength=225)
    assert chisquare(pairs).pvalue > 1e-3
    for step in steps:
        changed = sum((apply(step, small) != small).any() for _ in range(400))
        # Four standard deviations.
        assert 160 <= changed <= 240, step.op


def test_half_of_the_levels_around_10_are_10():
    levels = np.array(magnitudes('Rotate', 10)) / 3
    assert levels.max() == 10
    assert abs((levels == 10).mean() - 0.5) < 0.03
    assert abs((levels < 9.5).mean() - norm.cdf(-1)) < 0.03
    assert abs((levels < 9).mean() - norm.cdf(-2)) < 0.015


def magnitudes(op, level):
    step = drawn(op, level, 0.5)
    return [step.random_magnitude() for _ in range(4000)]


def test_level_12_is_10():
    assert np.mean(np.array(magnitudes('TranslateX', 12)) == 0.45) > 0.999


def test_levels_are_not_below_0():
    levels = np.array(magnitudes('Rotate', 0))
    assert levels.min() == 0
    assert abs((levels == 0).mean() - 0.5) < 0.03


def test_posterize_keeps_3_bits_as_often_as_4():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    step = drawn('Posterize', 10, 0.5)
    values = [len(np.unique(apply(step, ramp))) for _ in range(1000)]
    assert set(values) == {8, 16}
    assert abs(values.count(16) - 500) < 65


@pytest.mark.parametrize('level', [0, 2.5, 7.4])
def test_levels_of_values_are_truncated(level):
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    x = ramp.astype(int)
    bits = int(0.4 * level)
    expected = {
        'Posterize': x >> (8 - bits) << (8 - bits),
        'Solarize': np.where(x < int(25.6 * level), x, 255 - x),
        'SolarizeAdd': np.where(
            x < 128, (x + int(11 * level)).clip(0, 255), x
        ),
    }
    for op, values in expected.items():
        np.testing.assert_array_equal(apply(drawn(op, level), ramp), values)


def test_factors_have_no_sign():
    for op in ('Brightness', 'Color', 'Contrast', 'Sharpness'):
        step = drawn(op, 0)
        assert {step.random_negative(x) for x in [-0.9] * 50} == {-0.9}
        assert step.random_magnitude() == -0.9
        assert drawn(op, 10).random_magnitude() == pytest.approx(0.9)


def test_gray_images_are_augmented_too(photo):
    gray = np.asarray(Image.fromarray(photo).convert('L'))
    for op in (*EXPECTED, *GEOMETRIC):
        plain = op in ('AutoContrast', 'Equalize', 'Invert')
        magnitude = None if plain else 0.4
        step = PillowOp(op, magnitude, prob=1, pad_val=7)
        out = apply(step, gray)
        assert out.shape == gray.shape
        if op.startswith('Translate'):
            assert (out == 7).mean() > 0.39


@pytest.mark.parametrize('op', GEOMETRIC)
def test_a_gray_image_is_filled_with_the_luminance_of_the_colour(photo, op):
    """As if the filled image had been made grey."""
    step = PillowOp(op, 0.4, prob=1, pad_val=FILL)
    gray = np.asarray(Image.fromarray(photo).convert('L'))
    out = apply(step, gray)
    in_colour = step(dict(img=Image.fromarray(photo)))['img']
    np.testing.assert_array_equal(out, np.asarray(in_colour.convert('L')))


def test_all_of_randaugment_takes_a_gray_image(photo):
    gray = Image.fromarray(photo).convert('L')
    augment = RandAugment(2, 10)
    for _ in range(100):
        image = augment(dict(img=gray))['img']
        assert image.mode == 'L' and image.size == gray.size


@pytest.mark.parametrize('mode', ('RGBA', 'LA', '1', 'P', 'I', 'F', 'CMYK'))
def test_other_modes_are_refused_whatever_is_drawn(photo, mode):
    image = Image.fromarray(photo).convert('L' if mode == 'LA' else 'RGB')
    image = image.convert(mode)
    for op in (*EXPECTED, *GEOMETRIC):
        step = drawn(op)
        step.prob = 0.0
        with pytest.raises(ValueError, match=f"grey .* or RGB.*'{mode}'"):
            step(dict(img=image))


def test_one_number_fills_all_channels(photo):
    out = apply(PillowOp('TranslateX', 0.5, prob=1, pad_val=9), photo)
    assert (out[:, -50:] == 9).all()


@pytest.mark.parametrize(
    'options, words',
    [
        (dict(op='Twist', magnitude=1), "'Twist'"),
        (dict(op='Rotate'), 'Rotate takes one of magnitude'),
        (
            dict(op='Rotate', magnitude=1, magnitude_range=(0, 1)),
            'takes one of',
        ),
        (dict(op='Invert', magnitude=1), 'Invert takes none'),
        (
            dict(op='Rotate', magnitude=1, interpolation='area'),
            "got 'area'",
        ),
        (dict(op='Rotate', magnitude=1, pad_val=(1, 2)), r'got \(1, 2\)'),
    ],
)
def test_options_without_sense_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        PillowOp(**options)


def test_arrays_are_refused_with_the_cure(photo):
    for prob in (0.0, 1.0):
        with pytest.raises(TypeError, match='NumpyToPIL'):
            PillowOp('Invert', prob=prob)(dict(img=photo))
