"""One comparison at a time in a directory."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from mmpaco.files import PathLike

__all__ = ['alone_in']


@contextlib.contextmanager
def alone_in(folder: PathLike) -> Iterator[None]:
    """Keep other comparisons out of a directory, while this one is in it.

    The system takes the lock away from a process that has ended, however it
    ended. Windows, and file systems that have no locks, keep nobody out.

    Args:
        folder: The directory, which is made if it is not there.

    Raises:
        NotADirectoryError: If it is a file.
        RuntimeError: If another comparison is in it.
    """
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise NotADirectoryError(
            errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place)
        )
    place.mkdir(parents=True, exist_ok=True)
    with open(place / 'lock', 'a', encoding='utf-8') as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(
                f'another comparison is at work in {place}; wait for its end '
                'or give another work directory'
            ) from None
        except (ImportError, OSError):
            pass
        yield
