"""Classification on a card: heads, steps, scaler and queue, and runs."""

import copy
from types import SimpleNamespace

import pytest
import torch
from support.cuda import (
    DEVICE,
    deterministic,
    no_waits,
    relative_error,
    tf32,
)

pytest.importorskip('mmpretrain')

from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from support.resuming import train
from support.small_classifier import (
    QUEUE,
    classifier_config,
    small_classifier,
    two_views,
)

from mmpaco.engine.hooks import ChannelsLastHook, PaCoQueueHook

pytestmark = pytest.mark.cuda

IMAGES, STEPS = 12, 6
MOMENTA = (None, 0.9)


class Training:
    """A training on a device, without loaders, with the hook of the queue."""

    def __init__(self, momentum=None, device=DEVICE, hooks=(), **options):
        self.model = small_classifier(momentum).to(device)
        kind = 'AmpOptimWrapper' if 'dtype' in options else 'OptimWrapper'
        self.wrapper = build_optim_wrapper(
            self.model,
            dict(
                type=kind,
                optimizer=dict(type='SGD', lr=0.02, momentum=0.9),
                **options,
            ),
        )
        self.wrapper.initialize_count_status(self.model, 0, 2 * STEPS)
        self.hook = PaCoQueueHook()
        self.runner = SimpleNamespace(
            model=self.model, hooks=[], iter=0, optim_wrapper=self.wrapper
        )
        for hook in (*hooks, self.hook):
            hook.before_train(self.runner)

    def step(self, index):
        # One batch over and over: its loss must fall.
        found = self.model.train_step(two_views(IMAGES), self.wrapper)
        self.hook.after_train_iter(self.runner, index)
        return float(found['loss'])

    def steps(self, count=STEPS):
        return [self.step(i) for i in range(count)]

    def weights(self):
        """Copies of what the optimizer moves."""
        return [
            x.detach().clone()
            for x in self.model.parameters()
            if x.requires_grad
        ]

    @property
    def queue(self):
        return self.model.head.queue


@pytest.mark.parametrize('momentum', MOMENTA)
def test_losses_and_gradients_are_those_of_the_host(momentum):
    """Of a whole model, with a queue; convolutions in float32, too.

    Twenty layers with batch norm amplify what rounding leaves.
    """
    found = []
    for device in ('cpu', DEVICE):
        training = Training(momentum, device)
        model = training.model
        with tf32(False):
            training.step(0)
            data = model.data_preprocessor(two_views(IMAGES, 1), True)
            loss = model(**data, mode='loss')['loss']
            model.zero_grad()
            loss.backward()
        grads = [
            p.grad.cpu() for p in model.parameters() if p.grad is not None
        ]
        grads = torch.cat([x.flatten() for x in grads])
        found.append((loss.cpu(), grads, training.queue.contents()[0].cpu()))
    for one, other in zip(*found):
        assert relative_error(other, one) < 1e-2


@pytest.mark.parametrize('momentum', MOMENTA)
@pytest.mark.parametrize('precision', ('float32', 'bfloat16', 'float16'))
@pytest.mark.parametrize('accumulate', (1, 3))
def test_it_trains(momentum, precision, accumulate):
    """With the scaler of CUDA in half precision."""
    options = {} if precision == 'float32' else dict(dtype=precision)
    training = Training(momentum, accumulative_counts=accumulate, **options)
    losses = training.steps()
    assert losses[-1] < losses[0]
    assert int(training.queue.filled) == QUEUE
    rows = training.queue.contents()[0]
    torch.testing.assert_close(rows.norm(dim=1), torch.ones_like(rows[:, 0]))
    if momentum is not None:
        # Once at the start, and then after each step of the optimizer.
        steps = int(training.model.momentum_encoder.steps)
        assert steps == 1 + STEPS // accumulate


@pytest.mark.parametrize('momentum', MOMENTA)
def test_a_step_that_the_scaler_skips_changes_no_weight(momentum):
    """Its keys enter: they are embeddings by the weights that stay."""
    training = Training(
        momentum, dtype='float16', loss_scale=dict(init_scale=2.0**40)
    )
    before = training.weights()
    training.step(0)
    scaler = training.wrapper.loss_scaler
    assert scaler.get_scale() == 2.0**39
    for one, other in zip(before, training.weights()):
        assert torch.equal(one, other)
    rows = training.queue.contents()[0]
    assert len(rows) == IMAGES and rows.isfinite().all()


@pytest.mark.parametrize('momentum', MOMENTA)
@pytest.mark.parametrize('accumulate', (1, 2))
def test_nobody_waits_for_the_card_in_a_whole_step(momentum, accumulate):
    """Forward, backward, optimizer and queue, with the queue full.

    And the momentum encoder. What of mmengine waits is left out: it copies a
    batch to the card, and reads each loss for its log.
    """
    training = Training(momentum, accumulative_counts=accumulate)
    training.steps()
    model, wrapper = training.model, training.wrapper
    data = model.data_preprocessor(two_views(IMAGES), True)
    for index in range(2):
        with no_waits():
            with wrapper.optim_context(model):
                losses = model(**data, mode='loss')
            loss, _ = model.parse_losses(losses)
            wrapper.update_params(loss)
            training.hook.after_train_iter(training.runner, index)


def test_a_value_that_is_not_finite_is_told_before_the_step():
    training = Training()
    training.step(0)
    before = training.weights()
    data = training.model.data_preprocessor(two_views(IMAGES), True)
    data['inputs'][3, 0, 0, 0] = float('nan')
    loss = training.model(**data, mode='loss')['loss']
    with pytest.raises(RuntimeError, match='GPaCoHead: .* not finite'):
        training.wrapper.update_params(loss)
    for one, other in zip(before, training.weights()):
        assert torch.equal(one, other)


@pytest.mark.parametrize('momentum', MOMENTA)
def test_channels_last_trains_to_the_same_losses(momentum):
    with tf32(False):
        plain = Training(momentum).steps()
        last = Training(momentum, hooks=[ChannelsLastHook()])
        assert last.steps() == pytest.approx(plain, rel=1e-2)
    weight = last.model.backbone.conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('momentum', MOMENTA)
def test_two_trainings_can_give_the_same_bits(momentum):
    with deterministic():
        first, second = Training(momentum), Training(momentum)
        assert first.steps() == second.steps()
    theirs = second.model.state_dict()
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, theirs[name]), name


def test_it_runs_where_its_model_is_copied_to():
    """Queue, prior and guard go along, in the middle of a training."""
    training = Training(0.9)
    training.steps(2)
    copied = copy.deepcopy(training.model).cpu()
    rows, labels = training.queue.contents()
    moved = copied.head.queue.contents()
    assert torch.equal(moved[0], rows.cpu())
    assert torch.equal(moved[1], labels.cpu())
    data = copied.data_preprocessor(two_views(IMAGES), True)
    assert copied(**data, mode='loss')['loss'].isfinite()


OPTIONS = {
    'float32': {},
    'bfloat16': dict(type='AmpOptimWrapper', dtype='bfloat16'),
    'float16': dict(type='AmpOptimWrapper', dtype='float16'),
}


@pytest.mark.parametrize('precision', OPTIONS)
@pytest.mark.parametrize('momentum', MOMENTA)
def test_a_run_that_is_resumed_goes_on_with_what_was_saved(
    tiny_config, tmp_path, momentum, precision
):
    """A real Runner, with loader, checkpoints and the scaler's state."""
    config = tiny_config() / 'tiny.py'
    cfg = Config.fromfile(str(config))
    model = classifier_config(momentum)
    model['backbone'].update(in_channels=3)
    model['head']['num_classes'] = 2
    view = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=32)]
    pipeline = [
        view[0],
        dict(type='MultiView', num_views=2, transforms=[[view[1]]]),
        dict(type='PackInputs'),
    ]
    cfg._cfg_dict.pop('model')
    cfg.model = model
    cfg.train_dataloader.dataset.pipeline = pipeline
    for name in ('val', 'test'):
        for field in ('dataloader', 'evaluator', 'cfg'):
            cfg[f'{name}_{field}'] = None
    cfg.train_cfg = dict(by_epoch=True, max_epochs=2)
    cfg.custom_hooks = [
        dict(type='mmpaco.PaCoQueueHook'),
        dict(type='mmpaco.ClassPriorHook'),
    ]
    cfg.optim_wrapper.update(OPTIONS[precision])
    cfg.dump(str(tmp_path / 'gpaco.py'))
    first, _ = train(tmp_path / 'gpaco.py', tmp_path / 'out')
    assert next(first.model.parameters()).device.type == DEVICE
    saved = copy.deepcopy(first.model.state_dict())
    second, start = train(
        tmp_path / 'gpaco.py',
        tmp_path / 'out',
        resume=True,
        **{'train_cfg.max_epochs': 3},
    )
    assert start.epoch == 2
    for name, value in start.state.items():
        assert torch.equal(value, saved[name]), name
    assert int(second.model.head.queue.filled) == QUEUE
    assert second.message_hub.get_scalar('train/loss').current() > 0
    if precision == 'float16':
        assert second.optim_wrapper.loss_scaler.get_scale() > 0
