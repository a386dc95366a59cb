"""A crop that makes a Pillow image of what it keeps."""

from collections.abc import Sequence
from typing import Any, Union

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmpretrain.datasets.transforms import NumpyToPIL
from torchvision.transforms import InterpolationMode
from torchvision.transforms import RandomResizedCrop as PillowResizedCrop
from torchvision.transforms import functional as F

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
