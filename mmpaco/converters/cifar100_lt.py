"""Long-tailed lists of CIFAR-100 that leave images to validate."""

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Optional

import numpy as np
from mmpretrain.datasets import CIFAR100
from PIL import Image

from mmpaco.cls.datasets.tail_counts import long_tailed_counts
from mmpaco.files import PathLike, write_text

__all__ = ['write_cifar100_lt']

_CLASSES: tuple[str, ...] = tuple(CIFAR100.METAINFO['classes'])
_PER_CLASS = 500
_VALIDATION = 20
_IMBALANCES = (10, 50, 100)


def _read(source: Path, name: str, md5: str) -> list[dict[str, np.ndarray]]:
    """Images of each class by their paths, uint8 of shape (32, 32, 3)."""
    path = source / name
    if not path.is_file():
        raise FileNotFoundError(
            f'there is no {path}; give the folder {CIFAR100.base_folder} '
            f'itself, unpacked from {CIFAR100.filename}'
        )
    content = path.read_bytes()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise ValueError(
            f'{path} is not that of CIFAR-100: its MD5 is {found}, expected '
            f'{md5}. It was cut short or changed, or is of another set; '
            f'unpack {CIFAR100.filename} again'
        )
    # A pickle may run code, but this one is known to the last bit.
    data = pickle.loads(content, encoding='bytes')
    images = data[b'data'].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    classes: list[dict[str, np.ndarray]] = [{} for _ in _CLASSES]
    for file, label, image in zip(
        data[b'filenames'], data[b'fine_labels'], images
    ):
        classes[label][f'{name}/{_CLASSES[label]}/{file.decode()}'] = image
    return classes


def _lists(
    train: list[dict[str, np.ndarray]], test: list[dict[str, np.ndarray]]
) -> dict[str, list[str]]:
    """Lines of each list; labels are those of the classes' order."""
    random = Random(0)
    drawn = [sorted(images) for images in train]
    for paths in drawn:
        random.shuffle(paths)
    counts = {
        factor: long_tailed_counts(_PER_CLASS, len(_CLASSES), 'exp', factor)
        for factor in _IMBALANCES
    }
    # Of what no list trains on, from the other end of the draw.
    first = np.maximum(counts[min(_IMBALANCES)], _PER_CLASS - _VALIDATION)
    chosen = {
        f'train_if{factor}': [
            paths[:count] for paths, count in zip(drawn, counts[factor])
        ]
        for factor in _IMBALANCES
    }
    chosen['val'] = [paths[start:] for paths, start in zip(drawn, first)]
    chosen['test'] = [sorted(images) for images in test]
    return {
        name: [
            f'{path} {label}'
            for label, paths in enumerate(classes)
            for path in paths
        ]
        for name, classes in chosen.items()
    }


def _pixels(path: Path) -> Optional[np.ndarray]:
    """What an image shows, or None if it is not there as a whole."""
    try:
        with Image.open(path) as image:
            return np.asarray(image)
    # What was cut short by an end of the disk or of the process, too. Of a
    # PNG whose bytes are others, Pillow raises the latter two.
    except (OSError, SyntaxError, ValueError):
        return None


def _lacking(
    out: Path, texts: Mapping[str, str], images: Mapping[str, np.ndarray]
) -> list[str]:
    """Paths of the images to write; other content is left alone."""
    others = 'is there, and is another; give an empty --out'
    for name, text in texts.items():
        path = out / name
        if path.exists() and path.read_text('utf-8', 'replace') != text:
            raise FileExistsError(f'{path} {others}')
    lacking = []
    for name, image in images.items():
        found = _pixels(out / name)
        if found is None:
            lacking.append(name)
        elif not np.array_equal(found, image):
            raise FileExistsError(f'{out / name} {others}')
    return lacking


def write_cifar100_lt(source: PathLike, out: PathLike) -> dict[str, int]:
    """Write CIFAR-100-LT as lists and images, some of them to validate.

    Of each class 500 / factor ** (class / 99) images are to train, at
    imbalance 10, 50 and 100, and up to 20 of those that no list trains on
    are to validate. Which ones is the same in each call; it is not the draw
    of ``mmpaco.CIFAR100LT``. The images that a list names are written as PNG,
    without loss; those that are there already are left as they are.

    Args:
        source: Folder ``cifar-100-python``, unpacked from its archive.
        out: Folder to write to.

    Returns:
        Images of each list, by its name.

    Raises:
        FileNotFoundError: If a file of the archive is missing.
        ValueError: If one is not that of CIFAR-100.
        FileExistsError: If ``out`` has other lists or images of the same
            names.
    """
    source, out = Path(source), Path(out)
    train, test = (
        _read(source, *known)
        for (known,) in (CIFAR100.train_list, CIFAR100.test_list)
    )
    lists = _lists(train, test)
    texts = {
        f'{name}.txt': '\n'.join(lines) + '\n'
        for name, lines in {**lists, 'classes': _CLASSES}.items()
    }
    images: dict[str, np.ndarray] = {}
    for part in (*train, *test):
        images.update(part)
    listed = {
        path: images[path]
        for lines in lists.values()
        for path, _ in map(str.split, lines)
    }
    for path in _lacking(out, texts, listed):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(listed[path]).save(out / path)
    for name, text in texts.items():
        write_text(out / name, text)
    return {f'{name}.txt': len(lines) for name, lines in lists.items()}
