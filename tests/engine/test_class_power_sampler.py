"""How often, in which order and on which rank images are drawn."""

import uuid

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import (
    ClassBalancedDataset,
    ConcatDataset,
    DefaultSampler,
    RepeatDataset,
)
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import Runner
from support.tiny import write_tiny
from torch.utils.data import Subset

from mmpaco.engine.class_power_sampler import ClassPowerSampler

# Those of the published checks of the samplers.
COUNTS = [500, 150, 45, 13, 4]


class Labels:
    """The least that a user's own dataset needs."""

    def __init__(self, labels):
        self.labels = np.asarray(labels)

    def __len__(self):
        return len(self.labels)

    def get_gt_labels(self):
        return self.labels


def tailed(counts=COUNTS, seed=0):
    labels = np.repeat(np.arange(len(counts)), counts)
    return Labels(np.random.default_rng(seed).permutation(labels))


def build(dataset=None, seed=0, **options):
    return DATA_SAMPLERS.build(
        dict(type='mmpaco.ClassPowerSampler', **options),
        default_args=dict(
            dataset=tailed() if dataset is None else dataset, seed=seed
        ),
    )


def passes(sampler, epochs):
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        yield np.array(list(sampler))


GOLDEN = {
    'square-root': (
        dict(power=0.5),
        {
            0: '0.4765511956 0.2610178396 0.1429653587 0.07684157138 '
            '0.04262403472'
        },
    ),
    'progressive': (
        dict(progressive=90),
        {
            0: '0.702247191 0.2106741573 0.06320224719 0.01825842697 '
            '0.005617977528',
            1: '0.6966039641 0.210554223 0.06473930059 0.02030046711 '
            '0.007802045196',
            45: '0.4483019821 0.2052771115 0.1323696503 0.1101502336 '
            '0.1039010226',
            89: '0.2 0.2 0.2 0.2 0.2',
            200: '0.2 0.2 0.2 0.2 0.2',
        },
    ),
    'balanced': (dict(power=0), {0: '0.2 0.2 0.2 0.2 0.2'}),
}


@pytest.mark.parametrize('name', GOLDEN)
def test_probabilities_are_those_of_the_release(name):
    options, rows = GOLDEN[name]
    sampler = build(**options)
    for epoch, row in rows.items():
        expected = [float(x) for x in row.split()]
        # Ten digits are printed, or nine and a zero.
        np.testing.assert_allclose(
            sampler.probabilities(epoch), expected, rtol=1e-9
        )


@pytest.mark.parametrize(
    'options',
    (
        dict(power=0.5),
        dict(power=-1),
        dict(power=0.9),
        dict(progressive=3),
        dict(power=0.5, progressive=2),
    ),
)
def test_shares_are_the_probabilities(options):
    dataset = tailed()
    sampler = build(dataset, **options)
    drawn = np.zeros(5)
    expected = np.zeros(5)
    for epoch, indices in enumerate(passes(sampler, 40)):
        assert len(indices) == len(sampler) == sum(COUNTS)
        drawn += np.bincount(dataset.labels[indices], minlength=5)
        expected += sum(COUNTS) * sampler.probabilities(epoch)
    # Five deviations of a binomial number.
    spread = 5 * np.sqrt(expected) + 1
    assert (abs(drawn - expected) < spread).all(), (drawn, expected)


def test_classes_in_turn_give_so_many_images_in_a_row():
    """The pass of the release: 2500 draws, 500 of each class."""
    dataset = tailed()
    sampler = build(dataset, in_a_row=4)
    drawn = np.concatenate(list(passes(sampler, 4)))
    for epoch in drawn.reshape(4, -1):
        rows = dataset.labels[epoch].reshape(-1, 4)
        assert (rows == rows[:, :1]).all()
        # Each class once before one comes again.
        cycles = rows[: len(rows) // 5 * 5, 0].reshape(-1, 5)
        assert (np.sort(cycles) == np.arange(5)).all()
        assert len({tuple(x) for x in cycles.tolist()}) > 10
        counts = np.bincount(dataset.labels[epoch])
        assert counts.max() - counts.min() <= 4


@pytest.mark.parametrize(
    'options',
    (dict(in_a_row=4), dict(power=0.5), dict(progressive=4), dict(power=1)),
)
def test_each_image_of_a_class_comes_before_one_comes_again(options):
    """From epoch to epoch, too."""
    dataset = tailed()
    drawn = np.concatenate(list(passes(build(dataset, **options), 5)))
    for label, count in enumerate(COUNTS):
        mine = drawn[dataset.labels[drawn] == label]
        cycles = mine[: len(mine) // count * count].reshape(-1, count)
        members = np.flatnonzero(dataset.labels == label)
        assert (np.sort(cycles) == members).all()
        assert len(set(mine[len(cycles) * count :])) == len(mine) % count
        if count > 4 and len(cycles) > 1:
            # Each time in another order.
            assert (cycles[0] != cycles[1]).any()


def test_of_all_images_each_comes_once_with_power_1():
    for indices in passes(build(power=1), 3):
        assert sorted(indices) == list(range(sum(COUNTS)))


def test_an_epoch_depends_on_seed_and_epoch_alone():
    """So a resumed run draws what it would have drawn."""
    for options in (dict(in_a_row=4), dict(power=0.5), dict(progressive=5)):
        whole = list(passes(build(**options), 4))
        assert len({tuple(x) for x in whole}) == 4
        resumed = build(**options)
        resumed.set_epoch(3)
        assert list(resumed) == whole[3].tolist()
        resumed.set_epoch(1)
        assert list(resumed) == list(resumed) == whole[1].tolist()
        other = build(seed=1, **options)
        assert list(other) != whole[0].tolist()


@pytest.mark.parametrize('options', (dict(in_a_row=4), dict(power=0.5)))
@pytest.mark.parametrize('world', (2, 3, 5))
@pytest.mark.parametrize('round_up', (False, True))
def test_ranks_take_turns_in_the_sequence_of_one_process(
    options, world, round_up, monkeypatch
):
    alone = build(**options)
    ranks = []
    for rank in range(world):
        monkeypatch.setattr(
            'mmengine.dataset.sampler.get_dist_info', lambda r=rank: (r, world)
        )
        ranks.append(build(round_up=round_up, **options))
    for epoch in range(2):
        for sampler in (alone, *ranks):
            sampler.set_epoch(epoch)
        parts = [list(sampler) for sampler in ranks]
        assert [len(x) for x in parts] == [len(x) for x in ranks]
        sequence = list(alone)
        if round_up:
            assert len({len(x) for x in parts}) == 1
            sequence += sequence[: -len(sequence) % world]
        assert parts == [sequence[rank::world] for rank in range(world)]


def test_a_class_without_images_is_never_drawn():
    dataset = Labels([0] * 30 + [3] * 5)
    for power in (0, 0.5, -1, -1000, 1000):
        sampler = build(dataset, power=power)
        found = sampler.probabilities(0)
        assert found.shape == (2,) and found.sum() == pytest.approx(1)
        assert len(list(sampler)) == 35
    one = build(Labels([7]))
    assert list(one) == [0]


@pytest.fixture(scope='module')
def mnist(mnist5k):
    from mmpretrain.datasets import MNIST

    return MNIST(data_root=mnist5k, download=False)


def test_labels_are_found_through_wrappers(mnist):
    part = mnist.get_subset([*range(40), *range(1000, 1010)])
    for dataset in (
        RepeatDataset(part, times=3),
        ClassBalancedDataset(part, oversample_thr=0.5),
        RepeatDataset(part.get_subset([0, 1, 45]), times=4),
        ConcatDataset([part, part.get_subset([5, 41])]),
        Subset(part, [5, 3, 3, 17, 42, 49]),
    ):
        sampler = build(dataset, in_a_row=2)
        labels = [
            int(dataset[i]['gt_label'])
            if isinstance(dataset, Subset)
            else dataset.get_data_info(i)['gt_label']
            for i in range(len(dataset))
        ]
        indices = list(sampler)
        assert len(indices) == len(dataset)
        counts = np.bincount([labels[i] for i in indices])
        counts = counts[np.unique(labels)]
        assert counts.max() - counts.min() <= 2


class Doubled:
    """A wrapper of one's own, whose items nothing tells."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return 2 * len(self.dataset)


@pytest.mark.parametrize(
    'dataset, options, error, message',
    (
        (Labels([[0, 1], [1, 0]]), {}, TypeError, 'one integer label'),
        (Labels([0.5]), {}, TypeError, 'one integer label'),
        (Labels([]), {}, ValueError, 'empty'),
        (Doubled(tailed()), {}, TypeError, 'Doubled has 1424 .* for 712'),
        (tailed(), dict(progressive=1), ValueError, 'at least 2'),
        (tailed(), dict(power=float('nan')), ValueError, 'finite'),
        (tailed(), dict(in_a_row=0), ValueError, 'at least 1'),
        (tailed(), dict(in_a_row=2.5), ValueError, 'an integer'),
        (tailed(), dict(in_a_row=2, power=1), ValueError, 'power=1'),
        (tailed(), dict(in_a_row=2, progressive=9), ValueError, 'in cycles'),
    ),
)
def test_what_cannot_be_sampled_is_told(dataset, options, error, message):
    with pytest.raises(error, match=message):
        build(dataset, **options)


def test_a_set_of_several_labels_is_refused():
    several = Labels([0])
    several.get_gt_labels = lambda: np.array([[0], [0, 1]])
    with pytest.raises(TypeError, match='several labels'):
        build(several)


def test_it_stands_where_the_default_sampler_does():
    assert issubclass(ClassPowerSampler, DefaultSampler)
    # Without a seed one is drawn.
    assert ClassPowerSampler(tailed()).seed >= 0


class IndexHook(Hook):
    """Notes which images each epoch had."""

    def __init__(self):
        self.epochs = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        paths = [x.img_path for x in data_batch['data_samples']]
        self.epochs.setdefault(runner.epoch, []).extend(paths)


def run(folder, name, epochs, **options):
    cfg = Config.fromfile(str(folder / 'tiny.py'))
    cfg.merge_from_dict(options)
    sampler = dict(type='mmpaco.ClassPowerSampler', power=0, in_a_row=4)
    cfg.train_dataloader.sampler = sampler
    cfg.train_cfg.max_epochs = epochs
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.work_dir = str(folder / name)
    cfg.experiment_name = uuid.uuid4().hex
    runner = Runner.from_cfg(cfg)
    hook = IndexHook()
    runner.register_hook(hook)
    runner.train()
    return hook.epochs


def test_a_resumed_run_draws_what_it_would_have_drawn(tmp_path):
    """mmengine's ``DistSamplerSeedHook`` tells the epochs."""
    write_tiny(tmp_path)
    whole = run(tmp_path, 'whole', 4)
    assert len({tuple(x) for x in whole.values()}) == 4
    for images in whole.values():
        assert len(images) == 32
        rows = np.array(['dark' in x for x in images]).reshape(-1, 4)
        assert (rows == rows[:, :1]).all() and rows.mean() == 0.5
    # All 16 images of a class twice in two epochs of 16 draws each.
    both = whole[0] + whole[1]
    assert {both.count(x) for x in both} == {2}
    assert run(tmp_path, 'parts', 2) == {0: whole[0], 1: whole[1]}
    resumed = run(tmp_path, 'parts', 4, resume=True)
    assert resumed == {2: whole[2], 3: whole[3]}
