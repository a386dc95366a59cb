"""The contrast of all pairs, in tiles: what it gives and what it costs."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import FlopCounterMode

from mmpaco.losses import PaCoLoss, paco_loss
from mmpaco.losses.contrast import contrast_logsumexp

PIXELS = dict(alpha=0.01, temperature=0.07)


def rows(number, size=16, seed=0, length=1.0):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(number, size, generator=generator)
    return length * F.normalize(values, dim=1)


def dense(features, extra, temperature):
    """The definition, with all pairs at once."""
    similarities = features @ torch.cat([features, extra]).t() / temperature
    similarities.fill_diagonal_(-math.inf)
    return similarities.logsumexp(1)


def value_and_gradients(function, inputs, upstream, *arguments):
    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    out = function(*inputs, *arguments)
    out.backward(upstream.to(out.dtype))
    return [out.detach(), *(x.grad for x in inputs)]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 17),
    st.integers(0, 9),
    st.integers(1, 200),
    st.sampled_from([0.5, 0.01]),
)
def test_tiles_of_any_size_give_the_same(
    num_anchors, num_extra, elements, temperature
):
    """One row at a time, sizes that do not divide, all rows at once."""
    inputs = [rows(num_anchors, 4).double(), rows(num_extra, 4, 1).double()]
    upstream = torch.arange(1.0, num_anchors + 1)
    tiled = value_and_gradients(
        contrast_logsumexp, inputs, upstream, temperature, elements
    )
    # One anchor without extra rows has no contrast, and no derivative.
    if num_anchors + num_extra > 1:
        expected = value_and_gradients(dense, inputs, upstream, temperature)
        for one, other in zip(tiled, expected[: 2 + bool(num_extra)]):
            torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)
    else:
        assert tiled[0].item() == -math.inf
        assert not tiled[1].any()


@pytest.mark.parametrize('length', [1.0, 0.2, 3.0])
@pytest.mark.parametrize(
    'temperature', [1.0, 0.2, 0.07, 0.05, 0.03, 0.025, 0.024, 0.01, 0.005]
)
def test_float32_holds_at_any_temperature(temperature, length):
    """Against float64, with near twins and opposites among the rows."""
    near = rows(300, length=length)
    near = torch.cat([near, -near[:20], near[:20] * 0.999])
    extra = rows(150, seed=1, length=length)
    upstream = torch.linspace(-1, 2, len(near)) / len(near)
    found = value_and_gradients(
        contrast_logsumexp, [near, extra], upstream, temperature, 4096
    )
    exact = value_and_gradients(
        dense, [near.double(), extra.double()], upstream, temperature
    )
    # Similarities of that size are rounded before they are exponents.
    rounding = 2e-7 * max(1.0, length**2 / temperature)
    for one, other in zip(found, exact):
        assert one.dtype == torch.float32
        error = (one.double() - other).norm() / other.norm()
        assert error < 4 * rounding, (error, rounding)


@pytest.mark.parametrize('impl', ['tiled', 'dense'])
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('temperature', [0.2, 0.07, 0.01])
def test_half_precision_costs_the_rounding_of_the_input_alone(
    dtype, temperature, impl
):
    """No worse than float32 on the rounded rows, under autocast too."""
    inputs = [rows(200).to(dtype), torch.randn(200, 7).to(dtype)]
    labels = torch.arange(200) % 7

    def loss(features, logits):
        with torch.autocast('cpu', dtype=torch.bfloat16):
            return paco_loss(
                features,
                labels,
                logits,
                alpha=0.05,
                temperature=temperature,
                impl=impl,
            )

    upstream = torch.ones(())
    found = value_and_gradients(loss, inputs, upstream)
    exact = value_and_gradients(loss, [x.double() for x in inputs], upstream)
    assert found[0].dtype == torch.float32
    torch.testing.assert_close(
        found[0].double(), exact[0], rtol=1e-5, atol=1e-5
    )
    for one, other in zip(found[1:], exact[1:]):
        assert one.dtype == dtype
        # Half a unit in the last place of the gradient, and some float32.
        error = (one.double() - other).norm() / other.norm()
        assert error < 0.6 * torch.finfo(dtype).eps


def test_a_second_use_of_the_graph_raises_as_pytorch_does():
    for temperature in (0.07, 0.01):
        features = rows(9).requires_grad_()
        out = contrast_logsumexp(features, rows(5, seed=1), temperature)
        out.sum().backward(retain_graph=True)
        first = features.grad.clone()
        out.sum().backward()
        torch.testing.assert_close(features.grad, 2 * first)
        with pytest.raises(RuntimeError, match='second time'):
            out.sum().backward()


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation gives."""

    numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for leaf in tree_flatten(out)[0]:
            if isinstance(leaf, torch.Tensor):
                self.numel = max(self.numel, leaf.numel())
        return out


@pytest.mark.parametrize('temperature', [0.07, 0.01])
def test_memory_is_linear_in_the_rows(temperature):
    features = rows(1500).requires_grad_()
    logits = torch.randn(1500, 20, requires_grad=True)
    extra = rows(1000, seed=1).requires_grad_()
    labels = torch.arange(1500) % 20
    with Largest() as largest:
        paco_loss(
            features,
            labels,
            logits,
            extra,
            labels[:1000],
            alpha=0.05,
            temperature=temperature,
        ).backward()
    # A tile, and not 1500 x 1500 similarities.
    assert largest.numel <= 2**19
    assert features.grad.any() and extra.grad.any()


def addmm_flops(out, one, other, **options):
    return 2 * one[0] * one[1] * other[1]


def products(function, features, extra):
    """Products of all pairs, over D, that a function takes."""
    in_place = {torch.ops.aten.addmm_: addmm_flops}
    with FlopCounterMode(display=False, custom_mapping=in_place) as counter:
        function()
    pairs = len(features) * len(features if extra is None else extra)
    return counter.get_total_flops() / (2 * pairs * features.shape[1])


def products_of_training(features, extra, temperature):
    def train():
        out = contrast_logsumexp(features, extra, temperature, 2**10)
        out.sum().backward()

    return products(train, features, extra)


def test_anchors_against_themselves_take_two_products():
    features = rows(1024).requires_grad_()
    assert 2 < products_of_training(features, None, 0.07) < 2.1
    assert products_of_training(features, None, 0.01) == 4


def test_rows_without_gradient_cost_none():
    """Similarities and the anchors' gradient: two products."""
    few, many = rows(16).requires_grad_(), rows(2048, seed=1)
    assert 2 < products_of_training(few, many, 0.07) < 2.1
    assert (
        4
        < products_of_training(few, many.clone().requires_grad_(), 0.07)
        < 4.1
    )
    assert (
        3
        < products_of_training(few.detach(), many.requires_grad_(), 0.07)
        < 3.1
    )


def test_no_gradient_is_formed_under_no_grad():
    features, extra = rows(512).requires_grad_(), rows(512, seed=1)
    for temperature, expected in ((0.07, 1.5), (0.01, 2)):
        with torch.no_grad():
            found = products(
                lambda t=temperature: contrast_logsumexp(
                    features, extra, t, 2**8
                ),
                features,
                extra,
            )
        assert found == pytest.approx(expected, rel=0.05)


def loss_and_gradients(make, reduction, **options):
    """Run the whole loss on tensors that ``make`` creates."""
    features = make(300, 8).requires_grad_()
    logits = make(300, 5).requires_grad_()
    extra = make(70, 8)
    labels = make(300, dtype=torch.int64)
    loss = PaCoLoss(**PIXELS, ignore_index=3, reduction=reduction, **options)
    out = loss(
        features,
        labels,
        logits,
        extra,
        labels[:70],
        make(5, dtype=torch.int64),
    )
    out.sum().backward()
    return out, features.grad, logits.grad


@pytest.mark.parametrize('impl', ['tiled', 'dense'])
@pytest.mark.parametrize('reduction', ['mean', 'none'])
def test_no_value_is_read(reduction, impl):
    """A device would be waited for; a fake tensor has no value to read."""
    with FakeTensorMode():

        def make(*size, dtype=torch.float32):
            return torch.empty(size, dtype=dtype)

        with pytest.raises(Exception, match='aten._local_scalar_dense'):
            make(1).item()
        out, *grads = loss_and_gradients(make, reduction, impl=impl)
        assert out.shape == (() if reduction == 'mean' else (300,))
        assert [x.shape for x in grads] == [(300, 8), (300, 5)]


@pytest.mark.parametrize('temperature', [0.07, 0.01])
def test_no_value_is_read_by_tiles(temperature):
    """A compiler sees an operator in their place, unless they are asked."""
    with FakeTensorMode():
        features, extra = (torch.empty(x, 8).requires_grad_() for x in (9, 5))
        out = contrast_logsumexp(features, extra, temperature, 8)
        out.sum().backward()
        assert [x.grad.shape for x in (features, extra)] == [(9, 8), (5, 8)]


@pytest.mark.parametrize('temperature', [0.07, 0.01])
def test_no_tensor_is_made_on_another_device(temperature):
    """Meta tensors do not mix with those of the host."""

    def make(*size, dtype=torch.float32):
        return torch.empty(size, dtype=dtype, device='meta')

    with pytest.raises(RuntimeError, match='meta'):
        make(3) + torch.ones(3)
    for reduction in ('mean', 'sum', 'none'):
        out, *grads = loss_and_gradients(make, reduction)
        assert {x.device.type for x in (out, *grads)} == {'meta'}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(6, 8)
        self.classify = nn.Linear(6, 4)
        self.loss = PaCoLoss(**PIXELS)

    def forward(self, x, labels):
        features = F.normalize(self.project(x), dim=1)
        return self.loss(features, labels, self.classify(x))


@pytest.mark.skipif(
    not hasattr(torch.compiler, 'is_compiling'),
    reason='torch 2.1 runs the loss outside of the graph',
)
def test_a_module_with_the_loss_compiles_whole():
    torch.manual_seed(0)
    model, x = Model(), torch.randn(40, 6)
    labels = torch.arange(40) % 4
    expected = model(x, labels)
    compiled = torch.compile(model, fullgraph=True, backend='aot_eager')
    loss = compiled(x, labels)
    torch.testing.assert_close(loss, expected)
    grads = torch.autograd.grad(loss, list(model.parameters()))
    for one, other in zip(
        grads, torch.autograd.grad(expected, list(model.parameters()))
    ):
        torch.testing.assert_close(one, other)
