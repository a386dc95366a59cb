"""Where the pipelines of a config are, and how they are split."""

import pytest

from mmpaco.methods.base import Refusal
from mmpaco.methods.training_data import (
    leaf_datasets,
    split_pipeline,
    with_pipelines,
)

STEPS = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg.LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
LEAF = dict(type='CustomDataset', pipeline=STEPS)
WRAPPED = (
    LEAF,
    dict(type='RepeatDataset', times=2, dataset=LEAF),
    dict(type='ConcatDataset', datasets=[LEAF, LEAF]),
    dict(
        type='ConcatDataset',
        datasets=[
            dict(
                type='KFoldDataset',
                fold=1,
                dataset=dict(type='ClassBalancedDataset', dataset=LEAF),
            ),
            LEAF,
        ],
    ),
)


@pytest.mark.parametrize('dataset', WRAPPED)
def test_all_pipelines_change_and_nothing_else_does(dataset):
    from mmengine.config import Config

    cfg = Config(dict(dataset=dataset))
    cfg.merge_from_dict(
        dict(dataset=with_pipelines(cfg.dataset, lambda steps: steps[-1:]))
    )
    leaves = list(leaf_datasets(cfg.dataset))
    assert [leaf.pipeline for leaf in leaves] == [STEPS[-1:]] * len(leaves)
    for leaf in leaves:
        leaf.pipeline = STEPS
    assert cfg.dataset.to_dict() == dataset


@pytest.mark.parametrize(
    'dataset',
    [
        [LEAF],
        'CustomDataset',
        dict(type='ConcatDataset', datasets=[LEAF, [LEAF]]),
    ],
)
def test_a_dataset_that_is_no_dict_is_refused(dataset):
    with pytest.raises(Refusal, match='dict with a type, but got (list|str)'):
        list(leaf_datasets(dataset))


def test_a_pipeline_is_loading_views_and_packing():
    assert split_pipeline(STEPS) == (STEPS[:2], STEPS[2:3], STEPS[3:])
    assert split_pipeline(STEPS[2:]) == ([], STEPS[2:3], STEPS[3:])


def test_a_pipeline_that_does_not_pack_is_refused():
    with pytest.raises(Refusal, match='PackInputs, but LoadImageFromFile'):
        split_pipeline(STEPS[:1])
