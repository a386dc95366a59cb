"""The head and real runs in bfloat16 and float16, on a CPU."""

import functools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.runner import Runner, amp
from mmpretrain.structures import DataSample
from support import spoiling_neck  # noqa: F401
from support.scope import enter_scope

from mmpaco.cls.models import GPaCoHead, Projector
from mmpaco.losses import (
    EmbeddingQueue,
    paco_loss,
)

GPACO = 'gpaco/lenet5_mnist5k-lt.py'
PACO = 'paco/lenet5_mnist5k-lt.py'
COUNTS = [50, 20, 10, 5, 2]

HAS_HOST_SCALER = hasattr(torch.amp, 'GradScaler')
needs_float16 = pytest.mark.skipif(
    not HAS_HOST_SCALER,
    reason='this torch has no float16 autocast and no GradScaler for a CPU',
)
HALVES = (
    torch.bfloat16,
    pytest.param(torch.float16, marks=needs_float16),
)


def head(**options):
    enter_scope('mmpretrain')
    torch.manual_seed(0)
    made = GPaCoHead(
        5,
        64,
        queue_length=40,
        projector=dict(out_channels=16),
        loss=dict(type='mmpaco.PaCoLoss', alpha=0.05, temperature=0.07),
        **options,
    )
    made.init_weights()
    made.prior.set_class_counts(COUNTS)
    made.queue.append(torch.randn(30, 16), torch.arange(30) % 5)
    return made


def batch(dtype):
    feats = torch.randn(64, 64, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(32) % 5
    samples = [DataSample().set_gt_label(int(x)) for x in labels]
    return feats.to(dtype), samples * 2, labels.repeat(2)


def autocast_loss(made, feats, samples, dtype):
    with torch.autocast('cpu', dtype=dtype):
        return made.loss((feats,), samples)


def gradients_of(loss, made, feats):
    wanted = [feats, *(p for p in made.parameters() if p.requires_grad)]
    return [x.double() for x in torch.autograd.grad(loss, wanted)]


def distance(gradients, expected):
    """Length of the difference over that of what is expected."""
    a, b = (
        torch.cat([x.flatten() for x in part])
        for part in (gradients, expected)
    )
    return float((a - b).norm() / b.norm())


# Relative errors of the loss and of all its gradients taken together: found
# were 6e-5 and 0.018 in bfloat16, 1e-5 and 0.0050 in float16.
BOUNDS = {torch.bfloat16: (1e-3, 0.05), torch.float16: (1e-4, 0.015)}


@pytest.mark.parametrize('dtype', HALVES)
def test_loss_and_gradients_err_as_their_layers_do(dtype):
    """The layers run in half precision; the equation adds no error of its own.

    Truth is the loss in float32, the error to be expected that of the layers
    in half precision followed by the equation in float64.
    """
    made = head()
    feats, samples, labels = batch(dtype)

    exact = feats.float().requires_grad_()
    truth = made.loss((exact,), samples)['loss']
    true_gradients = gradients_of(truth, made, exact)
    made.queue.take_staged()

    feats.requires_grad_()
    loss = autocast_loss(made, feats, samples, dtype)['loss']
    gradients = gradients_of(loss, made, feats)
    keys, _ = made.queue.take_staged()

    with torch.autocast('cpu', dtype=dtype):
        embeddings = made.projector.layers(feats)
        logits = made.fc(feats)
    assert embeddings.dtype == logits.dtype == dtype
    rows, row_labels = made.queue.contents()
    reference = paco_loss(
        F.normalize(embeddings.double(), dim=1),
        labels,
        logits.double(),
        rows.double(),
        row_labels,
        torch.tensor(COUNTS),
        alpha=0.05,
        temperature=0.07,
        impl='dense',
    )
    expected = gradients_of(reference, made, feats)

    assert loss.dtype == keys.dtype == torch.float32
    torch.testing.assert_close(loss.double(), reference, rtol=1e-6, atol=0)
    error = abs(float((loss / truth - 1).detach()))
    gradient_error = distance(gradients, true_gradients)
    loss_bound, gradient_bound = BOUNDS[dtype]
    assert error < loss_bound and gradient_error < gradient_bound
    assert gradient_error < 1.01 * distance(expected, true_gradients)


@pytest.mark.parametrize('scale', (0.0, 1e4))
@pytest.mark.parametrize('dtype', HALVES)
def test_embeddings_are_unit_rows_or_zeros_however_long(dtype, scale):
    """A norm in float16 is zero or infinite for such rows."""
    enter_scope('mmpretrain')
    projector = Projector(128, num_layers=1)
    torch.nn.init.eye_(projector.layers[0].weight)
    torch.nn.init.zeros_(projector.layers[0].bias)
    with torch.autocast('cpu', dtype=dtype):
        rows = projector(torch.full((3, 128), scale))
    expected = torch.full((3, 128), math.sqrt(1 / 128) if scale else 0.0)
    torch.testing.assert_close(rows, expected)


@pytest.fixture
def half_precision(mnist_config, monkeypatch):
    """Load a config whose ``AmpOptimWrapper`` runs on a CPU.

    It is mmengine's own; what it asks for a GPU is given for the CPU.
    """
    monkeypatch.setattr(
        amp_optimizer_wrapper, 'is_cuda_available', lambda: True
    )
    if HAS_HOST_SCALER:
        monkeypatch.setattr(
            amp_optimizer_wrapper,
            'GradScaler',
            functools.partial(torch.amp.GradScaler, device='cpu'),
        )
    monkeypatch.setattr(
        amp, 'autocast', functools.partial(torch.autocast, 'cpu')
    )

    def load(config, dtype, loss_scale='dynamic'):
        cfg = mnist_config(config)
        cfg.model.head.queue_length = 2000
        cfg.optim_wrapper.update(
            type='AmpOptimWrapper',
            dtype=str(dtype).removeprefix('torch.'),
            loss_scale=loss_scale,
        )
        cfg.train_cfg.val_begin = 2
        return cfg

    return load


class Witness(Hook):
    """Follow weights, scale and queue through a run."""

    priority = 'HIGHEST'

    def __init__(self):
        self.steps = []

    def before_train(self, runner):
        self.weights = self.trained(runner)
        self.expected = EmbeddingQueue(2000, 128)

    def trained(self, runner):
        return [
            p.detach().clone()
            for p in runner.model.parameters()
            if p.requires_grad
        ]

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        weights = self.trained(runner)
        is_skipped = all(
            torch.equal(a, b) for a, b in zip(weights, self.weights)
        )
        self.weights = weights
        queue = runner.model.head.queue
        # The hook that appends has run in the last iteration.
        for name, value in self.expected.state_dict().items():
            assert torch.equal(queue.state_dict()[name], value), name
        keys = queue.take_staged()
        assert keys[1].tolist() == [
            int(x.gt_label) for x in data_batch['data_samples']
        ]
        if is_skipped and not hasattr(runner.model, 'momentum_encoder'):
            torch.testing.assert_close(
                keys[0], self.keys_again(runner, data_batch)
            )
        queue.stage(*keys)
        self.expected.append(*keys)
        scale = runner.optim_wrapper.loss_scaler.get_scale()
        self.steps.append((is_skipped, scale))

    @torch.no_grad()
    def keys_again(self, runner, data_batch):
        model = runner.model
        with torch.autocast('cpu', dtype=runner.optim_wrapper.cast_dtype):
            data = model.data_preprocessor(data_batch, training=True)
            feats = model.extract_feat(data['inputs'])[-1]
            rows = model.head.projector(feats)
        return rows[len(rows) // 2 :]


@needs_float16
@pytest.mark.parametrize('config', (GPACO, PACO))
def test_a_step_that_the_scaler_skips_enqueues_its_own_keys_once(
    half_precision, config
):
    """They are embeddings by the weights that stay, as good as any.

    bfloat16 has the range of float32, where nothing overflows.
    """
    scale, backoff = 2.0**100, 2.0**-30
    cfg = half_precision(
        config,
        torch.float16,
        dict(init_scale=scale, backoff_factor=backoff),
    )
    runner = Runner.from_cfg(cfg)
    witness = Witness()
    runner.register_hook(witness)
    runner.train()

    skipped, scales = zip(*witness.steps)
    num_skipped = sum(skipped)
    assert 2 <= num_skipped <= 4
    assert skipped == (True,) * num_skipped + (False,) * (16 - num_skipped)
    assert scales[-1] == scale * backoff**num_skipped
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 16 and np.isfinite(losses).all()
    queue, prior = runner.model.head.queue, runner.model.head.prior
    rows, labels = queue.contents()
    assert torch.equal(torch.bincount(labels), prior.class_counts)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(rows)))


@pytest.mark.parametrize('dtype', HALVES)
def test_an_overflow_is_told_with_head_and_iteration(half_precision, dtype):
    cfg = half_precision(GPACO, dtype)
    cfg.model.neck = dict(type='SpoilingNeck', value='inf')
    with pytest.raises(RuntimeError, match='GPaCoHead: .* in iteration 6'):
        Runner.from_cfg(cfg).train()
