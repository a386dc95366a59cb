"""Which checkpoints of a run are whole."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Optional

from mmpaco.files import PathLike, open_archive

NOTE = 'last_checkpoint'
_TEMPLATES = ('epoch_{}.pth', 'iter_{}.pth')


def is_whole(path: PathLike) -> bool:
    """Tell whether what ``torch.save`` wrote to a file is all there.

    The whole file is read: a power cut can leave zeros in its middle.

    Args:
        path (str | PathLike): The file.

    Returns:
        bool: Whether each part of it has its checksum.
    """
    try:
        with open(path, 'rb') as file, open_archive(file) as archive:
            return bool(archive.namelist()) and archive.testzip() is None
    # What is raised depends on where the damage is.
    except Exception:
        return False


def noted_checkpoint(work_dir: PathLike) -> Optional[str]:
    """Read which checkpoint mmengine wrote last.

    Args:
        work_dir (str | PathLike): The work directory.

    Returns:
        str | None: The path as it is noted; empty if the note cannot be read
        or names nothing; None if there is no note.
    """
    try:
        text = (Path(work_dir) / NOTE).read_bytes().decode().strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        return ''
    return text if text.isprintable() else ''


class Names:
    """The names that the checkpoints of a run may have.

    Args:
        noted (str, optional): From :func:`noted_checkpoint`: one like it,
            with another number, is one, too.
        templates (Iterable[str]): Those of the run, as ``'epoch_{}.pth'``;
            mmengine's own are added.
    """

    def __init__(
        self, noted: Optional[str], templates: Iterable[str] = ()
    ) -> None:
        name = Path(noted or '').name
        # The last number of a name counts epochs or iterations. A note that
        # was cut names a folder, which has no suffix.
        theirs = re.sub(r'\d+(?!.*\d)', '{}', name) if '.' in name else ''
        known = dict.fromkeys((*templates, *_TEMPLATES, theirs))
        self.templates = [x for x in known if '{' in x]
        self._patterns = [
            re.compile(
                r'[ _]*(\d[\d,_]*)'.join(
                    map(re.escape, re.split(r'\{[^{}]*\}', template))
                )
            )
            for template in self.templates
        ]
        #: The number of the noted one, if it is one.
        self.noted = self.number(name)

    def number(self, name: str) -> Optional[int]:
        """Give the epoch or iteration that a name tells.

        Args:
            name (str): Name of a file.

        Returns:
            int | None: The number; None if it names no checkpoint.
        """
        for pattern in self._patterns:
            found = pattern.fullmatch(name)
            if found is not None and found.groups():
                return int(re.sub('[,_]', '', found[1]))
        return None


class _Found(NamedTuple):
    path: Path
    number: int
    time: int


def find_checkpoints(folder: PathLike, names: Names) -> list[Path]:
    """Find the checkpoints of a run, the one to resume from first.

    That is the one of the highest number that is not above that of the note:
    files that were copied have any time, and those of a longer run before it
    any number. Else it is the one that was written last.

    Args:
        folder (str | PathLike): Where to look. What cannot be read is not
            seen.
        names (Names): Their names.

    Returns:
        list[Path]: The files.
    """

    def rank(found: _Found) -> tuple[int, int, int]:
        if names.noted is not None and found.number <= names.noted:
            return 1, found.number, found.time
        return 0, found.time, found.number

    return [
        found.path for found in sorted(_scan(folder, names), key=rank)[::-1]
    ]


def _scan(folder: PathLike, names: Names) -> Iterator[_Found]:
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            number = names.number(entry.name)
            with contextlib.suppress(OSError):
                if number is not None and entry.is_file():
                    yield _Found(
                        Path(entry.path), number, entry.stat().st_mtime_ns
                    )


def newest_whole(
    folders: Iterable[PathLike], names: Names
) -> tuple[Optional[Path], int]:
    """Find the checkpoint to resume from in the first folder that has one.

    Args:
        folders (Iterable[str | PathLike]): Where to look.
        names (Names): The names of the run's checkpoints.

    Returns:
        tuple[Path | None, int]: The checkpoint, if one is whole, and how many
        files of such names were looked at.
    """
    looked = 0
    for folder in dict.fromkeys(map(os.path.abspath, folders)):
        for path in find_checkpoints(folder, names):
            looked += 1
            if is_whole(path):
                return path, looked
    return None, looked
