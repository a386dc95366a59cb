"""Queue and class prior belong to a data set, not to the weights."""

import copy
import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import MODELS
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS
from mmpretrain.structures import DataSample
from support.scope import enter_scope

from mmpaco.engine.class_counts import count_classes, count_labels
from mmpaco.losses import ClassPrior

GPACO = 'gpaco/lenet5_mnist5k-lt.py'
QUEUE, PRIOR, RESET = (
    dict(type='mmpaco.PaCoQueueHook'),
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.PaCoQueueHook', reset_queue=True),
)
# mmpretrain's own loads the averages of a checkpoint into the model.
AVERAGES = [
    dict(type=kind, momentum=0.3, update_buffers=update_buffers)
    for kind in ('mmengine.EMAHook', 'mmpretrain.EMAHook')
    for update_buffers in (False, True)
]
# Every average in one order of the hooks; all orders take minutes.
CASES = [
    pytest.param(
        average,
        order,
        marks=() if i % 6 == 5 - j else pytest.mark.slow,
        id=f'{average["type"]}-{average["update_buffers"]}-{order}',
    )
    for j, average in enumerate(AVERAGES)
    for i, order in enumerate(itertools.permutations(range(3)))
]


class StartHook(Hook):
    """Notes what a training begins with, after all other hooks."""

    priority = 'LOWEST'

    def before_train(self, runner):
        self.state = copy.deepcopy(runner.model.head.state_dict())


@pytest.fixture
def run(mnist_config, tmp_path):
    """Train a short run; return its runner and what it began with."""

    def train(name, hooks, queue_length=1500, **options):
        cfg = mnist_config(GPACO)
        cfg.work_dir = str(tmp_path / name)
        cfg.custom_hooks = copy.deepcopy(hooks)
        # 246 images in 4 iterations: a queue holds those of an epoch.
        cfg.train_dataloader.dataset.largest = 100
        cfg.model.head.queue_length = queue_length
        # Saved once more in the validation, as in most configs.
        cfg.default_hooks.checkpoint.interval = 1
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.merge_from_dict(options)
        runner = Runner.from_cfg(cfg)
        start = StartHook()
        runner.register_hook(start)
        runner.train()
        return runner, start.state

    return train


def other_data(**options):
    """The same images in another balance."""
    return {'train_dataloader.dataset.factor': 50, **options}


def check_starts(runner, start):
    """The queue was empty, and then got the images of this data set."""
    assert int(start['queue.filled']) == int(start['queue.pointer']) == 0
    counts = count_labels(runner.train_dataloader.dataset)
    assert start['prior.class_counts'].tolist() == counts.tolist()
    assert runner.model.head.prior().tolist() == counts.tolist()
    labels = runner.model.head.queue.contents()[1]
    assert np.array_equal(np.bincount(labels, minlength=10), counts)


@pytest.mark.parametrize('queue_length', (1500, 900))
def test_a_fine_tuning_starts_with_an_empty_queue_and_its_own_prior(
    run, queue_length
):
    old, _ = run('old', [PRIOR, QUEUE])
    runner, start = run(
        'new',
        [PRIOR, QUEUE],
        queue_length,
        **other_data(load_from=f'{old.work_dir}/epoch_1.pth'),
    )
    assert len(runner.model.head.queue.contents()[0]) > 0
    check_starts(runner, start)
    before = old.model.head.prior().tolist()
    assert runner.model.head.prior().tolist() != before
    # The weights were taken over.
    weight = torch.load(f'{old.work_dir}/epoch_1.pth', weights_only=False)
    assert torch.equal(
        start['fc.weight'], weight['state_dict']['head.fc.weight']
    )


@pytest.mark.parametrize('average, order', CASES)
def test_no_average_brings_queue_or_prior_back(run, average, order):
    hooks = [(PRIOR, QUEUE, average)[i] for i in order]
    old, _ = run('old', hooks)
    for queue_length in (1500, 900):
        runner, start = run(
            f'new{queue_length}',
            hooks,
            queue_length,
            **other_data(load_from=f'{old.work_dir}/epoch_1.pth'),
        )
        check_starts(runner, start)


def test_pretrained_weights_bring_neither_queue_nor_prior(run):
    old, _ = run('old', [PRIOR, QUEUE])
    checkpoint = f'{old.work_dir}/epoch_1.pth'
    weights = {'model.init_cfg.type': 'Pretrained'}
    weights['model.init_cfg.checkpoint'] = checkpoint
    runner, start = run('new', [PRIOR, QUEUE], **other_data(**weights))
    check_starts(runner, start)
    saved = torch.load(checkpoint, weights_only=False)['state_dict']
    assert torch.equal(start['fc.weight'], saved['head.fc.weight'])


@pytest.mark.parametrize('path', ('load_from', 'model.init_cfg.checkpoint'))
def test_a_fine_tuning_that_forgets_the_prior_hook_is_told(run, path):
    old, _ = run('old', [PRIOR, QUEUE])
    options = {path: f'{old.work_dir}/epoch_1.pth'}
    if path != 'load_from':
        options['model.init_cfg.type'] = 'Pretrained'
    with pytest.raises(RuntimeError, match='mmpaco.ClassPriorHook'):
        run('new', [QUEUE], **other_data(**options))


@pytest.mark.parametrize('average, order', CASES)
def test_an_average_has_the_rows_of_the_queue_as_they_are(run, average, order):
    """Resumed, too; so that what is saved twice is the same."""
    hooks = [(PRIOR, QUEUE, average)[i] for i in order]
    run('run', hooks)
    runner, start = run(
        'run', hooks, resume=True, **{'train_cfg.max_epochs': 2}
    )
    first, second = (
        torch.load(f'{runner.work_dir}/epoch_{i}.pth', weights_only=False)
        for i in (1, 2)
    )
    for saved in (first, second):
        mine, average = saved['state_dict'], saved['ema_state_dict']
        for name in ('rows', 'labels', 'pointer', 'filled'):
            key = f'head.queue.{name}'
            assert torch.equal(mine[key], average[f'module.{key}']), name
        filled = int(mine['head.queue.filled'])
        rows = mine['head.queue.rows'][:filled]
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(filled))
        weight = 'head.fc.weight'
        assert not torch.equal(mine[weight], average[f'module.{weight}'])
    for name in ('rows', 'labels', 'pointer', 'filled'):
        key = f'queue.{name}'
        assert torch.equal(start[key], first['state_dict'][f'head.{key}'])


@pytest.mark.parametrize('average, order', CASES)
def test_a_queue_starts_afresh_beside_an_average_on_demand(
    run, average, order
):
    run('run', [PRIOR, QUEUE, average])
    hooks = [(PRIOR, RESET, average)[i] for i in order]
    for epochs, length in ((2, 700), (3, 700)):
        runner, start = run(
            'run',
            hooks,
            length,
            resume=True,
            **{'train_cfg.max_epochs': epochs},
        )
        assert runner.epoch == epochs
        assert int(start['queue.filled']) == 0
        assert start['queue.rows'].shape[0] == length
        assert len(runner.model.head.queue.contents()[0]) > 0


@pytest.mark.parametrize('hooks', ([RESET, PRIOR], [PRIOR, RESET]))
def test_a_strict_average_takes_a_queue_of_another_length(run, hooks):
    strict = dict(AVERAGES[0], strict_load=True)
    run('run', [PRIOR, QUEUE, strict])
    for options in (
        {'resume': True, 'train_cfg.max_epochs': 2},
        {'load_from': 'run', 'train_cfg.max_epochs': 1},
    ):
        name = 'run'
        if 'load_from' in options:
            runner, _ = run('old', [PRIOR, QUEUE, strict])
            options['load_from'] = f'{runner.work_dir}/epoch_1.pth'
            name = 'new'
        runner, start = run(name, [strict, *hooks], 700, **options)
        assert start['queue.rows'].shape[0] == 700
        assert int(start['queue.filled']) == 0


def test_counts_of_a_checkpoint_that_nobody_set_are_told_of():
    prior = ClassPrior(3)
    prior.load_state_dict(ClassPrior(3, [1, 2, 3]).state_dict())
    with pytest.warns(UserWarning, match='of a checkpoint.*ClassPriorHook'):
        prior()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        prior()
        prior.load_state_dict(ClassPrior(3, [1, 2, 3]).state_dict())
        prior.eval()()


def test_counts_of_the_config_are_kept_whatever_is_loaded_or_counted():
    given = ClassPrior(3, [5, 0, 2])
    other = ClassPrior(3, [1, 1, 1])
    given.load_state_dict(other.state_dict())
    given.forget_loaded()
    assert given().tolist() == [5, 0, 2]
    assert given.is_given

    counted = ClassPrior(3)
    assert not counted.is_given
    counted.load_state_dict(other.state_dict())
    assert counted().tolist() == [1, 1, 1]
    counted.forget_loaded()
    with pytest.raises(RuntimeError, match='has not been set'):
        counted()
    counted.set_class_counts([3, 2, 1])
    counted.load_state_dict(other.state_dict())
    counted.forget_loaded()
    assert counted().tolist() == [3, 2, 1]


def test_a_prior_of_other_classes_is_not_loaded():
    prior = ClassPrior(3)
    with pytest.raises(
        RuntimeError, match=r'class_counts of shape \(3,\).*has \(4,\)'
    ):
        prior.load_state_dict(ClassPrior(4, [1, 2, 3, 4]).state_dict())
    prior.load_state_dict(
        ClassPrior(4, [1, 2, 3, 4]).state_dict(), strict=False
    )
    with pytest.raises(RuntimeError, match='has not been set'):
        prior()


def test_the_hook_leaves_counts_of_the_config_alone(run, monkeypatch):
    counts = list(range(10, 0, -1))
    init = ClassPrior.__init__
    monkeypatch.setattr(
        ClassPrior, '__init__', lambda self, n: init(self, n, counts)
    )
    runner, start = run('run', [PRIOR, QUEUE])
    assert start['prior.class_counts'].tolist() == counts
    assert runner.model.head.prior().tolist() == counts


def test_classes_without_an_image_are_told(mnist_config):
    """Ten classes, trained by a head that was meant for a thousand."""
    cfg = mnist_config('gpaco/lenet5_mnist5k-lt.py')
    cfg.model.head.num_classes = 1000
    cfg.data_preprocessor.num_classes = 1000
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    Runner.from_cfg(cfg).train()
    (found,) = Path(cfg.work_dir).glob('*/*.log')
    assert (
        'WARNING - 990 of 1000 classes have no training images (10, 11, 12, '
        '13, 14, ...) and will not be learnt; check that num_classes=1000'
    ) in found.read_text()


def test_the_hook_leaves_counts_of_a_loss_in_the_config_alone(mnist_config):
    """And does not look at the images, of which there are none here."""
    counts = list(range(10, 0, -1))
    cfg = mnist_config('baselines/balanced-softmax_lenet5_mnist5k-lt.py')
    cfg.model.head.loss.class_counts = counts
    cfg.train_dataloader = dict(
        batch_size=4,
        num_workers=0,
        dataset=dict(type='DataSamples'),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.model.head.loss_module.prior().tolist() == counts
    with pytest.raises(TypeError, match='DataSamples has no labels'):
        count_classes(runner.train_dataloader.dataset)


@DATASETS.register_module()
class DataSamples(torch.utils.data.Dataset):
    """Images and labels in memory; nobody can ask for the labels alone."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        label = DataSample().set_gt_label(index)
        return dict(inputs=torch.rand(1, 32, 32), data_samples=label)


def test_counts_of_a_segmentation_config_win_over_a_checkpoint():
    pytest.importorskip('mmseg')
    enter_scope('mmseg')
    cfg = Config(
        dict(
            type='mmpaco.GPaCoAuxHead',
            in_channels=4,
            num_classes=3,
            norm_cfg=dict(type='BN'),
        )
    )
    old, new = (
        MODELS.build(dict(cfg, class_counts=counts))
        for counts in ([9, 9, 9], [7, 2, 1])
    )
    new.load_state_dict(old.state_dict())
    assert new.prior().tolist() == [7, 2, 1]
