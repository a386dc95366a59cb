"""The IDX files of MNIST."""

import numpy as np

from mmpaco.files import PathLike, whole_file


def write_idx(path: PathLike, array: np.ndarray) -> None:
    """Write an array of bytes as an IDX file, whole or not at all.

    Args:
        path: File to write.
        array: Array of type uint8.

    Raises:
        TypeError: If the array is of another type.
    """
    if array.dtype != np.uint8:
        raise TypeError(
            'an IDX file of bytes needs an array of type uint8, but got '
            f'{array.dtype}; convert it first'
        )
    # Two zeros, 8 for unsigned bytes, the number of dimensions; then every
    # dimension as a big-endian integer of four bytes.
    header = bytes((0, 0, 8, array.ndim))
    header += np.array(array.shape, dtype='>u4').tobytes()
    with whole_file(path) as part:
        part.write_bytes(header + array.tobytes())
