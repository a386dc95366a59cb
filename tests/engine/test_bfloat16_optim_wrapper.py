"""Training in bfloat16 on a processor."""

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import build_optim_wrapper
from support.resuming import train
from support.small_classifier import small_classifier, two_views

from mmpaco.engine.bfloat16_optim_wrapper import BFloat16OptimWrapper
from mmpaco.losses import PaCoLoss

SGD = dict(type='SGD', lr=0.05, momentum=0.9)
BFLOAT16 = dict(type='mmpaco.BFloat16OptimWrapper', optimizer=SGD)
OPTIONS = {
    'optim_wrapper.type': 'mmpaco.BFloat16OptimWrapper',
    'train_cfg.max_epochs': 2,
}
FLOAT32 = {**OPTIONS, 'optim_wrapper.type': 'OptimWrapper'}


class Noted(Hook):
    """Notes losses, and in which precisions a training computes."""

    def __init__(self):
        self.losses, self.weights = [], []
        self.dtypes, self.grads = set(), set()

    def before_train(self, runner):
        self.note_weight(runner)
        # torch 2.1 drops hooks of an optimizer where anything was compiled.
        for weight in runner.model.parameters():
            weight.register_post_accumulate_grad_hook(
                lambda x: self.grads.add(x.grad.dtype)
            )
        self.handle = runner.model.backbone.register_forward_hook(
            lambda module, args, outs: self.dtypes.add(
                (module.training, outs[0].dtype)
            )
        )

    def after_train_iter(self, runner, outputs=None, **_):
        self.losses.append(outputs['loss'].item())
        self.note_weight(runner)

    def note_weight(self, runner):
        self.weights.append(runner.model.head.fc.weight.detach().clone())

    def after_train(self, runner):
        self.handle.remove()


@pytest.fixture
def run(tiny_config, tmp_path):
    """Train a small network in a folder; return its runner and losses."""
    config = tiny_config() / 'tiny.py'

    def run_training(name, **options):
        noted = Noted()
        runner, start = train(config, tmp_path / name, [noted], **options)
        return runner, noted, start

    return run_training


def test_a_config_trains_its_backbone_in_bfloat16(run):
    runner, noted, _ = run('bfloat16', **OPTIONS)
    assert isinstance(runner.optim_wrapper, BFloat16OptimWrapper)
    assert noted.grads == {torch.float32}
    state = runner.model.state_dict().values()
    assert {x.dtype for x in state if x.is_floating_point()} == {torch.float32}
    momenta = runner.optim_wrapper.state_dict()['state'].values()
    assert {x['momentum_buffer'].dtype for x in momenta} == {torch.float32}
    # A validation is as without.
    assert noted.dtypes == {(True, torch.bfloat16), (False, torch.float32)}


def test_it_learns_as_in_float32(run):
    _, expected, _ = run('float32', **FLOAT32)
    _, found, _ = run('bfloat16', **OPTIONS)
    assert found.losses != expected.losses
    assert found.losses == pytest.approx(expected.losses, abs=0.05)
    assert found.losses[-1] < 0.5 * found.losses[0]


def test_a_training_is_resumed(run):
    whole, expected, _ = run('whole', **OPTIONS)
    run('parts', **{**OPTIONS, 'train_cfg.max_epochs': 1})
    resumed, found, start = run('parts', resume=True, **OPTIONS)
    assert start.epoch == 1
    assert found.losses == expected.losses[8:]
    theirs = whole.model.state_dict()
    for key, value in resumed.model.state_dict().items():
        assert torch.equal(value, theirs[key]), key


def test_a_step_is_that_of_all_batches_it_gathers(run):
    counts = {'optim_wrapper.accumulative_counts': 2}
    _, noted, _ = run('gathered', **OPTIONS, **counts)
    first, *others = noted.weights
    assert len(others) == 16
    changes = [not torch.equal(x, y) for x, y in zip(noted.weights, others)]
    assert changes == 8 * [False, True]


@pytest.mark.parametrize('momentum', (None, 0.9))
def test_what_is_contrasted_stays_in_float32(momentum):
    model = small_classifier(momentum)
    wrapper = build_optim_wrapper(model, BFLOAT16)
    given = {}
    before = {k: x.detach().clone() for k, x in model.named_parameters()}

    def note(module, args, out):
        given.setdefault(type(module), set()).add((args[0].dtype, out.dtype))

    noted = (type(model.head.projector), PaCoLoss)
    for module in model.modules():
        if isinstance(module, noted):
            module.register_forward_hook(note)
    for i in range(3):
        out = model.train_step(two_views(8, i), wrapper)
        assert out['loss'].dtype == torch.float32
        model.head.queue.append(*model.head.queue.take_staged())
        model.end_iteration()
    assert given == {
        type(model.head.projector): {(torch.bfloat16, torch.float32)},
        PaCoLoss: {(torch.float32, torch.float32)},
    }
    assert model.head.queue.rows.dtype == torch.float32
    # None was left out by what autocast remembers of weights.
    for name, x in model.named_parameters():
        if x.requires_grad:
            assert not torch.equal(x, before[name]), name
