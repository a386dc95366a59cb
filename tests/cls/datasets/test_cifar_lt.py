"""The released index lists, and data sets read from stock CIFAR files."""

import pickle

import numpy as np
import pytest
from mmengine.dataset import (
    ClassBalancedDataset,
    ConcatDataset,
    RepeatDataset,
)
from mmengine.runner import Runner
from support.scope import enter_scope

from mmpaco.cls.datasets import LongTailedDataset
from mmpaco.cls.datasets.cifar_lt import (
    CIFAR10LT,
    CIFAR100LT,
    cifar_lt_positions,
)
from mmpaco.engine.class_counts import count_labels
from mmpaco.registry import DATASETS

# Of the lists which the released code draws for CIFAR-100: images, sum of the
# positions of an image among those of its class, and images at the ends.
RELEASED = {
    100: (10847, 2709482, [500, 477, 455, 434, 415], [6, 5, 5, 5, 5]),
    50: (12608, 3143133, [500, 480, 462, 444, 426], [11, 11, 10, 10, 10]),
    10: (19573, 4903396, [500, 488, 477, 466, 455], [54, 53, 52, 51, 50]),
}
FIRST = {
    0: [90, 254, 283, 445, 461, 15, 316, 489],
    1: [277, 307, 436, 88, 261, 57, 413, 459],
    50: [307, 484, 149, 423, 351, 193, 34, 338],
    99: [348, 153, 363, 361, 299],
}


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


@pytest.fixture(autouse=True)
def no_checksums(monkeypatch):
    """Files written here have not the checksums of the real ones."""
    for dataset in (CIFAR10LT, CIFAR100LT):
        for name in ('train_list', 'test_list'):
            files = [[file, None] for file, _ in getattr(dataset, name)]
            monkeypatch.setattr(dataset, name, files)


def write_batch(path, labels, key, first=0):
    """A pickled batch as CIFAR's, the first pixels tell its images apart."""
    data = np.zeros((len(labels), 3072), np.uint8)
    numbers = np.arange(first, first + len(labels))
    data[:, 0], data[:, 1] = numbers % 256, numbers // 256
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('wb') as file:
        pickle.dump({'data': data, key: labels.tolist()}, file)


@pytest.fixture(scope='module')
def cifar100(tmp_path_factory):
    """All of CIFAR-100's files, in the layout of the archive."""
    root = tmp_path_factory.mktemp('cifar100')
    random = np.random.default_rng(0)
    labels = random.permutation(np.repeat(np.arange(100), 500))
    folder = root / 'cifar-100-python'
    write_batch(folder / 'train', labels, 'fine_labels')
    write_batch(folder / 'test', np.arange(10000) % 100, 'fine_labels')
    yield str(root), labels
    (folder / 'train').unlink()


@pytest.fixture(scope='module')
def cifar10(tmp_path_factory):
    """CIFAR-10's files with 50 images a class in five batches."""
    root = tmp_path_factory.mktemp('cifar10')
    random = np.random.default_rng(0)
    labels = random.permutation(np.repeat(np.arange(10), 50))
    folder = root / 'cifar-10-batches-py'
    for i in range(5):
        part = labels[100 * i : 100 * (i + 1)]
        write_batch(folder / f'data_batch_{i + 1}', part, 'labels', 100 * i)
    write_batch(folder / 'test_batch', np.arange(20) % 10, 'labels')
    return str(root), labels


def config(root, name='CIFAR10LT', **options):
    return dict(
        type=f'mmpaco.{name}', data_root=root, download=False, **options
    )


@pytest.mark.parametrize('factor', RELEASED)
def test_positions_are_those_of_the_released_lists(factor):
    total, checksum, head, tail = RELEASED[factor]
    positions = cifar_lt_positions([500] * 100, factor)
    counts = [len(chosen) for chosen in positions]
    assert counts == [
        int(500 * (1 / factor) ** (label / 99)) for label in range(100)
    ]
    assert counts[:5] == head and counts[-5:] == tail
    assert sum(counts) == total
    assert sum(int(chosen.sum()) for chosen in positions) == checksum
    for label, first in FIRST.items():
        assert positions[label][: len(first)].tolist() == first


@pytest.mark.parametrize('factor, total', ((100, 12406), (50, 13996)))
def test_totals_of_cifar10(factor, total):
    positions = cifar_lt_positions([5000] * 10, factor)
    assert sum(map(len, positions)) == total
    assert sum(map(len, cifar_lt_positions([5000] * 10, 10))) == 20431


def test_global_random_state_is_neither_used_nor_changed():
    np.random.seed(3)
    drawn = cifar_lt_positions([500] * 100, 100)
    after = np.random.random()
    np.random.seed(3)
    assert np.random.random() == after
    again = cifar_lt_positions([500] * 100, 100)
    assert all(map(np.array_equal, drawn, again))


def test_full_size_data_set_holds_the_images_of_the_list(cifar100):
    root, labels = cifar100
    dataset = DATASETS.build(config(root, 'CIFAR100LT'))
    kept = cifar_lt_positions([500] * 100, 100)
    expected = np.concatenate(
        [np.flatnonzero(labels == c)[kept[c]] for c in range(100)]
    )
    assert len(dataset) == len(expected) == 10847
    found = dataset.get_gt_labels()
    # Sorted by class, in the order of the list within a class.
    assert found.tolist() == labels[expected].tolist()
    assert (np.diff(found) >= 0).all()
    for i in range(0, len(dataset), 7):
        pixels = dataset[i]['img'].reshape(-1, 3)[:2, 0].astype(int)
        assert pixels[0] + 256 * pixels[1] == expected[i]
    counts = count_labels(dataset)
    assert len(counts) == len(dataset.CLASSES) == 100
    assert counts.tolist() == [len(chosen) for chosen in kept]

    test = DATASETS.build(
        config(root, 'CIFAR100LT', split='test', test_mode=True)
    )
    assert test.get_gt_labels().tolist() == list(range(100)) * 100


def test_counts_through_wrappers_and_a_later_choice(cifar10):
    root, _ = cifar10
    options = config(root, factor=10)
    dataset = DATASETS.build(options)
    expected = [50, 38, 29, 23, 17, 13, 10, 8, 6, 5]
    assert count_labels(dataset).tolist() == expected
    assert count_labels(RepeatDataset(dataset, times=2)).tolist() == expected
    balanced = ClassBalancedDataset(dataset, oversample_thr=0.2)
    assert count_labels(balanced).tolist() == expected
    assert len(balanced) > len(dataset)
    both = count_labels(ConcatDataset([options, dataset]))
    assert both.tolist() == [2 * count for count in expected]
    again = LongTailedDataset(dataset, factor=50)
    assert count_labels(again).tolist()[::9] == [50, 1]
    short = DATASETS.build(dict(options, indices=60))
    assert count_labels(short).tolist() == [50, 10] + [0] * 8
    lazy = DATASETS.build(dict(options, lazy_init=True))
    assert not lazy._fully_initialized and len(lazy) == sum(expected)
    whole = DATASETS.build(dict(options, factor=1))
    assert count_labels(whole).tolist() == [50] * 10


def test_unfit_factors_and_sets_are_refused(cifar10):
    root, _ = cifar10
    # Before any data are read.
    with pytest.raises(ValueError, match='at least 1, but got 0.01'):
        DATASETS.build(config('nowhere', factor=0.01))
    with pytest.raises(ValueError, match='without images'):
        DATASETS.build(config(root, factor=100))
    with pytest.raises(ValueError, match='class 1 has 3 images for 10'):
        cifar_lt_positions([100, 3], 10)
    with pytest.raises(RuntimeError, match='Cannot find CIFAR10LT'):
        DATASETS.build(config('nowhere'))


def test_runner_trains_on_it_and_sets_its_prior(mnist_config, cifar10):
    root, _ = cifar10
    cfg = mnist_config('baselines/balanced-softmax_lenet5_mnist5k-lt.py')
    cfg.merge_from_dict(
        dict(model=dict(backbone=dict(type='mmpaco.CIFARResNet', depth=20)))
    )
    del cfg.model.backbone['num_classes']
    cfg.model.head.in_channels = 64
    cfg.data_preprocessor.update(mean=[125.0] * 3, std=[60.0] * 3)
    cfg.train_dataloader.dataset = config(
        root, factor=10, pipeline=[dict(type='PackInputs')]
    )
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    runner = Runner.from_cfg(cfg)
    runner.train()
    prior = runner.model.head.loss_module.prior
    assert prior.class_counts.tolist() == [50, 38, 29, 23, 17, 13, 10, 8, 6, 5]
