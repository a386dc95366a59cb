"""The contrast's operators: what compilers and fake tensors see of it."""

import importlib
import math
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from support.processes import environment
from torch._subclasses.fake_tensor import FakeTensorMode

from mmpaco.losses import PaCoLoss, contrast_ops, kernels
from mmpaco.losses.contrast import contrast_logsumexp

pytestmark = pytest.mark.skipif(
    contrast_ops.TRACED is None,
    reason='torch has custom operators since version 2.4',
)
SCRIPT = Path(__file__).with_name('interpreted_ops.py')
# Images, anchors, extra rows, their gradient, temperature, length of rows.
CASES = (
    (1, 9, 0, False, 0.07, 1.0),
    (2, 7, 5, True, 0.2, 1.0),
    (2, 8, 5, False, 0.01, 1.0),
    (1, 6, 3, True, 0.07, 3.0),
)


def inputs_of(images, anchors, extra, has_gradient, temperature, length):
    generator = torch.Generator().manual_seed(anchors)
    made = []
    for number, requires_grad in ((anchors, True), (extra, has_gradient)):
        rows = torch.randn(images, 4, number, generator=generator)
        # As the head of pixels hands them over.
        rows = length * F.normalize(rows, dim=1).transpose(1, 2)
        made.append(rows.detach().requires_grad_(requires_grad))
    return [made[0], made[1] if extra else None, temperature]


@pytest.mark.parametrize('case', CASES)
def test_the_operators_keep_pytorchs_rules(case):
    """Schema, shapes and strides of fake tensors, autograd, tracing."""
    torch.library.opcheck(contrast_ops.TRACED, (*inputs_of(*case), False))
    features, extra, temperature = inputs_of(*case)
    given = [features.detach(), extra if extra is None else extra.detach()]
    log2_z = contrast_ops.contrast_log2_sums(*given, temperature, False)
    for of_extra in {False, extra is not None}:
        torch.library.opcheck(
            torch.ops.mmpaco.contrast_gradient,
            (log2_z, log2_z, *given, temperature, False, of_extra),
        )


def values_and_gradients(function, features, extra, temperature):
    out = function(features, extra, temperature)
    upstream = torch.linspace(-1, 2, out.numel()).view(out.shape)
    leaves = [
        x for x in (features, extra) if x is not None and x.requires_grad
    ]
    return [out, *torch.autograd.grad(out, leaves, upstream)]


@pytest.mark.parametrize('case', CASES)
def test_a_compiled_graph_has_the_operators_and_gives_the_same(case):
    names = []

    def backend(graph, example_inputs):
        names.extend(str(node.target) for node in graph.graph.nodes)
        return graph

    given = inputs_of(*case)
    compiled = torch.compile(
        contrast_logsumexp, fullgraph=True, backend=backend
    )
    found = values_and_gradients(compiled, *given)
    assert 'mmpaco.contrast_log2_sums' in ' '.join(names)
    expected = values_and_gradients(contrast_logsumexp, *given)
    # Similarities are rounded before they are exponents.
    rounding = 1e-6 * max(1, case[-1] ** 2 * 0.07 / case[-2])
    for one, other in zip(found, expected):
        assert (one - other).norm() < 2 * rounding * other.norm()


def test_one_graph_is_as_good_for_any_number_of_rows():
    """Tiles were unrolled, so that another number was another graph."""
    graphs = []

    def backend(graph, example_inputs):
        graphs.append(graph)
        return graph

    compiled = torch.compile(
        contrast_logsumexp, fullgraph=True, dynamic=True, backend=backend
    )
    for anchors in (9, 40, 700):
        given = inputs_of(1, anchors, 0, False, 0.07, 1.0)
        torch.testing.assert_close(
            compiled(*given), contrast_logsumexp(*given)
        )
    assert len(graphs) == 1


@pytest.mark.parametrize('size', [(9, 4), (2, 9, 4)])
@pytest.mark.parametrize('device', ['cpu', 'cuda', 'meta'])
def test_fake_tensors_of_any_device_pass(device, size):
    """Of a card that is not there, too."""
    loss = PaCoLoss(alpha=0.05, temperature=0.07)
    with FakeTensorMode():
        features = torch.empty(size, device=device, requires_grad=True)
        labels = torch.empty(size[:-1], dtype=torch.int64, device=device)
        scores = torch.empty(*size[:-1], 3, device=device)
        loss(features, labels, scores, features[..., :5, :], labels[..., :5])
        out = loss(features, labels, scores)
        assert out.shape == () and out.device.type == device
        # Autograd asks a card for the stream of a backward.
        if device != 'cuda' or torch.cuda.is_available():
            out.backward()
            assert features.grad.shape == size
            assert features.grad.device.type == device


def test_kernels_that_do_not_compile_are_told_while_a_graph_runs(
    monkeypatch, caplog
):
    """Once; the tiles take over, whoever meets them first."""
    if find_spec('triton') is None:
        pytest.skip('needs Triton')
    triton_side = importlib.import_module('mmpaco.losses.contrast_triton')

    def fail(device):
        raise RuntimeError('no C compiler')

    def ask(features):
        return None if kernels._FAILED else kernels._compiled_for(features)

    monkeypatch.setattr(kernels, '_FAILED', [])
    monkeypatch.setattr(triton_side, 'try_out', fail)
    monkeypatch.setattr(contrast_ops, 'kernels_for', ask)
    compiled = torch.compile(
        contrast_logsumexp, fullgraph=True, backend='aot_eager'
    )
    given = inputs_of(*CASES[1])
    expected = values_and_gradients(contrast_logsumexp, *given)
    for _ in range(2):
        found = values_and_gradients(compiled, *given)
        for one, other in zip(found, expected):
            torch.testing.assert_close(one, other)
    assert caplog.text.count('no C compiler') == 1


def test_an_anchor_without_contrasts_has_no_gradient():
    given = inputs_of(1, 1, 0, False, 0.07, 1.0)
    features = given[0]
    log2_z = contrast_ops.TRACED(*given, False)
    assert log2_z.item() == -math.inf
    log2_z.sum().backward()
    assert not features.grad.any()


def test_a_second_derivative_raises():
    features, *others = inputs_of(*CASES[0])
    log2_z = contrast_ops.TRACED(features, *others, False)
    (first,) = torch.autograd.grad(log2_z.sum(), features, create_graph=True)
    with pytest.raises(RuntimeError, match='contrast_gradient'):
        torch.autograd.grad(first.sum(), features)


@pytest.mark.skipif(find_spec('triton') is None, reason='needs Triton')
def test_the_operators_take_the_kernels_in_the_interpreter():
    """Compiled and not, with the tiles' values and gradients."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', SCRIPT],
        env=environment(TRITON_INTERPRET='1'),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ['opcheck', 'compiled'] * 2
