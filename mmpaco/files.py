"""Files that are there whole or not at all, and how to tell."""

import contextlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Union

PathLike = Union[str, 'os.PathLike[str]']


@contextlib.contextmanager
def whole_file(path: PathLike) -> Iterator[Path]:
    """Replace a file once its successor is complete.

    Args:
        path: The file; its folder is made if it is not there.

    Yields:
        Path: Where to write. If the block fails, that is removed, and the
        file stays as it was.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + '.part')
    try:
        yield part
        # Else a power cut may leave the new name and none of the content.
        with part.open('r+b') as written:
            os.fsync(written.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def check_apart(target: PathLike, *sources: PathLike) -> None:
    """Refuse to write over what is read.

    Args:
        target: The file to be written.
        *sources: Files that are read, by any of their names.

    Raises:
        ValueError: If the target is one of them.
    """
    for source in sources:
        there = os.path.exists(target) and os.path.exists(source)
        if there and os.path.samefile(target, source):
            raise ValueError(
                f'{target} would overwrite {source}, from which it is made; '
                'name another file'
            )


def check_writable(path: PathLike) -> None:
    """Refuse, before the work for it is done, a file that cannot be written.

    Args:
        path: The file to be written; its folder may be made then.

    Raises:
        IsADirectoryError: If it is a folder.
        NotADirectoryError: If its folder cannot be one.
        PermissionError: If its folder, or the one to make it in, takes no
            file.
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(
            f'{target} is a folder; name the file to write'
        )
    folder = target.absolute().parent
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(
            f'{target} cannot be written: {folder} is no folder'
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(
            f'{target} cannot be written: {folder} takes no file'
        )


def write_text(path: PathLike, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all.

    Args:
        path: The file.
        text: Its content.
    """
    with whole_file(path) as part:
        part.write_text(text, encoding='utf-8')


def open_archive(file: BinaryIO) -> zipfile.ZipFile:
    """Open what ``torch.save`` wrote.

    Args:
        file (BinaryIO): The file.

    Returns:
        ZipFile: The archive, whose parts are checked when they are read.

    Raises:
        BadZipFile: If it is none.
    """
    archive = zipfile.ZipFile(file)
    entries = archive.infolist()
    if not any(entry.CRC for entry in entries):
        # torch.serialization.set_crc32_options(False) writes no checksums.
        for entry in entries:
            del entry.CRC
    return archive
