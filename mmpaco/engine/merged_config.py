"""An error that says what a config lacks that was merged into its base."""

import contextlib
from collections.abc import Iterator

# For messages that find something of the base in place of what was meant.
DELETE_BASE = (
    'mmengine merges a dict into that of the base config; to replace it, '
    'write {key}=dict(_delete_=True, type={type!r}, ...)'
)


@contextlib.contextmanager
def merged_config(key: str, kind: str) -> Iterator[None]:
    """Around the building of what a config's dict describes.

    Args:
        key (str): The key of the dict.
        kind (str): The type that it names, or should name.

    Raises:
        TypeError: With what to write, for an argument that is not known.
    """
    try:
        yield
    except TypeError as error:
        if 'unexpected keyword argument' not in str(error):
            raise
        told = DELETE_BASE.format(key=key, type=kind)
        raise TypeError(f'{error}; {told}') from error
