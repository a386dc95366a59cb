"""Whether files of images and label maps hold what training takes from them.

A decoder may stretch, turn or complete what it reads without a word, and a
model then learns from it.
"""

import io
import struct
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine import fileio
from PIL import Image, UnidentifiedImageError

from mmpaco.files import PathLike

__all__ = [
    'ImageFacts',
    'check_pair',
    'decode_image',
    'load_label_map',
    'read_label_map',
]

_ORIENTATION = 0x0112
_PNG = b'\x89PNG\r\n\x1a\n'
_GREY = 0
_SAVE = 'save class ids, one channel of 8 bits, as PNG'


class ImageFacts(NamedTuple):
    """What a decoded image is like.

    Args:
        size: Height and width as most loaders give them, turned by its EXIF
            orientation.
        orientation: The EXIF orientation, 1 if it is not turned.
    """

    size: tuple[int, int]
    orientation: int


def decode_image(path: PathLike, content: bytes) -> ImageFacts:
    """Decode an image, which must be whole.

    Of the decoders Pillow alone refuses every truncated JPEG: OpenCV before
    version 5 fills the missing part and says nothing.

    Args:
        path: Its file, for messages.
        content (bytes): What is in the file.

    Returns:
        ImageFacts: Size and orientation.

    Raises:
        ValueError: If it cannot be decoded, or not to its end.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(io.BytesIO(content)) as image:
                # First, since loading a TIFF turns it and drops the tag.
                orientation = int(image.getexif().get(_ORIENTATION, 1))
                image.load()
                width, height = image.size
                turns = orientation >= 5 and image.format != 'TIFF'
    except UnidentifiedImageError as error:
        raise ValueError(
            f'{path} cannot be read: it is no image that Pillow knows'
        ) from error
    # Whatever a decoder raises on damaged bytes.
    except Exception as error:
        raise ValueError(f'{path}: {error}') from error
    if not 1 <= orientation <= 8:
        orientation, turns = 1, False
    size = (width, height) if turns else (height, width)
    return ImageFacts(size, orientation)


def check_pair(
    image: PathLike,
    facts: ImageFacts,
    label_map: PathLike,
    size: tuple[int, ...],
) -> None:
    """Check that a label map lies on its image as training loads both.

    Args:
        image: File of the image, for messages.
        facts (ImageFacts): Its size as training loads it, and by which
            orientation that turns it.
        label_map: File of the label map, for messages. It is never turned.
        size (tuple[int, ...]): Height and width of the label map.

    Raises:
        ValueError: If the sizes differ, or the image is turned and the sizes
            cannot tell whether the label map was made for it as it is turned.
    """
    fits = facts.size == tuple(size)
    sides_tell = facts.orientation >= 5 and size[0] != size[1]
    if facts.orientation > 1 and not (fits and sides_tell):
        raise ValueError(
            f'{image} has the EXIF orientation {facts.orientation}, by which '
            f'training turns it to {facts.size}, but not its label map '
            f'{label_map} of {tuple(size)}; save the image without it, as it '
            'lies under the label map, or load it with '
            "color_type='color_ignore_orientation' if that is how it lies"
        )
    if not fits:
        raise ValueError(
            f'{image} is of size {facts.size}, its label map {label_map} of '
            f'{tuple(size)}; they must be equal'
        )


def load_label_map(step: Any, info: dict[str, Any]) -> 'np.ndarray[Any, Any]':
    """Load a label map as training does, and refuse what it would garble.

    Args:
        step: The step of a pipeline that loads label maps.
        info (dict): What the dataset knows of the image.

    Returns:
        np.ndarray: The labels, of shape (H, W).

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it cannot be read, or holds something else than class
            ids; it names the file.
    """
    path = info['seg_map_path']
    try:
        labels = step(info)['gt_seg_map']
    except FileNotFoundError:
        raise
    # Whatever a decoder raises on damaged bytes, mostly without their name.
    except Exception as error:
        raise ValueError(
            f'{path} cannot be read as a label map: {error}'
        ) from error
    _check_labels(path, labels)
    # A step of one's own may well make class ids of other files.
    maker = type(step)._load_seg_map.__module__.partition('.')[0]
    if maker in ('mmcv', 'mmseg'):
        content = fileio.get(path, backend_args=step.backend_args)
        _check_stored(path, content, step.imdecode_backend)
    return np.asarray(labels)


def read_label_map(path: PathLike) -> 'np.ndarray[Any, Any]':
    """Read a label map as the stock pipelines do, and refuse other images.

    Args:
        path: Its file.

    Returns:
        np.ndarray: The labels, uint8 of shape (H, W).

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it cannot be read, or holds something else than class
            ids of 8 bits.
    """
    content = Path(path).read_bytes()
    decode_image(path, content)
    with Image.open(io.BytesIO(content)) as image:
        labels = np.array(image)
    _check_labels(path, labels)
    _check_stored(path, content, 'pillow')
    return labels.astype(np.uint8)


def _check_labels(path: PathLike, labels: Any) -> None:
    if labels.ndim != 2 or labels.dtype.kind not in 'uib':
        raise ValueError(
            f'{path} is read as {labels.dtype} of shape {labels.shape}, '
            'expected one channel of class ids: a label map in colours, or '
            f'with an alpha channel, must be turned into ids; {_SAVE}'
        )


def _check_stored(path: PathLike, content: bytes, backend: str) -> None:
    """Refuse files whose ids change on the way through a stock loader."""
    if content.startswith(_PNG):
        bits, kind = struct.unpack_from('BB', content, 24)
        if kind == _GREY and (
            bits in (2, 4) or (bits == 1 and backend == 'cv2')
        ):
            raise ValueError(
                f'{path} has grey values of {bits} bits, which are stretched '
                f'to 0 to 255 when they are read; {_SAVE}'
            )
    try:
        image = Image.open(io.BytesIO(content))
    except UnidentifiedImageError:
        return
    with image:
        if image.format == 'JPEG':
            raise ValueError(
                f'{path} is a JPEG, which does not keep class ids as they '
                f'are; {_SAVE}'
            )
        if image.mode[0] not in 'IF':
            return
        values = np.asarray(image)
    wrong = values[(values != values.astype(np.uint8))]
    if wrong.size:
        raise ValueError(
            f'{path} holds values such as {wrong.flat[0]}, which do not fit '
            f'into the 8 bits of a label; {_SAVE}'
        )
