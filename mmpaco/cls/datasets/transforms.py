"""Augmentations of the papers that mmpretrain cannot do exactly."""

from collections.abc import Callable, Sequence
from typing import Any, Optional, Union

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmpretrain.datasets.transforms import RandAugment as PolicyRandAugment
from mmpretrain.datasets.transforms.auto_augment import BaseAugTransform
from PIL import Image, ImageEnhance, ImageOps

from mmpaco.cls.datasets.pillow_image import grey_or_rgb_image
from mmpaco.registry import TRANSFORMS

_PLAIN: dict[str, Callable[[Image.Image], Image.Image]] = {
    'AutoContrast': ImageOps.autocontrast,
    'Equalize': ImageOps.equalize,
    'Invert': ImageOps.invert,
}
_ENHANCE = {
    'Brightness': ImageEnhance.Brightness,
    'Color': ImageEnhance.Color,
    'Contrast': ImageEnhance.Contrast,
    'Sharpness': ImageEnhance.Sharpness,
}
_LEVELS = ('Posterize', 'Solarize', 'SolarizeAdd')
_GEOMETRIC = ('Rotate', 'ShearX', 'ShearY', 'TranslateX', 'TranslateY')
_OPS = (*_PLAIN, *_ENHANCE, *_LEVELS, *_GEOMETRIC)
_RESAMPLING = ('nearest', 'bilinear', 'bicubic')


@TRANSFORMS.register_module()
class PillowOp(BaseAugTransform):
    """One operation of AutoAugment or RandAugment, done by Pillow.

    The operations of mmpretrain are done by OpenCV, which interpolates,
    rounds and fills otherwise than the papers' release. This one takes the
    same options and stands in the policies of mmpretrain's ``AutoAugment``
    and ``RandAugment``. The image is a Pillow image, as after ``NumpyToPIL``,
    grey or in colours, which must be in the order RGB.

    What the magnitude m does:

    - Brightness, Color, Contrast, Sharpness: the factor is 1 + m.
    - Posterize: int(m) bits are kept.
    - Solarize: values from int(m) on are inverted.
    - SolarizeAdd: int(m) is added to values below 128.
    - Rotate: by m degrees, counter-clockwise.
    - ShearX, ShearY: output (x, y) is taken from (x + m y, y), (x, y + m x).
    - TranslateX, TranslateY: output (x, y) is taken from (x + m width, y),
      (x, y + m height).
    - AutoContrast, Equalize, Invert: they have none.

    Args:
        op (str): One of the above.
        magnitude (float, optional): A fixed magnitude. Defaults to None.
        prob (float): How often it is executed. Defaults to 0.5.
        random_negative_prob (float): How often the sign of the magnitude is
            changed. Defaults to 0.
        pad_val (int | Sequence[int]): Colour of what comes in from outside,
            one value or R, G, B, whose luminance a grey image gets. Defaults
            to 128.
        interpolation (str | Sequence[str]): ``'nearest'``, ``'bilinear'`` or
            ``'bicubic'`` of geometric operations; of several, one is drawn
            for each image. Defaults to ``'nearest'``.
        **kwargs: ``magnitude_range``, ``magnitude_level``, ``magnitude_std``
            and ``total_level``, as in mmpretrain: a random magnitude.

    Raises:
        ValueError: If operation or interpolation are unknown, ``pad_val`` is
            no colour, or the magnitude is missing, given twice or given
            without a use.

    Example:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from mmpaco.registry import TRANSFORMS
        >>> cfg = dict(type='mmpaco.PillowOp', op='TranslateX', prob=1.0)
        >>> move = TRANSFORMS.build(dict(cfg, magnitude=0.5))
        >>> image = Image.fromarray(np.uint8([[10, 20, 30, 40]]))
        >>> np.asarray(move(dict(img=image))['img']).tolist()
        [[30, 40, 128, 128]]
    """

    def __init__(
        self,
        op: str,
        magnitude: Optional[float] = None,
        prob: float = 0.5,
        random_negative_prob: float = 0.0,
        pad_val: Union[int, Sequence[int]] = 128,
        interpolation: Union[str, Sequence[str]] = 'nearest',
        **kwargs: Any,
    ) -> None:
        super().__init__(
            prob=prob, random_negative_prob=random_negative_prob, **kwargs
        )
        if op not in _OPS:
            raise ValueError(f'op must be one of {_OPS}, but got {op!r}')
        given = (magnitude is not None) + (self.magnitude_range is not None)
        if given != (op not in _PLAIN):
            wanted = 'none' if op in _PLAIN else 'one'
            raise ValueError(
                f'{op} takes {wanted} of magnitude and magnitude_range, but '
                f'got magnitude={magnitude} and '
                f'magnitude_range={self.magnitude_range}'
            )
        modes = (
            (interpolation,)
            if isinstance(interpolation, str)
            else tuple(interpolation)
        )
        if not modes or not set(modes) <= set(_RESAMPLING):
            raise ValueError(
                f'interpolation must be of {_RESAMPLING}, but got '
                f'{interpolation!r}'
            )
        if not isinstance(pad_val, int) and len(pad_val) != 3:
            raise ValueError(
                'pad_val must be one value or three, R, G and B, but got '
                f'{pad_val}'
            )
        self.op = op
        self.magnitude = magnitude
        self.pad_val = pad_val
        self.interpolation = modes

    @cache_randomness
    def random_interpolation(self) -> str:
        """Draw one of the interpolations."""
        return self.interpolation[np.random.randint(len(self.interpolation))]

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Execute the operation on ``results['img']``, or leave it.

        Args:
            results (dict): A sample whose ``img`` is a Pillow image.

        Returns:
            dict: The same sample.

        Raises:
            TypeError: If the image is not a Pillow image.
            ValueError: If it is neither grey (mode L) nor RGB.
        """
        # Pillow itself refuses some of the modes in some of the operations,
        # and so only now and then.
        image = grey_or_rgb_image(results, 'PillowOp')
        if not self.random_disable():
            results['img'] = self._execute(image)
        return results

    def _execute(self, image: Image.Image) -> Image.Image:
        if self.op in _PLAIN:
            return _PLAIN[self.op](image)
        magnitude = self.magnitude
        if magnitude is None:
            magnitude = self.random_magnitude()
        magnitude = self.random_negative(magnitude)
        if self.op in _ENHANCE:
            return _ENHANCE[self.op](image).enhance(1 + magnitude)
        if self.op == 'Solarize':
            return ImageOps.solarize(image, int(magnitude))
        if self.op in _GEOMETRIC:
            return self._move(image, float(magnitude))
        values = np.arange(256)
        if self.op == 'Posterize':
            # Some versions of Pillow refuse to keep no bit.
            lost = 8 - int(magnitude)
            values = values >> lost << lost
        else:
            values[:128] += int(magnitude)
        table = values.clip(0, 255).tolist()
        return image.point(table * len(image.getbands()))

    def _move(self, image: Image.Image, magnitude: float) -> Image.Image:
        resample = getattr(
            Image.Resampling, self.random_interpolation().upper()
        )
        # Pillow reads one number as the red of an RGB image.
        fill: Any = (
            (self.pad_val,) * 3
            if isinstance(self.pad_val, int)
            else tuple(self.pad_val)
        )
        if image.mode == 'L':
            colour = Image.new('RGB', (1, 1), fill)
            fill = colour.convert('L').getpixel((0, 0))
        if self.op == 'Rotate':
            return image.rotate(magnitude, resample, fillcolor=fill)
        matrix = {
            'ShearX': (1, magnitude, 0, 0, 1, 0),
            'ShearY': (1, 0, 0, magnitude, 1, 0),
            'TranslateX': (1, 0, magnitude * image.width, 0, 1, 0),
            'TranslateY': (1, 0, 0, 0, 1, magnitude * image.height),
        }[self.op]
        return image.transform(
            image.size,
            Image.Transform.AFFINE,
            matrix,
            resample,
            fillcolor=fill,
        )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(op={self.op}, '
            f'magnitude={self.magnitude}, prob={self.prob}, '
            f'random_negative_prob={self.random_negative_prob}, '
            f'pad_val={self.pad_val}, interpolation={self.interpolation}'
            f'{self.extra_repr()})'
        )


@TRANSFORMS.register_module()
class RandAugment(PolicyRandAugment):
    """RandAugment as in the papers' release, on Pillow images, RGB or grey.

    Of 15 operations ``num_policies`` are drawn with replacement, each of
    which is executed with a probability of 0.5. Not all get stronger with the
    level, unlike those of mmpretrain's ``timm_increasing``: Solarize and
    Posterize get weaker, and the factors of Color, Contrast, Brightness and
    Sharpness go from 0.1 to 1.9. At level 10, Solarize does nothing.

    Args:
        num_policies (int): Operations drawn for each image, n.
        magnitude_level (float): Mean of the level, m. What is above 10 is
            clipped, so 12 is nearly always 10.
        magnitude_std (float): Standard deviation of the level. Defaults to
            0.5.
        pad_val (Sequence[int]): Colour of what comes in from outside, R, G,
            B; its luminance on a grey image. Defaults to the mean of
            ImageNet.
        interpolation (Sequence[str]): Of these, one is drawn for each
            geometric operation. Defaults to bilinear and bicubic.

    Source: E. D. Cubuk, B. Zoph, J. Shlens, Q. V. Le: *RandAugment: Practical
    Automated Data Augmentation with a Reduced Search Space*, 2020, with the
    settings of the papers' release (n-m-mstd0.5).

    Example:
        >>> from PIL import Image
        >>> from mmpaco.registry import TRANSFORMS
        >>> augment = TRANSFORMS.build(dict(
        ...     type='mmpaco.RandAugment', num_policies=2, magnitude_level=10))
        >>> image = Image.effect_noise((64, 48), 50).convert('RGB')
        >>> augment(dict(img=image))['img'].size
        (64, 48)
        >>> len(augment.transforms), augment.num_policies
        (15, 2)
    """

    def __init__(
        self,
        num_policies: int,
        magnitude_level: float,
        magnitude_std: float = 0.5,
        pad_val: Sequence[int] = (124, 116, 104),
        interpolation: Sequence[str] = ('bilinear', 'bicubic'),
    ) -> None:
        factor = (-0.9, 0.9)
        ranges = {
            'AutoContrast': None,
            'Equalize': None,
            'Invert': None,
            'Rotate': (0, 30),
            'Posterize': (0, 4),
            'Solarize': (0, 256),
            'SolarizeAdd': (0, 110),
            'Color': factor,
            'Contrast': factor,
            'Brightness': factor,
            'Sharpness': factor,
            'ShearX': (0, 0.3),
            'ShearY': (0, 0.3),
            'TranslateX': (0, 0.45),
            'TranslateY': (0, 0.45),
        }
        policies = []
        for op, magnitude_range in ranges.items():
            policy: dict[str, Any] = dict(type='mmpaco.PillowOp', op=op)
            if magnitude_range is not None:
                policy['magnitude_range'] = magnitude_range
            if op in _GEOMETRIC:
                policy['random_negative_prob'] = 0.5
            policies.append(policy)
        super().__init__(
            policies,
            num_policies,
            magnitude_level,
            magnitude_std,
            hparams=dict(pad_val=pad_val, interpolation=interpolation),
        )


@TRANSFORMS.register_module()
class Cutout(BaseTransform):
    """Blacken a square whose centre is uniform over the image.

    What is outside of the image is cut off on all sides. (mmpretrain's
    ``Cutout`` moves a square that sticks out on the left or top, so those
    sides lose more pixels.) The image is an array, not yet normalised.

    Args:
        length (int): Side of the square in pixels.

    Raises:
        ValueError: If the length is not positive.

    Source: T. DeVries, G. W. Taylor: *Improved Regularization of
    Convolutional Neural Networks with Cutout*, 2017.

    Example:
        >>> import numpy as np
        >>> from mmpaco.registry import TRANSFORMS
        >>> cutout = TRANSFORMS.build(dict(type='mmpaco.Cutout', length=4))
        >>> np.random.seed(0)
        >>> cutout(dict(img=np.full((5, 8), 9, np.uint8)))['img'].tolist()
        [[9, 9, 9, 9, 9, 9, 9, 9],
         [9, 9, 9, 9, 9, 9, 9, 9],
         [9, 9, 9, 9, 9, 0, 0, 0],
         [9, 9, 9, 9, 9, 0, 0, 0],
         [9, 9, 9, 9, 9, 0, 0, 0]]
    """

    def __init__(self, length: int) -> None:
        if length < 1:
            raise ValueError(f'length must be positive, but got {length}')
        self.length = length

    @cache_randomness
    def random_centre(self, height: int, width: int) -> tuple[int, int]:
        """Draw row and column of the centre."""
        return np.random.randint(height), np.random.randint(width)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Blacken a square of a copy of ``results['img']``.

        Args:
            results (dict): A sample whose ``img`` has the shape (H, W, C) or
                (H, W).

        Returns:
            dict: The same sample with the copy.

        Raises:
            TypeError: If the image is no array.
        """
        if not isinstance(results['img'], np.ndarray):
            raise TypeError(
                f'Cutout needs an array, but got {type(results["img"])}; put '
                "dict(type='PILToNumpy') before it"
            )
        image = results['img'].copy()
        top, left = (
            x - self.length // 2 for x in self.random_centre(*image.shape[:2])
        )
        image[
            max(top, 0) : top + self.length, max(left, 0) : left + self.length
        ] = 0
        results['img'] = image
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(length={self.length})'
