"""The long-tailed subset of real images."""

import warnings

import numpy as np
import pytest
from support.scope import enter_scope

from mmpaco.cls.datasets import LongTailedDataset
from mmpaco.cls.datasets.cifar_lt import cifar_lt_positions
from mmpaco.cls.datasets.tail_counts import long_tailed_counts
from mmpaco.engine.class_counts import count_labels
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


def listed(tmp_path, counts, **options):
    """A data set with so many images of each class."""
    path = tmp_path / 'list.txt'
    path.write_text(
        '\n'.join(
            f'{label}/{i}.png {label}'
            for label, count in enumerate(counts)
            for i in range(count)
        )
    )
    return dict(
        type='mmpaco.ImageListDataset',
        ann_file=str(path),
        num_classes=len(counts),
        **options,
    )


@pytest.mark.parametrize(
    'profile, told',
    (
        ('exp', 'class 1 has 20 images for 30, .*class 4 has 3 images for 13'),
        (
            'step',
            'class 1 has 20 images for 40, .*class 4 has 3 images for 13',
        ),
        ('pareto', 'class 1 has 20 images for 29, .*class 4 has 3 images for'),
    ),
)
def test_too_few_images_for_the_tail_are_told(tmp_path, profile, told):
    """With the head class that they suffice for, which then is one."""
    unbalanced = listed(tmp_path, [40, 20, 10, 5, 3])
    options = dict(profile=profile, factor=3)
    with pytest.raises(
        ValueError,
        match=rf'the {profile} tail of factor 3 from 40 images.*{told}'
        r'.*\(4 of 5 classes\)\. They suffice for largest=(\d+)$',
    ) as error:
        LongTailedDataset(unbalanced, **options)
    largest = int(str(error.value).rsplit('=', 1)[1])
    dataset = LongTailedDataset(unbalanced, **options, largest=largest)
    counts = count_labels(dataset)
    assert counts[0] == largest
    assert counts[0] / counts[-1] == pytest.approx(3, rel=0.1)
    # And with no other that is larger.
    for more in range(largest + 1, 20):
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            with pytest.raises((ValueError, UserWarning)):
                LongTailedDataset(unbalanced, **options, largest=more)


@pytest.mark.parametrize('profile', ('exp', 'step', 'pareto'))
def test_a_head_class_that_is_small_itself_is_told(tmp_path, profile):
    small_first = listed(tmp_path, [5, 60, 60, 60])
    with pytest.raises(
        ValueError,
        match='class 0 has 5 images for 60.*1 of 4 classes.*no head class.*'
        'shuffle_classes',
    ):
        LongTailedDataset(small_first, profile=profile, factor=10)
    # The tail of another order has it as its last class.
    dataset = LongTailedDataset(
        small_first, profile=profile, factor=12, shuffle_classes=True, seed=3
    )
    counts = count_labels(dataset)
    assert counts.max() / counts.min() == 12 and counts[0] == 5


def test_a_balanced_set_may_have_more_than_the_tail_needs(mnist):
    dataset = LongTailedDataset(mnist, factor=10, largest=100)
    expected = long_tailed_counts(100, 10, 'exp', 10)
    assert count_labels(dataset).tolist() == expected.tolist()
    held_out = LongTailedDataset(mnist, factor=10, largest=100, held_out=1000)
    assert count_labels(held_out).tolist() == (400 - expected).tolist()
    with pytest.raises(ValueError, match='class 0 has 400 images for 401'):
        LongTailedDataset(mnist, factor=10, largest=401)


def test_a_factor_that_whole_images_do_not_meet_is_told(tmp_path):
    """And no error: 200 on CIFAR-100 is such one, and has its known list."""
    balanced = listed(tmp_path, [40] * 10)
    with pytest.warns(
        UserWarning,
        match='40 images to 1, a factor of 40 and not 30.*; 40 and 20 are met',
    ):
        LongTailedDataset(balanced, factor=30)
    with pytest.warns(
        UserWarning, match='500 images to 2, .* 250 and not 200'
    ):
        assert sum(map(len, cifar_lt_positions([500] * 100, 200))) == 9502
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        LongTailedDataset(balanced, factor=20)
        LongTailedDataset(balanced, factor=9.5)


def test_a_tail_of_one_class_is_refused(tmp_path):
    with pytest.raises(ValueError, match='two classes or more'):
        LongTailedDataset(listed(tmp_path, [30]), factor=3)


def test_a_part_of_the_long_tail_is_a_data_set_of_its_own(mnist):
    """As any data set of mmpretrain, inside of its wrappers."""
    whole = LongTailedDataset(mnist, seed=3)
    indices = [5, 0, 900]
    part = whole.get_subset(indices)
    assert len(whole) == 988 and len(part) == 3
    for place, index in enumerate(indices):
        mine, theirs = part.get_data_info(place), whole.get_data_info(index)
        assert mine['img'].tobytes() == theirs['img'].tobytes()
        assert mine['gt_label'] == theirs['gt_label']
    assert len(whole.get_subset(10)) == len(whole.get_subset(-10)) == 10
    part.get_subset_([1])
    assert len(part) == 1 and len(whole) == 988
    lazy = LongTailedDataset(dict(mnist, lazy_init=True))
    assert len(lazy.get_subset(7)) == 7


def test_it_is_divided_into_folds(mnist):
    tail = dict(type='mmpaco.LongTailedDataset', dataset=mnist)
    options = dict(type='KFoldDataset', dataset=tail, num_splits=4, seed=1)
    folds = [
        DATASETS.build(dict(options, fold=fold, test_mode=True))
        for fold in range(4)
    ]
    assert [len(fold) for fold in folds] == [247] * 4
    expected = count_labels(LongTailedDataset(mnist))
    assert sum(count_labels(fold) for fold in folds).tolist() == (
        expected.tolist()
    )
    rest = DATASETS.build(dict(options, fold=0))
    assert len(rest) == 988 - 247
    assert (count_labels(rest) + count_labels(folds[0])).tolist() == (
        expected.tolist()
    )


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
        (dict(largest=0), 'largest, .* must be positive'),
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
