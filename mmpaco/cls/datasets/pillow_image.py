"""The image of a sample, where a step needs one of Pillow's."""

from collections.abc import Mapping
from typing import Any

from PIL import Image


def pillow_image(sample: Mapping[str, Any], step: str) -> Image.Image:
    """Give the image of a sample, if it is a Pillow image.

    Args:
        sample: A sample of a pipeline, with its image at ``img``.
        step: Name of the step that needs it.

    Returns:
        The image.

    Raises:
        TypeError: If it is something else, such as an array.
    """
    image = sample['img']
    if not isinstance(image, Image.Image):
        raise TypeError(
            f'{step} needs a Pillow image, but got {type(image)}; put '
            "dict(type='NumpyToPIL', to_rgb=True) before it"
        )
    return image


def grey_or_rgb_image(sample: Mapping[str, Any], step: str) -> Image.Image:
    """Give the image of a sample, if it is a Pillow image, grey or RGB.

    Args:
        sample: A sample of a pipeline, with its image at ``img``.
        step: Name of the step that needs it.

    Returns:
        The image, of mode L or RGB.

    Raises:
        TypeError: If it is no Pillow image.
        ValueError: If it has another mode.
    """
    image = pillow_image(sample, step)
    if image.mode not in ('L', 'RGB'):
        raise ValueError(
            f'{step} needs an image that is grey (mode L) or RGB, but got '
            f'mode {image.mode!r}; convert it before, for instance by '
            "color_type='color' in LoadImageFromFile"
        )
    return image
