"""CamVid in the split of SegNet: how its folder is made."""

import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.progress import track

from mmpaco.files import PathLike, whole_file

__all__ = ['convert_camvid']

_VOID = 11
_IGNORE = 255
# Images of SegNet's split, whose test part is not needed for training.
_COUNTS = {'train': 367, 'val': 101}


def _files(folder: Path, suffix: str) -> dict[str, Path]:
    if not folder.is_dir():
        raise FileNotFoundError(
            f'{folder} is not a folder; expected images/{{train,val}} with '
            'JPEG images and annotations/{train,val} with PNG masks of the '
            'same names'
        )
    return {path.stem: path for path in sorted(folder.glob(f'*{suffix}'))}


def _pairs(source: Path, split: str) -> list[tuple[Path, Path]]:
    images = _files(source / 'images' / split, '.jpg')
    masks = _files(source / 'annotations' / split, '.png')
    alone = sorted(set(images) ^ set(masks))
    if alone or not images:
        raise ValueError(
            f'{source} has {len(images)} images and {len(masks)} masks in '
            f'{split}, of which these have no partner: {alone[:5]}; every '
            'images/*.jpg needs annotations/*.png of the same name'
        )
    return [(images[stem], masks[stem]) for stem in images]


def _read(path: Path) -> 'np.ndarray[Any, Any]':
    array = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise ValueError(
            f'{path} cannot be read as an image; get the file again'
        )
    return array


def _convert_mask(path: Path) -> 'np.ndarray[Any, Any]':
    mask = _read(path)
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(
            f'{path} is of shape {mask.shape} and type {mask.dtype}, '
            'expected one channel of class ids, uint8; colour masks must be '
            'turned into ids first'
        )
    wrong = np.setdiff1d(mask, [*range(_VOID + 1), _IGNORE])
    if wrong.size:
        raise ValueError(
            f'{path} holds the ids {wrong.tolist()}, expected 0 to 10 for '
            'the classes and 11 or 255 for void; map other ids first'
        )
    mask[mask == _VOID] = _IGNORE
    return mask


def _put_image(image: Path, target: Path) -> None:
    if target.exists() and target.samefile(image):
        return
    # A link that points nowhere any more does not exist, but is in the way.
    target.unlink(missing_ok=True)
    target.symlink_to(image.resolve())


def _put_mask(mask: 'np.ndarray[Any, Any]', target: Path) -> None:
    if target.exists():
        there = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
        if there is not None and np.array_equal(there, mask):
            return
    with whole_file(target) as part:
        part.write_bytes(cv2.imencode('.png', mask)[1].tobytes())


def convert_camvid(
    source: PathLike, out: PathLike
) -> dict[str, 'np.ndarray[Any, Any]']:
    """Write CamVid as ``mmpaco.CamVidDataset`` reads it, and check it.

    Both folders hold ``images/{train,val}/NAME.jpg`` and
    ``annotations/{train,val}/NAME.png``. In the masks written, void is 255;
    the images are links. What is there already and right is left alone. A
    warning tells if the number of images is not that of SegNet's split.

    Args:
        source: Folder with the masks of SegNet, where void is 11.
        out: Folder to write to.

    Returns:
        Pixels of each class, and of void in the last place, by split.

    Raises:
        FileNotFoundError: If a folder of the source is missing.
        ValueError: If images and masks do not pair, their sizes differ, a
            mask holds an unknown id, or ``out`` is the source or
            holds files that the source has not.
    """
    source, out = Path(source), Path(out)
    if source.resolve() == out.resolve():
        raise ValueError(
            f'the source and the output are both {out}; give another --out'
        )
    splits = {split: _pairs(source, split) for split in _COUNTS}
    for split, pairs in splits.items():
        if len(pairs) != _COUNTS[split]:
            warnings.warn(
                f'{source} has {len(pairs)} images in {split}, expected '
                f"{_COUNTS[split]} as in SegNet's split; scores will not "
                'compare with those of the whole set',
                stacklevel=2,
            )
        for kind, suffix in (('images', '.jpg'), ('annotations', '.png')):
            folder = out / kind / split
            folder.mkdir(parents=True, exist_ok=True)
            strange = set(_files(folder, suffix)) - {
                image.stem for image, _ in pairs
            }
            if strange:
                raise ValueError(
                    f'{folder} holds files that {source} has not: '
                    f'{sorted(strange)[:5]}; give an empty --out'
                )

    pixels = {}
    for split, pairs in splits.items():
        histogram = np.zeros(256, dtype=np.int64)
        for image, mask_path in track(pairs, f'{split}:'):
            mask = _convert_mask(mask_path)
            size = _read(image).shape[:2]
            if size != mask.shape:
                raise ValueError(
                    f'{image} is of size {size}, its mask {mask_path} of '
                    f'{mask.shape}; they must be equal'
                )
            _put_image(image, out / 'images' / split / image.name)
            _put_mask(mask, out / 'annotations' / split / mask_path.name)
            histogram += np.bincount(mask.ravel(), minlength=256)
        pixels[split] = np.append(histogram[:_VOID], histogram[_IGNORE])
    return pixels
