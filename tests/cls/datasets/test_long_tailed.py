"""The long-tailed subset of real images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.scope import enter_scope

from mmpaco.cls.datasets import LongTailedDataset
from mmpaco.cls.datasets.long_tailed import long_tailed_counts
from mmpaco.registry import DATASETS


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


@pytest.fixture
def mnist(mnist5k):
    return dict(type='MNIST', data_root=mnist5k, download=False)


def images_of(dataset):
    return {
        dataset.get_data_info(i)['img'].tobytes() + bytes([i % 1])
        for i in range(len(dataset))
    }


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 5000),
    st.integers(1, 1000),
    st.sampled_from(['exp', 'step', 'pareto']),
    st.floats(1, 1000),
)
def test_counts_fall_from_the_largest_to_the_factor(
    largest, num_classes, profile, factor
):
    if largest / factor < 1:
        factor = largest
    counts = long_tailed_counts(largest, num_classes, profile, factor)
    assert len(counts) == num_classes
    assert counts[0] == largest
    assert (np.diff(counts) <= 0).all()
    if num_classes > 1:
        assert counts[-1] in (
            int(largest / factor),
            int(largest / factor + 1e-6),
        )


def test_exp_counts_are_those_of_cifar100_lt():
    """Recipes of both papers: totals at factors 100, 50 and 10."""
    totals = [
        long_tailed_counts(500, 100, 'exp', factor).sum()
        for factor in (100, 50, 10)
    ]
    assert totals == [10847, 12608, 19573]


def test_step_and_pareto_counts():
    step = long_tailed_counts(100, 5, 'step', 10)
    assert step.tolist() == [100, 100, 100, 10, 10]
    pareto = long_tailed_counts(1280, 1000, 'pareto', 256)
    rank = np.arange(1000) / 999
    expected = 1280 * (1 + rank * (256 ** (1 / 6) - 1)) ** -6.0
    np.testing.assert_allclose(pareto, expected, atol=1)
    assert pareto[-1] == 5


@pytest.mark.parametrize('profile', ('exp', 'step', 'pareto'))
def test_subset_has_the_counts_and_images_of_their_class(mnist, profile):
    full = DATASETS.build(mnist)
    dataset = LongTailedDataset(mnist, profile=profile, factor=50, seed=3)
    counts = np.bincount(dataset.get_gt_labels())
    expected = long_tailed_counts(400, 10, profile, 50)
    assert counts.tolist() == expected.tolist()
    assert len(dataset) == expected.sum()
    assert dataset.metainfo['classes'] == full.metainfo['classes']
    label_of = {}
    for i in range(len(full)):
        info = full.get_data_info(i)
        label_of[info['img'].tobytes()] = int(info['gt_label'])
    for i in (0, 17, len(dataset) - 1):
        info = dataset.get_data_info(i)
        assert label_of[info['img'].tobytes()] == info['gt_label']
        assert dataset.get_cat_ids(i) == [info['gt_label']]
        assert dataset[i]['sample_idx'] == i


def test_seed_decides_what_is_drawn(mnist):
    first, again, other = (
        images_of(LongTailedDataset(mnist, seed=seed)) for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_seed_may_decide_which_classes_are_frequent(mnist):
    counts = [
        np.bincount(
            LongTailedDataset(
                mnist, seed=seed, shuffle_classes=True
            ).get_gt_labels()
        )
        for seed in (0, 1)
    ]
    assert sorted(counts[0]) == sorted(counts[1])
    assert counts[0].tolist() != counts[1].tolist()


def test_held_out_part_shares_no_image_with_the_long_tail(mnist):
    options = dict(factor=100, seed=2, shuffle_classes=True)
    train = LongTailedDataset(mnist, **options)
    held_out = LongTailedDataset(mnist, **options, held_out=50)
    train_counts = np.bincount(train.get_gt_labels())
    counts = np.bincount(held_out.get_gt_labels(), minlength=10)
    assert counts.tolist() == np.minimum(400 - train_counts, 50).tolist()
    # Twice the same drawing could be in the source; then it is no leak.
    full = DATASETS.build(mnist)
    distinct = len(images_of(full))
    assert len(images_of(train) & images_of(held_out)) <= 4000 - distinct


def test_lazy_dataset_is_read_when_it_is_needed(mnist):
    dataset = LongTailedDataset(dict(mnist, lazy_init=True))
    assert not dataset._fully_initialized
    assert len(dataset) == len(dataset.get_gt_labels()) == 988
    dataset.full_init()
    assert len(dataset) == 988


@pytest.mark.parametrize(
    'options, message',
    (
        (dict(factor=0.5), 'at least 1'),
        (dict(factor=float('nan')), 'at least 1'),
        (dict(profile='linear'), "'exp', 'step', 'pareto'"),
        (dict(factor=1000), 'use at most 400'),
        (dict(held_out=-1), 'held_out'),
        (dict(factor=1, held_out=5), 'none is left'),
    ),
)
def test_bad_arguments_are_refused(mnist, options, message):
    with pytest.raises(ValueError, match=message):
        LongTailedDataset(mnist, **options)


def test_wrapper_and_unlabelled_dataset_are_refused(mnist, tmp_path):
    from mmengine.dataset import BaseDataset, RepeatDataset

    with pytest.raises(TypeError, match='RepeatDataset'):
        LongTailedDataset(RepeatDataset(DATASETS.build(mnist), times=2))

    class Unlabelled(BaseDataset):
        def load_data_list(self):
            return [dict(img=np.zeros(1))]

    with pytest.raises(TypeError, match='no labels'):
        LongTailedDataset(Unlabelled())


def test_empty_dataset_is_refused(mnist):
    with pytest.raises(ValueError, match='empty'):
        LongTailedDataset(DATASETS.build(mnist).get_subset([]))


def test_the_subset_has_the_pipeline_of_its_dataset(mnist, monkeypatch):
    """Whatever mmengine 0.10.7 keeps of the parts that it copied before."""
    from mmengine.dataset import BaseDataset

    steps = [dict(type='PackInputs'), dict(type='PackInputs')]
    whole = DATASETS.build(dict(mnist, pipeline=steps))
    copied_before = {id(x): 'another' for x in whole.pipeline.transforms}
    defaults = BaseDataset._copy_without_annotation.__defaults__
    if defaults != (None,):
        monkeypatch.setattr(
            BaseDataset._copy_without_annotation,
            '__defaults__',
            (copied_before,),
        )
    dataset = LongTailedDataset(whole)
    assert len(dataset) < len(whole) == 4000
    transforms = dataset.dataset.pipeline.transforms
    assert [type(x).__name__ for x in transforms] == ['PackInputs'] * 2
    assert transforms[0] is not whole.pipeline.transforms[0]
