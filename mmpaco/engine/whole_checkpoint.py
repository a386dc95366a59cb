"""Which checkpoints of a run are whole."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Optional

from mmpaco.files import PathLike

from .saved_file import open_archive

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


def templates_of(noted: Optional[str], *templates: str) -> list[str]:
    """Give the templates by which a run may have named its checkpoints.

    Args:
        noted (str, optional): From :func:`noted_checkpoint`.
        *templates (str): Those of its hooks, as in ``'epoch_{}.pth'``.

    Returns:
        list[str]: Those, mmengine's own, and that of the noted file.
    """
    # The last number of a name counts epochs or iterations.
    theirs = re.sub(r'\d+(?!.*\d)', '{}', Path(noted or '').name)
    known = dict.fromkeys((*templates, *_TEMPLATES, theirs))
    return [template for template in known if '{' in template]


def newest_whole(
    folders: Iterable[PathLike], templates: Iterable[str]
) -> tuple[Optional[Path], list[Path]]:
    """Find the checkpoint that was written last and is whole.

    Args:
        folders (Iterable[str | PathLike]): Where to look.
        templates (Iterable[str]): As from :func:`templates_of`.

    Returns:
        tuple[Path | None, list[Path]]: The checkpoint, if there is one, and
        all files of such names, the last one first.
    """
    patterns = [
        re.compile(
            r'[ _]*\d[\d,_]*'.join(
                map(re.escape, re.split(r'\{[^{}]*\}', template))
            )
        )
        for template in templates
    ]
    times = {
        Path(entry.path): entry.stat().st_mtime_ns
        for folder in dict.fromkeys(map(os.path.abspath, folders))
        if os.path.isdir(folder)
        for entry in os.scandir(folder)
        if entry.is_file()
        and any(pattern.fullmatch(entry.name) for pattern in patterns)
    }

    def age(path: Path) -> tuple[int, int]:
        return times[path], int(re.findall(r'\d+', path.stem)[-1])

    found = sorted(times, key=age, reverse=True)
    return next(filter(is_whole, found), None), found
