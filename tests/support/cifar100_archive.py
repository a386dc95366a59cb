"""Files in the layout of cifar-100-python.tar.gz, with images of our own."""

import hashlib
import struct

import numpy as np
from mmpretrain.datasets import CIFAR100

# Few, to be quick: the draw is of the others.
TESTED = 2


def string(text):
    """As Python 2 pickles its str, which are bytes today."""
    if len(text) < 256:
        return b'U' + bytes([len(text)]) + text
    return b'T' + struct.pack('<i', len(text)) + text


def write_python2(path, images, names, labels):
    """Write what Python 2 made of a dict with an array of numpy 1."""
    head = [b'\x80\x02}(']
    head += [string(b'filenames'), b'(', *map(string, names), b'l']
    head += [string(b'fine_labels'), b'(']
    head += [b'K' + bytes([label]) for label in labels]
    head += [b'l', string(b'data'), b'cnumpy.core.multiarray\n_reconstruct\n']
    head += [b'(cnumpy\nndarray\nK\x00\x85', string(b'b'), b'tR(K\x01']
    head += [b'J' + struct.pack('<i', size) for size in images.shape]
    head += [b'\x86cnumpy\ndtype\n(', string(b'u1'), b'K\x00K\x01tR(K\x03']
    head += [string(b'|'), b'NNN', 2 * (b'J' + struct.pack('<i', -1))]
    head += [b'K\x00tb\x89T', struct.pack('<i', images.nbytes)]
    with path.open('wb') as file:
        file.write(b''.join(head))
        images.tofile(file)
        file.write(b'tbu.')


def name_of(label, place):
    """Names sort by their place, but not by the length of the first word."""
    word = ('bos_taurus', 'cow', 'kine_s')[place // 200]
    return f'{word}_s_{place:06}_{label}.png'


def pixels_of(number):
    """An image that no other number has, with other colours and no symmetry.

    uint8 of shape (3, 32, 32).
    """
    image = np.arange(3 * 32 * 32).reshape(3, 32, 32) // 7 % 256
    image[:, 0, 0] = number % 256, number // 256 % 256, number // 65536
    return image.astype(np.uint8)


def number_of(label, place):
    return 500 * label + place


def write_split(path, numbers):
    images = np.tile(pixels_of(0).reshape(-1), (len(numbers), 1))
    for channel in range(3):
        images[:, 1024 * channel] = numbers >> 8 * channel & 255
    pairs = [divmod(number, 500) for number in numbers.tolist()]
    names = [name_of(*pair).encode() for pair in pairs]
    write_python2(path, images, names, [label for label, _ in pairs])


def write_archive(folder, patch, classes):
    """Write both files in no order, and let their MD5 be the known ones."""
    folder.mkdir()
    tested = 500 * np.arange(classes)[:, None] + np.arange(TESTED)
    numbers = dict(train=np.arange(500 * classes), test=tested.reshape(-1))
    for name in numbers:
        path = folder / name
        write_split(path, np.random.RandomState(5).permutation(numbers[name]))
        digest = hashlib.md5(path.read_bytes()).hexdigest()
        patch.setattr(CIFAR100, f'{name}_list', [[name, digest]])
    return folder
