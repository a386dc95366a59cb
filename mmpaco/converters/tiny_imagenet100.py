"""Long-tailed lists of 100 classes of Tiny-ImageNet."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mmpaco.cls.datasets.tail_counts import long_tailed_counts
from mmpaco.files import PathLike, write_text

__all__ = ['write_tiny_imagenet100']

# Synsets from the head class to the last one, without their leading n.
_SYNSETS = """
02423022 04560804 01698640 03584254 04259630 07747607 02124075 04149813
03447447 07871810 03424325 07720875 04356056 02099601 01917289 02669723
02279972 02395406 02793495 01945685 02977058 03837869 01768244 04099969
03026506 03160309 01882714 09428293 04465501 04275548 03770439 04398044
07615774 03992509 03388043 02480495 02165456 03617480 03854065 04251144
01641577 03804744 02950826 02927161 01774384 02123045 02129165 02909870
02843684 01784675 07711569 03733131 01443537 02802426 02486410 03255030
02058221 02814533 02321529 03400231 02002724 02730930 03976657 03649909
04371430 04532670 02788148 04507155 02106662 07583066 02206856 02509815
03201208 09193705 09256479 04023962 02231487 07753592 04133789 04311004
02410509 02837789 04417672 03085013 02892201 03937543 03670208 02085620
06596364 04070727 04596742 02815834 02236044 04487081 01983481 07875152
03980874 03902125 03100240 02999410
""".split()
_CLASSES = [f'n{number}' for number in _SYNSETS]
_PER_CLASS = 500
_VALIDATION = 50
_IMBALANCES = (10, 50, 100)
_ANNOTATIONS = 'val/val_annotations.txt'


def _check_images(folder: Path, names: list[str]) -> None:
    missing = sorted(set(names) - {path.name for path in folder.glob('*')})
    if missing:
        raise FileNotFoundError(
            f'{folder} lacks {len(missing)} of {len(names)} images, such as '
            f'{missing[0]}; unpack the whole of tiny-imagenet-200.zip'
        )


def _drawn(source: Path) -> Iterator[list[str]]:
    """Paths of the training images of each class, in the order drawn."""
    random = np.random.RandomState(1)
    for synset in _CLASSES:
        # The order of the draw is that of the names: _0, _1, _10, _100, ...
        names = sorted(f'{synset}_{i}.JPEG' for i in range(_PER_CLASS))
        folder = Path('train', synset, 'images')
        _check_images(source / folder, names)
        order = random.permutation(_PER_CLASS)
        yield [f'{folder.as_posix()}/{names[i]}' for i in order]


def _test_lines(source: Path) -> list[str]:
    path = source / _ANNOTATIONS
    if not path.is_file():
        raise FileNotFoundError(
            f'there is no {path}; give the folder tiny-imagenet-200 itself, '
            'unpacked from tiny-imagenet-200.zip'
        )
    lines = []
    for line in path.read_text(encoding='utf-8').splitlines():
        name, synset = (line.split('\t') + [''])[:2]
        if synset in _CLASSES:
            lines.append(f'val/images/{name} {_CLASSES.index(synset)}')
    if len(lines) != len(_CLASSES) * _VALIDATION:
        raise ValueError(
            f'{path} has {len(lines)} images of the 100 classes, expected '
            f'{len(_CLASSES) * _VALIDATION}; unpack tiny-imagenet-200.zip '
            'again'
        )
    names = [line.split()[0].rpartition('/')[2] for line in lines]
    _check_images(source / 'val/images', names)
    return lines


def _link(folder: Path, target: Path) -> None:
    if target.exists() and target.samefile(folder):
        return
    if target.is_symlink():
        target.unlink()
    elif target.exists():
        raise FileExistsError(
            f'{target} is there, and is not {folder}; give an empty --out'
        )
    target.symlink_to(folder.resolve(), target_is_directory=True)


def write_tiny_imagenet100(source: PathLike, out: PathLike) -> dict[str, int]:
    """Write the lists that the ``*_tiny-imagenet100-lt`` configs read.

    Of each of 100 classes of Tiny-ImageNet, 50 of the 500 training images
    are to validate, and of the others the head class keeps 450 and the last
    one 450 over the imbalance to train. The 50 validation images of each
    class are to test. Which ones is the same in each call.

    Args:
        source: Folder ``tiny-imagenet-200``, unpacked from its archive.
        out: Folder to write to, which gets links to the images of ``source``.

    Returns:
        Images of each list, by its name.

    Raises:
        FileNotFoundError: If images or the annotations are missing.
        ValueError: If the annotations are not those of Tiny-ImageNet.
        FileExistsError: If ``out`` has other folders of the same names.
    """
    source, out = Path(source), Path(out)
    test = _test_lines(source)
    drawn = [
        [f'{path} {label}' for path in paths]
        for label, paths in enumerate(_drawn(source))
    ]
    lists = {'test': test, 'val': []}
    for lines in drawn:
        lists['val'] += lines[:_VALIDATION]
    largest = _PER_CLASS - _VALIDATION
    for factor in _IMBALANCES:
        counts = long_tailed_counts(largest, len(_CLASSES), 'exp', factor)
        lists[f'train_if{factor}'] = [
            line
            for lines, count in zip(drawn, counts)
            for line in lines[_VALIDATION : _VALIDATION + count]
        ]
    out.mkdir(parents=True, exist_ok=True)
    for name in ('train', 'val'):
        _link(source / name, out / name)
    for name, lines in lists.items():
        write_text(out / f'{name}.txt', '\n'.join(lines) + '\n')
    return {f'{name}.txt': len(lines) for name, lines in lists.items()}
