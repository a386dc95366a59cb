"""Reads lists of images: text files with a ``path label`` in each line."""

import posixpath
import re
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

import numpy as np
from mmengine import fileio

__all__ = ['ImageList', 'Problem', 'read_image_list']

_LINE_END = re.compile('\r\n?|\n')
_INTEGER = re.compile('-?[0-9]{1,18}')
# Also those of Windows, and URLs.
_ABSOLUTE = re.compile(r'([A-Za-z][A-Za-z0-9+.-]*:)?[/\\]')
# Every path that is absolute, or has a part that is empty, '.' or '..'. Most
# have none, and a million of them are told apart in half a second.
_ODD = re.compile(r'[./\\]|[A-Za-z]:[/\\]|.*/\.{0,2}(?:/|$)')
# Where the number of classes is unknown. A larger label is another number
# that got into the last column, and counting up to it would take all memory.
_MAX_CLASSES = 2**31


class Problem(NamedTuple):
    """What is wrong in a list of images.

    Args:
        kind (str): What problems are grouped by.
        line (int, optional): The line, from 1; None for the whole list.
        text (str): What was found, and what was expected.
    """

    kind: str
    line: Optional[int]
    text: str


@dataclass
class ImageList:
    """The N images of a list whose lines can be used, and the problems.

    Args:
        file (str): Path of the list.
        paths (list[str]): Path of each image, relative to their root.
        labels (np.ndarray): Label of each image, int64 of shape (N, ).
        lines (np.ndarray): Line of each image, from 1, int64 of shape (N, ).
        problems (list[Problem]): What is wrong, in the order of the lines.
    """

    file: str
    paths: list[str]
    labels: 'np.ndarray[Any, Any]'
    lines: 'np.ndarray[Any, Any]'
    problems: list[Problem]

    def located(self, problem: Problem) -> str:
        """Return the text of a problem behind ``file:line``."""
        line = '' if problem.line is None else f':{problem.line}'
        return f'{self.file}{line}: {problem.text}'

    def raise_problems(self, most: int = 5) -> None:
        """Raise if there are problems.

        Args:
            most (int): How many are told. Defaults to 5.

        Raises:
            ValueError: With the first problems, each with file and line.
        """
        if not self.problems:
            return
        told = [self.located(problem) for problem in self.problems[:most]]
        if len(self.problems) > most:
            told.append(f'and {len(self.problems) - most} more')
        raise ValueError(
            'the list of images cannot be used:\n  '
            + '\n  '.join(told)
            + '\nMend it; tools/dataset_converters/check_list.py shows all '
            'problems at once.'
        )


class _LineError(Exception):
    """Carries kind and text of a problem."""


def _read_lines(file: str) -> list[str]:
    try:
        content = fileio.get(file)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'there is no list of images {file!r}; expected a text file with '
            '"relative/path label" in each line. Check its path, in a config '
            'ann_file and data_root'
        ) from error
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode('utf-8')
        raise ValueError(
            f'{file}:{len(_LINE_END.split(before))}: the list is not in '
            'UTF-8; convert it, for example with iconv'
        ) from error
    return _LINE_END.split(text)


def _inside(path: str) -> str:
    """Return a path without parts that are empty, '.' or '..'."""
    if _ABSOLUTE.match(path):
        raise _LineError(
            'absolute path',
            f'the path {path!r} is absolute; make it relative to the root',
        )
    path = posixpath.normpath(path)
    if re.match(r'\.\.(?:[/\\]|$)', path):
        raise _LineError(
            'path out of the root',
            f'the path {path!r} climbs out of the root; choose a root above '
            'all images',
        )
    return path


def _parse(line: str, num_classes: int) -> tuple[str, int]:
    # A path may hold spaces, a label does not: the label is the last field.
    path, *label = line.strip().rsplit(None, 1)
    if not label:
        raise _LineError(
            'line without a label',
            f'{path!r} is one field, expected "relative/path label"',
        )
    if not _INTEGER.fullmatch(label[0]):
        raise _LineError(
            'label that is no integer',
            f'the label {label[0]!r} of {path!r} is no integer',
        )
    value = int(label[0])
    if not 0 <= value < num_classes:
        raise _LineError(
            'label out of range',
            f'the label {value} of {path!r} is out of range, expected 0 to '
            f'{num_classes - 1}',
        )
    return (_inside(path) if _ODD.match(path) else path), value


def _repeated(paths: list[str], lines: list[int]) -> list[Problem]:
    if len(set(paths)) == len(paths):
        return []
    first: dict[str, int] = {}
    return [
        Problem(
            'path listed twice',
            line,
            f'the path {path!r} is in line {first[path]} already',
        )
        for path, line in zip(paths, lines)
        if first.setdefault(path, line) != line
    ]


def _absent_classes(
    labels: 'np.ndarray[Any, Any]', num_classes: int
) -> list[Problem]:
    absent = np.setdiff1d(np.arange(num_classes), labels)
    if not absent.size:
        return []
    named = ', '.join(str(label) for label in absent[:10])
    more = f' and {absent.size - 10} more' if absent.size > 10 else ''
    return [
        Problem(
            'class without images',
            None,
            f'{absent.size} of {num_classes} classes have no image: {named}'
            f'{more}; add images, or correct the number of classes',
        )
    ]


def read_image_list(
    file: str, num_classes: Optional[int] = None, every_class: bool = False
) -> ImageList:
    """Read a list of images, and find what is wrong in it.

    Each line is ``relative/path label``, with labels from 0. Repaired without
    a word: a byte order mark, any mixture of line ends, blank lines, white
    space around the fields, and ``./``, ``//`` or ``folder/../`` in a path.

    Args:
        file (str): Path of the list.
        num_classes (int, optional): The class count C. Defaults to None: the
            labels have no upper limit.
        every_class (bool): Whether a class without images is a problem, if
            the class count is given. Defaults to False.

    Returns:
        ImageList: The images of all lines but those with problems.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not text in UTF-8, or ``num_classes`` is not
            positive.
    """
    if num_classes is not None and num_classes < 1:
        raise ValueError(
            f'num_classes must be at least 1, but got {num_classes}'
        )
    limit = _MAX_CLASSES if num_classes is None else num_classes
    paths, labels, lines = [], [], []
    problems = []
    for number, line in enumerate(_read_lines(file), 1):
        if not line or line.isspace():
            continue
        try:
            path, label = _parse(line, limit)
        except _LineError as error:
            kind, text = error.args
            problems.append(Problem(kind, number, text))
            continue
        paths.append(path)
        labels.append(label)
        lines.append(number)
    problems += _repeated(paths, lines)
    problems.sort(key=lambda problem: problem.line or 0)
    found = np.array(labels, dtype=np.int64)
    if not paths and not problems:
        problems.append(Problem('empty list', None, 'the list names no image'))
    elif every_class and num_classes is not None:
        problems += _absent_classes(found, num_classes)
    return ImageList(
        file, paths, found, np.array(lines, dtype=np.int64), problems
    )
