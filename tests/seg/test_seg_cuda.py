"""Segmentation on a card: the head, whole steps, and runs."""

import copy

import pytest
import torch
from support.cuda import (
    DEVICE,
    deterministic,
    no_waits,
    relative_error,
    tf32,
)

pytest.importorskip('mmseg')

from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmseg.models.decode_heads import decode_head
from support.resuming import StartHook
from support.small_segmentor import NUM_CLASSES, small_run

from mmpaco.engine.hooks import ChannelsLastHook
from mmpaco.seg.models import GPaCoAuxHead
from mmpaco.seg.models.gpaco_aux_head import DecodeHeadOutput

pytestmark = pytest.mark.cuda

CHANNELS = 16


@pytest.fixture
def head():
    """Give the head, with all positions, and what the main head hands over.

    No norm: it would hide which images a gradient comes from.
    """
    torch.manual_seed(0)
    made = GPaCoAuxHead(CHANNELS, num_classes=NUM_CLASSES, num_samples=-1)
    maps = [torch.randn(3, n, 40, 50) for n in (CHANNELS, NUM_CLASSES)]
    return made, maps


def value_and_gradients(made, maps, data_samples, device):
    made = copy.deepcopy(made).to(device)
    maps = [x.to(device).requires_grad_() for x in maps]
    data_samples = [x.to(device) for x in data_samples]
    output = DecodeHeadOutput(*maps)
    loss = made.loss(output, data_samples, None)['loss_gpaco']
    grads = torch.autograd.grad(loss, [*maps, *made.parameters()])
    return [loss.detach(), *grads]


def test_loss_and_gradients_are_those_of_the_host(head, samples, label_maps):
    labels = label_maps(3, (160, 200))
    # An image without a labelled pixel.
    labels[1] = 255
    found = []
    with tf32(False):
        for device in ('cpu', DEVICE):
            given = [*head, samples(labels), device]
            found.append([x.cpu() for x in value_and_gradients(*given)])
    for one, other in zip(*found):
        assert relative_error(other, one) < 1e-4


def test_two_runs_of_the_head_can_give_the_same_bits(
    head, samples, label_maps
):
    """mmseg's cross-entropy and resizing cannot on a card."""
    given = [*head, samples(label_maps(3, (160, 200))), DEVICE]
    with deterministic():
        for one, other in zip(
            value_and_gradients(*given), value_and_gradients(*given)
        ):
            assert torch.equal(one, other)


class Training:
    """A training of the small segmentor on a card, without loaders."""

    def __init__(self, build, cfg, samples, label_maps, lr=0.05, **options):
        self.model = build(cfg).to(DEVICE).train()
        kind = 'AmpOptimWrapper' if 'dtype' in options else 'OptimWrapper'
        self.wrapper = build_optim_wrapper(
            self.model,
            dict(
                type=kind,
                optimizer=dict(type='SGD', lr=lr, momentum=0.9),
                **options,
            ),
        )
        generator = torch.Generator().manual_seed(0)
        self.batch = dict(
            inputs=list(
                torch.randint(256, (4, 3, 64, 64), generator=generator).byte()
            ),
            data_samples=samples(label_maps(4)),
        )

    def data(self):
        # Copied, since the preprocessor changes what it is given.
        return self.model.data_preprocessor(copy.deepcopy(self.batch), True)

    def step(self):
        torch.manual_seed(0)
        found = self.model.train_step(copy.deepcopy(self.batch), self.wrapper)
        return {name: float(value) for name, value in found.items()}


@pytest.fixture
def training(build, segmentor_cfg, samples, label_maps):
    def make(**options):
        cfg = segmentor_cfg()
        # Its contrast is that of the papers.
        cfg.auxiliary_head[1].num_samples = 8192
        return Training(build, cfg, samples, label_maps, **options)

    return make


@pytest.mark.parametrize('precision', ('float32', 'bfloat16', 'float16'))
def test_it_trains(training, precision):
    """With the scaler of CUDA in half precision."""
    options = {} if precision == 'float32' else dict(dtype=precision)
    made = training(**options)
    losses = [made.step() for _ in range(6)]
    assert losses[-1]['loss'] < losses[0]['loss']
    contrast = [
        value
        for name, value in losses[-1].items()
        if name.endswith('loss_gpaco')
    ]
    assert len(contrast) == 1 and 0 < contrast[0] < 20


def test_nobody_waits_for_the_card_in_a_whole_step(training, monkeypatch):
    """Forward, backward and optimizer, of all heads.

    What of the stack waits is left out: mmengine copies a batch to the card,
    and mmseg's accuracy, for the log, counts the pixels that are labelled.
    """
    monkeypatch.setattr(
        decode_head,
        'accuracy',
        lambda scores, labels, ignore_index: scores.new_zeros(1),
    )
    made = training()
    for _ in range(3):
        made.step()
    data = made.data()
    with no_waits():
        with made.wrapper.optim_context(made.model):
            losses = made.model(**data, mode='loss')
        loss, _ = made.model.parse_losses(losses)
        made.wrapper.update_params(loss)


def test_mmseg_itself_waits_in_its_accuracy(training):
    """Why the test above leaves it out, and that waiting is noticed."""
    made = training()
    made.step()
    data = made.data()
    with no_waits(), pytest.raises(RuntimeError, match='synchroniz'):
        made.model(**data, mode='loss')


def test_a_value_that_is_not_finite_is_told_before_the_step(training):
    made = training()
    made.step()
    before = [x.detach().clone() for x in made.model.parameters()]
    data = made.data()
    data['inputs'][1, 0, 20, 30] = float('nan')
    losses = made.model(**data, mode='loss')
    loss, _ = made.model.parse_losses(losses)
    with pytest.raises(RuntimeError, match='GPaCoAuxHead: .* not finite'):
        made.wrapper.update_params(loss)
    for one, other in zip(before, made.model.parameters()):
        assert torch.equal(one, other)


def test_channels_last_trains_to_the_same_losses(training):
    with tf32(False):
        # Larger steps of so small a model amplify what rounding leaves.
        plain, last = training(lr=0.002), training(lr=0.002)
        for made in (plain, last):
            # Dropout may draw in the order of memory.
            for head in (made.model.decode_head, *made.model.auxiliary_head):
                head.dropout = torch.nn.Identity()
        ChannelsLastHook().before_train(last)
        for _ in range(4):
            expected = plain.step()['loss']
            assert last.step()['loss'] == pytest.approx(expected, rel=2e-3)


OPTIONS = {
    'float32': {},
    'bfloat16': dict(type='AmpOptimWrapper', dtype='bfloat16'),
    'float16': dict(type='AmpOptimWrapper', dtype='float16'),
}


@pytest.mark.parametrize('precision', OPTIONS)
def test_a_run_that_is_resumed_goes_on_with_what_was_saved(
    tmp_path, precision
):
    """A real Runner, with loader, validation, average and checkpoints."""
    starts, ends = [], []
    for iterations in (4, 8):
        cfg = small_run(tmp_path)
        cfg.optim_wrapper.update(OPTIONS[precision])
        cfg.train_cfg.max_iters = iterations
        cfg.resume = iterations > 4
        runner = Runner.from_cfg(cfg)
        starts.append(StartHook())
        runner.register_hook(starts[-1])
        runner.train()
        assert runner.iter == iterations
        ends.append(copy.deepcopy(runner.model.state_dict()))
    for name, value in starts[1].state.items():
        assert value.device.type == DEVICE
        assert torch.equal(value, ends[0][name]), name
    score = runner.message_hub.get_scalar('val/mIoU').current()
    assert 0 <= score <= 100
