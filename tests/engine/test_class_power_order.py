"""The order of ``ClassPowerSampler``, by a loop over all cycles."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpaco.engine.class_power_sampler import ClassPowerSampler


class Labels:
    def __init__(self, counts, seed=0):
        labels = np.repeat(np.arange(len(counts)), counts)
        self.labels = np.random.default_rng(seed).permutation(labels)

    def __len__(self):
        return len(self.labels)

    def get_gt_labels(self):
        return self.labels


def order_by_cycles(labels, classes_of_epochs, seed):
    """Deal the images of each class in cycles that a generator each orders."""
    turns = dict.fromkeys(labels.tolist(), 0)
    for classes in classes_of_epochs:
        epoch = []
        for label in classes.tolist():
            (images,) = np.nonzero(labels == label)
            cycle, place = divmod(turns[label], len(images))
            rng = np.random.default_rng([seed, 1, cycle])
            keys = rng.random(len(labels))[images]
            epoch.append(images[np.argsort(keys, kind='stable')][place])
            turns[label] += 1
        yield epoch


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    options=st.sampled_from(
        [
            dict(in_a_row=4),
            dict(),
            dict(power=0.5),
            dict(power=-1),
            dict(power=-3),
            dict(progressive=3),
        ]
    ),
    seed=st.integers(0, 9),
    # Whether numbers are drawn for all images, or gone to one by one.
    jump=st.sampled_from([1e-9, 4, 1e9]),
)
def test_the_order_is_that_of_a_loop(counts, options, seed, jump):
    dataset = Labels(counts, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            'mmpaco.engine.class_power_sampler._DRAWS_OF_A_JUMP', jump
        )
        sampler = ClassPowerSampler(dataset, seed=seed, **options)
        found = []
        for epoch in range(3):
            sampler.set_epoch(epoch)
            found.append(list(sampler))
    classes = [dataset.labels[x] for x in found]
    expected = order_by_cycles(dataset.labels, classes, seed)
    assert found == list(expected)


@pytest.mark.parametrize('rare', ([1], [2], [1, 1, 2, 3, 50]))
def test_classes_that_come_round_often_take_no_time(rare):
    """Up to 50,000 cycles; a draw for each image in each takes 13 s."""
    sampler = ClassPowerSampler(Labels([100_000 - sum(rare), *rare]), seed=0)
    begin = time.process_time()
    assert len(list(sampler)) == 100_000
    assert time.process_time() - begin < 3
