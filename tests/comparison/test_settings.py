"""Whose a setting is, and which images validate."""

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS
from support.paths import CONFIGS
from support.scope import enter_scope
from support.tiny import write_tiny

from mmpaco.comparison.schedule import device_slots
from mmpaco.comparison.settings import divide, grid
from mmpaco.comparison.validation import has_validation, validation_settings
from mmpaco.methods.settings import merged

METHODS = ('cross-entropy', 'gpaco', 'multi-task')


def test_a_setting_is_of_one_method_of_some_or_of_all():
    cfg = Config(dict(default_scope='mmpretrain', max=1, model=dict(a=1)))
    settings = {
        'gpaco.alpha': 0.1,
        'temperature': 0.2,
        'gpaco.model.a': 2,
        'model.a': 3,
    }
    assert divide(settings, METHODS, cfg) == {
        '': {'model.a': 3},
        'cross-entropy': {},
        'gpaco': {'alpha': 0.1, 'temperature': 0.2, 'model.a': 2},
        'multi-task': {'temperature': 0.2},
    }


def test_all_combinations_are_tried():
    assert list(grid({'a': [1, 2], 'b': 3})) == [
        {'a': 1, 'b': 3},
        {'a': 2, 'b': 3},
    ]
    assert list(grid({'a': [1, 2, 1.0]})) == [{'a': 1}, {'a': 2}]


def test_runs_get_gpus_of_their_own_if_there_are_enough():
    assert device_slots(2, 2, list('4567')) == ['4,5', '6,7']
    assert device_slots(2, 0, list('4567')) == ['4', '5']
    assert device_slots(3, 2, list('4567')) == [None] * 3
    assert device_slots(2, 2, []) == [None, None]


@pytest.mark.parametrize(
    'config, own',
    [
        ('baselines/cross-entropy_lenet5_mnist5k-lt.py', True),
        ('baselines/cross-entropy_resnet14-w16_tiny-imagenet100-lt.py', True),
        ('baselines/deeplabv3plus_r18_camvid.py', False),
    ],
)
def test_a_test_set_is_no_validation_set(config, own):
    cfg = Config.fromfile(CONFIGS / config)
    assert has_validation(cfg) is own
    settings, told = validation_settings(cfg)
    found = Config(merged(cfg.to_dict(), settings))
    assert found.test_dataloader == found.val_dataloader
    assert ('the training set' in told) is not own
    if own:
        assert found.test_dataloader == cfg.val_dataloader
        assert found.train_dataloader == cfg.train_dataloader
        return
    # Of the training images, read as those of the test are.
    train, val = (
        found[f'{part}_dataloader'].dataset for part in ('train', 'val')
    )
    assert (train.part, val.part) == ('train', 'val')
    assert train.dataset == cfg.train_dataloader.dataset
    assert val.dataset.data_prefix == train.dataset.data_prefix
    assert val.dataset.pipeline == cfg.test_dataloader.dataset.pipeline


@pytest.mark.parametrize(
    'train, val, own',
    [
        ({}, {'data_root': '{here}/val'}, True),
        # The images of the test under other names.
        ({}, {'data_root': '{here}/../{name}/test/'}, False),
        ({}, {'data_root': '', 'data_prefix': '{here}/test'}, False),
        ({}, {'data_root': '{here}', 'data_prefix': 'test'}, False),
        # Some of them, or they and more.
        ({}, {'data_root': '{here}/test', 'indices': 5}, False),
        ({}, {'data_root': '{here}/test', 'max_refetch': 5}, False),
        ({}, ['{here}/val', '{here}/test'], False),
        ({}, ['{here}/val', '{here}/train'], False),
        # A part of the training set, trained with or left out.
        ({}, {'data_root': '{here}/train', 'indices': 5}, False),
        (
            {'indices': [0, 1, 2]},
            {'data_root': '{here}/train', 'indices': [3, 4]},
            True,
        ),
    ],
)
def test_no_part_of_the_test_set_is_a_validation_set(
    tmp_path, train, val, own
):
    def named(x):
        if isinstance(x, str):
            return x.format(here=tmp_path, name=tmp_path.name)
        return x

    def dataset(**keys):
        keys = {key: named(x) for key, x in keys.items()}
        return dict(type='CustomDataset', pipeline=[], **keys)

    if isinstance(val, list):
        found = [dataset(data_root=x) for x in val]
        val_set = dict(type='ConcatDataset', datasets=found)
    else:
        val_set = dataset(**val)
    cfg = Config(
        dict(
            train_dataloader=dict(
                dataset=dataset(data_root='{here}/train', **train)
            ),
            val_dataloader=dict(dataset=val_set),
            test_dataloader=dict(dataset=dataset(data_root='{here}/test')),
            val_evaluator=dict(type='Accuracy'),
        )
    )
    assert has_validation(cfg) is own


def test_no_image_is_trained_with_and_validated_on(tmp_path):
    enter_scope('mmpretrain')
    write_tiny(tmp_path)
    cfg = Config.fromfile(tmp_path / 'tiny.py')
    cfg.train_dataloader.dataset = dict(
        type='ConcatDataset',
        datasets=[
            cfg.train_dataloader.dataset,
            dict(
                type='RepeatDataset',
                times=3,
                dataset=cfg.train_dataloader.dataset,
            ),
        ],
    )
    found = Config(merged(cfg.to_dict(), validation_settings(cfg)[0]))
    images = []
    for part in ('train', 'val'):
        dataset = DATASETS.build(found[f'{part}_dataloader'].dataset)
        images.append(
            {dataset.get_data_info(i)['img_path'] for i in range(len(dataset))}
        )
    train, val = images
    assert len(train) == 2 * 13 and len(val) == 2 * 3
    assert not train & val
