"""Class counts through real datasets and wrappers."""

import numpy as np
import pytest
from support.scope import enter_scope
from torch.utils.data import Subset

from mmpaco.engine.class_counts import count_labels, dataset_labels


@pytest.fixture(scope='module')
def mnist(mnist5k):
    from mmpretrain.datasets import MNIST

    enter_scope('mmpretrain')
    return MNIST(data_root=mnist5k, download=False)


def test_counts_of_a_dataset(mnist):
    assert count_labels(mnist).tolist() == [400] * 10


def test_classes_without_images_are_counted_as_zero(mnist):
    first = mnist.get_subset([0])
    counts = count_labels(first)
    assert len(counts) == 10 and counts.sum() == 1
    assert len(count_labels(first, 12)) == 12


def test_repeating_wrapper_counts_as_its_dataset(mnist):
    from mmengine.dataset import ClassBalancedDataset, RepeatDataset

    for wrapper in (
        RepeatDataset(mnist, times=3),
        ClassBalancedDataset(mnist, oversample_thr=0.5),
    ):
        assert count_labels(wrapper).tolist() == [400] * 10


def test_concatenation_and_subsets(mnist):
    from mmengine.dataset import ConcatDataset
    from mmpretrain.datasets import KFoldDataset

    both = ConcatDataset([mnist, mnist.get_subset(list(range(100)))])
    assert count_labels(both).sum() == 4100
    indices = [5, 3, 1700]
    labels = dataset_labels(Subset(mnist, indices))
    assert labels.tolist() == mnist.get_gt_labels()[indices].tolist()
    fold = KFoldDataset(
        dict(type='MNIST', data_root=mnist.data_root, download=False),
        fold=0,
        num_splits=4,
    )
    assert count_labels(fold).sum() == 3000


class Labels:
    """The least that a user's own dataset needs."""

    def __init__(self, labels):
        self.labels = labels

    def get_gt_labels(self):
        return self.labels


@pytest.mark.parametrize(
    'labels, num_classes, error, message',
    (
        ([], None, ValueError, 'empty'),
        ([0, 3], 3, ValueError, r'\[0, 3\)'),
        ([0, -1], 3, ValueError, '-1'),
        ([0.5, 1.0], 3, TypeError, 'integer label'),
        ([[0, 1], [1, 0]], 3, TypeError, 'integer label'),
    ),
)
def test_labels_that_cannot_be_counted(labels, num_classes, error, message):
    with pytest.raises(error, match=message):
        count_labels(Labels(labels), num_classes)


def test_dataset_without_labels_says_what_is_expected():
    with pytest.raises(TypeError, match='get_gt_labels'):
        count_labels(Subset([1, 2, 3], [0]))
    assert np.array_equal(count_labels(Labels([0, 2, 2])), [1, 0, 2])


@pytest.mark.parametrize(
    'labels', (lambda i: [0, 1] if i % 2 else [2], lambda i: [0, i % 3])
)
def test_a_set_of_several_labels_cannot_be_counted(tmp_path, labels):
    from mmengine.dataset import RepeatDataset
    from mmengine.fileio import dump
    from mmpretrain.datasets import MultiLabelDataset

    from mmpaco.cls.datasets import LongTailedDataset

    enter_scope('mmpretrain')
    path = tmp_path / 'labels.json'
    records = [dict(img_path='x', gt_label=labels(i)) for i in range(6)]
    metainfo = dict(classes=['a', 'b', 'c'])
    dump(dict(metainfo=metainfo, data_list=records), path)
    dataset = MultiLabelDataset(ann_file=str(path))
    for count in (
        lambda: count_labels(dataset),
        lambda: count_labels(RepeatDataset(dataset, 2)),
        lambda: LongTailedDataset(dataset),
    ):
        with pytest.raises(TypeError, match='one integer label for each'):
            count()


def test_a_set_without_labels_cannot_be_counted(tmp_path):
    from mmengine.fileio import dump
    from mmpretrain.datasets import BaseDataset

    path = tmp_path / 'images.json'
    dump(dict(metainfo={}, data_list=[dict(img_path='x')]), path)
    with pytest.raises(TypeError, match='one integer label .* with labels'):
        count_labels(BaseDataset(ann_file=str(path)))


def test_a_set_of_several_tasks_cannot_be_counted(tmp_path):
    from mmengine.fileio import dump
    from mmpretrain.datasets import MultiTaskDataset

    path = tmp_path / 'tasks.json'
    records = [dict(img_path='x', gt_label=dict(colour=0, shape=1))]
    dump(dict(metainfo={}, data_list=records), path)
    with pytest.raises(TypeError, match='has no labels.*get_gt_labels'):
        count_labels(
            MultiTaskDataset(ann_file='tasks.json', data_root=str(tmp_path))
        )
