"""Pairs of items: which, in what order, by which worker and rank."""

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, DefaultSampler, RepeatDataset
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import DataLoader

from mmpaco.engine.class_counts import count_labels
from mmpaco.engine.class_power_sampler import ClassPowerSampler
from mmpaco.engine.paired_dataset import PairedDataset

# Those of the published check.
COUNTS = [500, 150, 45, 13, 4]


class Tailed(BaseDataset):
    """Items that know their index and label."""

    METAINFO = dict(classes=tuple('abcde'))

    def load_data_list(self):
        labels = np.repeat(np.arange(5), COUNTS)
        labels = np.random.default_rng(0).permutation(labels)
        return [dict(gt_label=int(x)) for x in labels]

    def get_gt_labels(self):
        return np.array([x['gt_label'] for x in self])

    def prepare_data(self, idx):
        return self.get_data_info(idx)


def pairs(**options):
    return PairedDataset(Tailed(**options))


def build(dataset, seed=0, **options):
    return DATA_SAMPLERS.build(
        dict(type='mmpaco.PairSampler', **options),
        default_args=dict(dataset=dataset, seed=seed),
    )


def test_a_pair_is_two_items_of_the_dataset():
    dataset = pairs()
    first, second = dataset[3], dataset[700]
    both = dataset[3, 700]
    assert both == {key: [first[key], second[key]] for key in first}
    assert both['sample_idx'] == [3, 700]
    assert len(dataset) == 712 and dataset.metainfo['classes'] == tuple(
        'abcde'
    )
    assert count_labels(dataset).tolist() == COUNTS


def test_the_dataset_is_read_when_it_is_needed():
    dataset = pairs(lazy_init=True)
    assert not dataset.dataset._fully_initialized
    dataset.full_init()
    assert dataset.dataset._fully_initialized


def test_first_is_each_image_once_and_second_is_reversed():
    dataset = pairs()
    labels = dataset.dataset.get_gt_labels()
    sampler = build(dataset)
    expected = [
        *(0.005589527995, 0.01863175998, 0.06210586662, 0.214981846),
        0.6986909994,
    ]
    np.testing.assert_allclose(
        sampler.second.probabilities(0), expected, rtol=1e-9
    )
    drawn = np.zeros(5)
    for epoch in range(20):
        sampler.set_epoch(epoch)
        found = list(sampler)
        assert len(found) == len(sampler) == 712
        first, second = np.array(found).T
        assert sorted(first) == list(range(712))
        drawn += np.bincount(labels[second], minlength=5)
    mean = 20 * 712 * np.array(expected)
    assert (abs(drawn - mean) < 5 * np.sqrt(mean)).all()


def test_rare_classes_of_cifar_are_drawn_as_in_the_release():
    class Images(list):
        def get_gt_labels(self):
            return self

    counts = [int(500 * 100 ** (-k / 99)) for k in range(100)]
    dataset = PairedDataset(Images(np.repeat(range(100), counts)))
    found = build(dataset).second.probabilities(0)
    expected = [0.0004382022, 0.0045646066, 0.0438202202]
    np.testing.assert_allclose(found[[0, 50, 99]], expected, rtol=1e-6)


def test_it_draws_as_the_samplers_that_it_consists_of():
    """By seed and epoch alone, so as without an interruption."""
    dataset = pairs()
    epochs = []
    for epoch in range(3):
        fresh = build(dataset, power=0.5)
        fresh.set_epoch(epoch)
        first = DefaultSampler(dataset, seed=0)
        second = ClassPowerSampler(dataset, power=0.5, seed=0)
        for sampler in (first, second):
            sampler.set_epoch(epoch)
        epochs.append(list(fresh))
        assert epochs[-1] == list(zip(first, second))
    assert epochs[0] != epochs[1] != epochs[2]
    assert list(build(dataset, seed=1)) != list(build(dataset))


@pytest.mark.parametrize('round_up', (False, True))
def test_ranks_share_the_pairs_of_one_process(round_up, monkeypatch):
    dataset = pairs(indices=711)
    whole = list(build(dataset))
    ranks = []
    for rank in (0, 1):
        monkeypatch.setattr(
            'mmengine.dataset.sampler.get_dist_info', lambda r=rank: (r, 2)
        )
        sampler = build(dataset, round_up=round_up)
        ranks.append(list(sampler))
        assert len(sampler) == len(ranks[-1])
    if round_up:
        whole.append(whole[0])
    assert ranks == [whole[0::2], whole[1::2]]


@pytest.mark.parametrize('persistent', (False, True))
def test_workers_load_the_pairs_that_were_drawn(persistent):
    dataset = pairs(indices=40)
    sampler = build(dataset)
    loader = DataLoader(
        dataset,
        batch_size=8,
        sampler=sampler,
        num_workers=2,
        persistent_workers=persistent,
        collate_fn=lambda items: [tuple(x['sample_idx']) for x in items],
    )
    for epoch in range(3):
        sampler.set_epoch(epoch)
        assert [pair for batch in loader for pair in batch] == list(sampler)


def test_what_gives_no_pairs_is_told():
    for dataset in (Tailed(), RepeatDataset(Tailed(), 2)):
        with pytest.raises(TypeError, match='only mmpaco.PairedDataset can'):
            build(dataset)
    with pytest.raises(TypeError, match='labels'):
        build(PairedDataset(list(range(5))))
