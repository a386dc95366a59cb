"""The mean feature of De-confound-TDE, in real trainings."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from support.resuming import train

TDE = """
_base_ = 'tiny.py'
model = dict(head=dict(type='mmpaco.CausalNormHead', momentum=0.8))
custom_hooks = [dict(type='mmpaco.CausalNormHook'), dict(type='NoteHook')]
val_cfg = val_dataloader = val_evaluator = None
"""


@HOOKS.register_module()
class NoteHook(Hook):
    """Notes the features, rate and mean of each iteration."""

    # When the mean has moved, and before the rate does.
    priority = 'HIGH'
    told: list = []

    def before_train(self, runner):
        def note(module, inputs, outputs):
            self.features = outputs[-1].detach().double()

        runner.model.neck.register_forward_hook(note)

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        (rate,) = runner.optim_wrapper.get_lr()['lr']
        mean = runner.model.head.mean().clone()
        self.told.append((self.features, rate, mean))


@pytest.fixture
def config(tiny_config, tmp_path):
    tiny_config()
    (tmp_path / 'tde.py').write_text(TDE)
    NoteHook.told.clear()
    return tmp_path / 'tde.py'


def check_means(told, momentum, steps, start=None):
    """Replay the means of iterations, of which some are steps."""
    mean = torch.zeros(8).double() if start is None else start.double()
    gathered = []
    for i, (features, rate, found) in enumerate(told):
        gathered.append(features)
        if i in steps:
            mean = momentum(rate) * mean + torch.cat(gathered).mean(0)
            gathered = []
        torch.testing.assert_close(found.double(), mean, rtol=1e-4, atol=1e-6)


def test_each_step_moves_the_mean_and_a_resume_goes_on(config, tmp_path):
    whole, start = train(config, tmp_path / 'whole')
    assert not start.state['head.mean.value'].any()
    told = [*NoteHook.told]
    assert len(told) == 32
    check_means(told, lambda rate: 0.8, range(32))
    for begun in (1, 3):
        NoteHook.told.clear()
        path = tmp_path / f'whole/epoch_{begun}.pth'
        resumed, start = train(
            config, tmp_path / f'from{begun}', load_from=str(path), resume=True
        )
        mean = start.state['head.mean.value']
        assert torch.equal(mean, told[8 * begun - 1][2])
        check_means(NoteHook.told, lambda rate: 0.8, range(32), mean)
        for name, value in resumed.model.state_dict().items():
            assert torch.equal(value, whole.model.state_dict()[name]), name


def test_iterations_that_gather_gradients_are_one_step(config, tmp_path):
    train(
        config,
        tmp_path / 'gathered',
        **{
            'optim_wrapper.accumulative_counts': 3,
            'train_dataloader.dataset.indices': 15,
            'train_cfg.max_epochs': 2,
        },
    )
    sizes = [len(features) for features, _, _ in NoteHook.told]
    assert sizes == 2 * [4, 4, 4, 3]
    # The last one ends the training.
    check_means(NoteHook.told, lambda rate: 0.8, (2, 5, 7))


def test_the_momentum_rises_as_the_rate_falls(config, tmp_path):
    train(
        config,
        tmp_path / 'rates',
        **{
            'model.head.full_rate': 0.02,
            'param_scheduler': [
                dict(type='MultiStepLR', milestones=[1, 2, 3], gamma=0.2)
            ],
        },
    )
    rates = [rate for _, rate, _ in NoteHook.told[::8]]
    assert rates == pytest.approx([0.05, 0.01, 0.002, 0.0004])
    momentum = {0.05: 0.8, 0.01: 0.9, 0.002: 0.98, 0.0004: 0.996}
    check_means(
        NoteHook.told, lambda rate: momentum[round(rate, 6)], range(32)
    )


@pytest.mark.parametrize('update_buffers', (False, True))
def test_another_training_starts_without_a_mean(
    config, tmp_path, update_buffers
):
    """And its average, which a validation looks at, too."""
    average = dict(type='EMAHook', momentum=0.5, update_buffers=update_buffers)
    options = {
        'train_cfg.max_epochs': 1,
        'custom_hooks': [dict(type='mmpaco.CausalNormHook'), average],
    }
    old, _ = train(config, tmp_path / 'old', **options)
    assert old.model.head.mean().any()
    new, start = train(
        config,
        tmp_path / 'new',
        load_from=str(tmp_path / 'old/epoch_1.pth'),
        **options,
    )
    assert not start.state['head.mean.value'].any()
    weight = start.state['head.fc.weight']
    assert weight.any() and new.model.head.mean().any()
    hook = next(x for x in new.hooks if type(x).__name__ == 'EMAHook')
    averaged = hook.ema_model.module.head.mean()
    assert averaged.any()
    same = torch.equal(averaged, new.model.head.mean())
    assert same != update_buffers


def test_a_test_uses_the_mean_of_the_checkpoint(config, tmp_path):
    train(config, tmp_path / 'trained', **{'train_cfg.max_epochs': 1})
    mean = NoteHook.told[-1][2]
    cfg = Config.fromfile(str(config))
    cfg.work_dir = str(tmp_path / 'tested')
    cfg.experiment_name = 'tested'
    cfg.load_from = str(tmp_path / 'trained/epoch_1.pth')
    runner = Runner.from_cfg(cfg)
    runner.test()
    assert torch.equal(runner.model.head.mean(), mean)


def refused(config, tmp_path, error, **options):
    cfg = Config.fromfile(str(config))
    cfg.work_dir = str(tmp_path / 'refused')
    cfg.experiment_name = cfg.work_dir + str(len(options))
    cfg.merge_from_dict(options)
    with pytest.raises(error) as told:
        Runner.from_cfg(cfg).train()
    return str(told.value)


def test_what_does_not_go_together_is_told(config, tmp_path):
    options = {'custom_hooks': []}
    told = refused(config, tmp_path, RuntimeError, **options)
    assert 'mmpaco.CausalNormHook' in told
    head = dict(
        _delete_=True, type='LinearClsHead', num_classes=2, in_channels=8
    )
    options = {'model.head': head, 'work_dir': str(tmp_path / 'other')}
    told = refused(config, tmp_path, ValueError, **options)
    assert 'no module of the model keeps a mean feature' in told
