"""Checks a list of images, and that each image decodes."""

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import mmcv
import numpy as np
from rich.console import Console
from rich.progress import track

from mmpaco.cls.datasets.image_list_reader import (
    ImageList,
    Problem,
    read_image_list,
)
from mmpaco.engine.image_files import decode_image
from mmpaco.files import PathLike
from mmpaco.runner.processes import map_in_processes

__all__ = ['ListReport', 'check_image_list']

_MISSING = 'missing image'
_DAMAGED = 'image that cannot be decoded'


@dataclass
class ListReport:
    """What was found in a list of images.

    Args:
        listed (ImageList): The list with all problems, also of the images.
        classes (np.ndarray): Labels of the C classes, int64 of shape (C, ).
        counts (np.ndarray): Images of each class, int64 of shape (C, ).
    """

    listed: ImageList
    classes: 'np.ndarray[Any, Any]'
    counts: 'np.ndarray[Any, Any]'

    def __str__(self) -> str:
        return '\n'.join([*self._problems(), *self._summary()])

    def _problems(self) -> Iterator[str]:
        groups: dict[str, list[Problem]] = {}
        for problem in self.listed.problems:
            groups.setdefault(problem.kind, []).append(problem)
        for kind, problems in groups.items():
            yield f'{kind} ({len(problems)})'
            for problem in problems:
                yield f'  {self.listed.located(problem)}'
            yield ''

    def _summary(self) -> Iterator[str]:
        yield f'images           {len(self.listed.paths)}'
        yield f'classes          {len(self.classes)}'
        if len(self.classes):
            for name, place in (
                ('largest', self.counts.argmax()),
                ('smallest', self.counts.argmin()),
            ):
                yield (
                    f'{name + " class":16} {self.classes[place]} with '
                    f'{self.counts[place]} images'
                )
            if self.counts.min():
                factor = self.counts.max() / self.counts.min()
                yield f'imbalance factor {factor:.4g}'
        yield f'problems         {len(self.listed.problems)}'


def _image_problem(path: str) -> Optional[tuple[str, str]]:
    """Return kind and text of what is wrong with an image, if anything."""
    try:
        decode_image(path, Path(path).read_bytes())
        # What mmcv's LoadImageFromFile does. It knows fewer formats.
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            if mmcv.imread(path) is None:
                return _DAMAGED, f'{path}: OpenCV cannot decode it'
    except FileNotFoundError:
        return _MISSING, f'there is no {path}'
    # Whatever a decoder raises on damaged bytes.
    except Exception as error:
        text = str(error) if path in str(error) else f'{path}: {error}'
        return _DAMAGED, text
    return None


def _check_images(
    listed: ImageList, root: Path, nproc: Optional[int]
) -> list[Problem]:
    paths = [str(root / path) for path in listed.paths]
    found = track(
        map_in_processes(_image_problem, paths, nproc, chunksize=16),
        'Images:',
        total=len(paths),
        # Apart from the report, which may go to a file.
        console=Console(stderr=True),
    )
    problems = [
        Problem(wrong[0], line, wrong[1])
        for wrong, line in zip(found, listed.lines.tolist())
        if wrong
    ]
    missing = sum(problem.kind == _MISSING for problem in problems)
    if missing == len(paths) > 1:
        return [
            Problem(
                _MISSING,
                None,
                f'none of the images is there, the first would be {paths[0]}; '
                'give the root from which the paths start',
            )
        ]
    return problems


def check_image_list(
    file: PathLike,
    root: PathLike,
    num_classes: Optional[int] = None,
    nproc: Optional[int] = None,
) -> ListReport:
    """Check a list of images, and that each image decodes.

    Args:
        file: The list, see :func:`read_image_list`.
        root: Folder from which the paths of the list start.
        num_classes (int, optional): The class count. Every class then needs
            an image. Defaults to None: classes are the labels that occur.
        nproc (int, optional): Processes. Defaults to the number of cores.

    Returns:
        ListReport: All problems, and the images of each class.

    Raises:
        FileNotFoundError: If the list or the root is missing.
        ValueError: If the list is not text in UTF-8, or ``num_classes`` or
            ``nproc`` is not positive.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(
            f'{root} is not a folder; give the one from which the paths of '
            'the list start'
        )
    listed = read_image_list(os.fspath(file), num_classes, every_class=True)
    if listed.paths:
        listed.problems += _check_images(listed, root, nproc)
    if num_classes is None:
        classes, counts = np.unique(listed.labels, return_counts=True)
    else:
        classes = np.arange(num_classes)
        counts = np.bincount(listed.labels, minlength=num_classes)
    return ListReport(listed, classes, counts)
