"""Two parts of one dataset."""

import numpy as np
import pytest
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS

import mmpaco.registry  # noqa: F401
from mmpaco.engine.class_counts import count_labels


class Labelled(BaseDataset):
    """Images of three classes, one of which has one."""

    METAINFO = dict(classes=('a', 'b', 'c'))
    LABELS = [0] * 20 + [1] * 4 + [2]

    def load_data_list(self):
        return [dict(gt_label=x, number=i) for i, x in enumerate(self.LABELS)]

    def get_gt_labels(self):
        return np.array([self[i]['gt_label'] for i in range(len(self))])


class Unlabelled(BaseDataset):
    def load_data_list(self):
        return [dict(number=i) for i in range(10)]


def parts(dataset, **options):
    return [
        DATASETS.build(
            dict(
                type='mmpaco.SplitDataset',
                dataset=dataset,
                part=part,
                **options,
            )
        )
        for part in ('train', 'val')
    ]


def numbers(dataset):
    return {dataset[i]['number'] for i in range(len(dataset))}


@pytest.mark.parametrize('kind', [Labelled, Unlabelled])
@pytest.mark.parametrize('seed', [0, 1])
def test_each_image_is_in_one_part(kind, seed):
    whole = kind()
    train, val = parts(whole, seed=seed)
    assert numbers(train) | numbers(val) == numbers(whole)
    assert not numbers(train) & numbers(val)
    assert numbers(val) == numbers(parts(whole, seed=seed)[1])
    assert numbers(val) != numbers(parts(whole, seed=seed + 2)[1])


def test_every_class_has_its_share():
    train, val = parts(Labelled())
    assert count_labels(train).tolist() == [16, 3, 1]
    assert count_labels(val).tolist() == [4, 1, 0]
    assert train.metainfo['classes'] == ('a', 'b', 'c')


def test_wrong_arguments_are_told():
    for options, told in (
        (dict(part='test'), "('train', 'val'), but got 'test'"),
        (dict(part='val', share=1.0), 'share must be in (0, 1), but got 1.0'),
    ):
        cfg = dict(type='mmpaco.SplitDataset', dataset=Labelled(), **options)
        with pytest.raises(ValueError) as error:
            DATASETS.build(cfg)
        assert told in str(error.value)
    cfg = dict(type='mmpaco.SplitDataset', dataset=[1], part='val')
    with pytest.raises(TypeError, match='but got list'):
        DATASETS.build(cfg)
