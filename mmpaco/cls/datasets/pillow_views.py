"""Views by Pillow with fewer copies: the same draws, and the same bytes."""

from collections.abc import Sequence
from typing import Any, Union

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmpretrain.datasets.transforms import GaussianBlur as ArrayBlur
from mmpretrain.datasets.transforms import NumpyToPIL
from PIL import ImageFilter
from torchvision.transforms import InterpolationMode
from torchvision.transforms import RandomResizedCrop as PillowResizedCrop
from torchvision.transforms import functional as F

from mmpaco.cls.datasets.pillow_image import (
    grey_or_rgb_image,
    pillow_image,
)
from mmpaco.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomResizedCropToPIL(BaseTransform):
    """torchvision's ``RandomResizedCrop`` of an array, as a Pillow image.

    It draws and gives what ``NumpyToPIL`` and
    ``torchvision/RandomResizedCrop`` do one after the other. Those turn the
    whole image into one of Pillow, for each view again; this, the crop alone.

    Args:
        size (int | Sequence[int]): Of the view, one side or height and width.
        scale (Sequence[float]): Range of the crop's share of the area.
            Defaults to (0.08, 1).
        ratio (Sequence[float]): Range of its width by its height. Defaults to
            (3/4, 4/3).
        interpolation (str): ``'nearest'``, ``'bilinear'``, ``'bicubic'``,
            ``'box'``, ``'hamming'`` or ``'lanczos'``. Defaults to
            ``'bilinear'``.
        to_rgb (bool): Whether the array is BGR, which a Pillow image is not.
            Defaults to False.

    Raises:
        ValueError: If the interpolation is unknown.

    Example:
        >>> import numpy as np
        >>> from mmpaco.registry import TRANSFORMS
        >>> crop = TRANSFORMS.build(
        ...     dict(type='mmpaco.RandomResizedCropToPIL', size=(4, 6)))
        >>> crop(dict(img=np.zeros((40, 30, 3), np.uint8)))['img'].size
        (6, 4)
    """

    def __init__(
        self,
        size: Union[int, Sequence[int]],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: str = 'bilinear',
        to_rgb: bool = False,
    ) -> None:
        ways = [mode.value for mode in InterpolationMode]
        if interpolation not in ways:
            raise ValueError(
                f'interpolation must be one of {ways}, but got '
                f'{interpolation!r}'
            )
        self.t = PillowResizedCrop(
            size, scale, ratio, InterpolationMode(interpolation)
        )
        self.convert = NumpyToPIL(to_rgb)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop ``results['img']``.

        Args:
            results (dict): A sample whose ``img`` has the shape (H, W, C) or
                (H, W).

        Returns:
            dict: The same sample, whose ``img`` is a Pillow image.

        Raises:
            TypeError: If the image is no array.
        """
        image = results['img']
        if not isinstance(image, np.ndarray):
            raise TypeError(
                'RandomResizedCropToPIL needs an array, but got '
                f'{type(image)}; take torchvision/RandomResizedCrop for a '
                'Pillow image'
            )
        # torchvision draws for a tensor or a Pillow image, of which it looks
        # at the size alone.
        shape = torch.empty(image.shape[:2], device='meta')
        top, left, height, width = self.t.get_params(
            shape, self.t.scale, self.t.ratio
        )
        results['img'] = image[top : top + height, left : left + width]
        cropped = self.convert(results)['img']
        results['img'] = F.resize(cropped, self.t.size, self.t.interpolation)
        return results

    def __repr__(self) -> str:
        to_rgb = self.convert.to_rgb
        return f'{type(self).__name__}({self.t}, to_rgb={to_rgb})'


@TRANSFORMS.register_module()
class GaussianBlur(ArrayBlur):
    """mmpretrain's ``GaussianBlur``, of a Pillow image.

    That takes an array, makes a Pillow image of it to blur it, and makes an
    array of this again.

    Args:
        radius (float, optional): A fixed radius. Defaults to None.
        prob (float): How often it is executed. Defaults to 0.5.
        **kwargs: ``magnitude_range``, ``magnitude_level``, ``magnitude_std``
            and ``total_level``, as in mmpretrain: a random radius.

    Example:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from mmpaco.registry import TRANSFORMS
        >>> blur = TRANSFORMS.build(
        ...     dict(type='mmpaco.GaussianBlur', radius=1, prob=1.0))
        >>> image = Image.fromarray(np.uint8([[0, 0, 90, 0, 0]]))
        >>> np.asarray(blur(dict(img=image))['img']).tolist()
        [[5, 21, 37, 21, 5]]
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Blur ``results['img']``, or leave it.

        Args:
            results (dict): A sample whose ``img`` is a Pillow image.

        Returns:
            dict: The same sample.

        Raises:
            TypeError: If the image is not a Pillow image.
        """
        image = pillow_image(results, 'GaussianBlur')
        if not self.random_disable():
            radius = self.radius
            if radius is None:
                radius = self.random_magnitude()
            results['img'] = image.filter(ImageFilter.GaussianBlur(radius))
        return results


@TRANSFORMS.register_module()
class PILToPlanes(BaseTransform):
    """Make an array of a Pillow image, whose channels lie one by one.

    It is what ``PILToNumpy`` gives, (H, W, C), but as a view of (C, H, W):
    ``PackInputs`` need not move each byte to make a tensor of it.

    Args:
        to_bgr (bool): Whether the array is to be BGR, a grey one, too.
            Defaults to False, which leaves a grey one at (H, W).

    Example:
        >>> from PIL import Image
        >>> from mmpaco.registry import TRANSFORMS
        >>> convert = TRANSFORMS.build(
        ...     dict(type='mmpaco.PILToPlanes', to_bgr=True))
        >>> image = Image.new('RGB', (6, 4), (1, 2, 3))
        >>> array = convert(dict(img=image))['img']
        >>> array.shape, array[0, 0].tolist()
        ((4, 6, 3), [3, 2, 1])
        >>> array.transpose(2, 0, 1).flags.c_contiguous
        True
    """

    def __init__(self, to_bgr: bool = False) -> None:
        self.to_bgr = to_bgr

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Convert ``results['img']``.

        Args:
            results (dict): A sample whose ``img`` is a Pillow image.

        Returns:
            dict: The same sample, whose ``img`` is an array.

        Raises:
            TypeError: If the image is not a Pillow image.
            ValueError: If it is neither grey (mode L) nor RGB.
        """
        image = grey_or_rgb_image(results, 'PILToPlanes')
        if image.mode == 'L' and self.to_bgr:
            image = image.convert('RGB')
        if image.mode == 'L':
            results['img'] = np.array(image)
            return results
        bands = 'BGR' if self.to_bgr else 'RGB'
        # Of bytes, the array could not be written to.
        data = bytearray().join(image.tobytes('raw', x) for x in bands)
        planes = np.frombuffer(data, np.uint8)
        planes = planes.reshape(3, image.height, image.width)
        results['img'] = planes.transpose(1, 2, 0)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(to_bgr={self.to_bgr})'
