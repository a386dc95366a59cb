"""The contrast on a card: by kernels and by tiles."""

import pytest
import torch
import torch.nn.functional as F
from support.cuda import (
    DEVICE,
    SWITCH,
    deterministic,
    no_waits,
    peak_bytes,
    relative_error,
    tf32,
)
from support.exact_contrast import exact_contrast

from mmpaco.losses import kernels
from mmpaco.losses.contrast import contrast_logsumexp

pytestmark = pytest.mark.cuda

# Images, rows, channels, extra rows. 1000 and 8191 rows end in a block that is
# not full.
OWN = (
    *((1, n, d, 0) for n in (1000, 8191, 8192) for d in (64, 128)),
    (1, 8192, 256, 0),
    (4, 2048, 128, 0),
)
QUEUE = ((1, 256, 128, 8192), (1, 1024, 128, 8192), (2, 300, 40, 500))
# Half a unit in the last place of the largest similarity, 1 / temperature, in
# float32: what tiles err by, and the least that float32 can.
HALF_ULP = 2.0**-24


@pytest.fixture(autouse=True)
def products_in_float32():
    with tf32(False):
        yield


@pytest.fixture
def needs_kernels():
    """Skip where there are no kernels, and fail where they do not compile."""
    rows = torch.ones(4, 16, device=DEVICE)
    if kernels.kernels_for(rows) is not None:
        return
    if kernels._FAILED:
        pytest.fail(f'the kernels do not compile: {kernels._FAILED[0]}')
    pytest.skip(f'no kernels: {kernels.obstacle(rows)}')


@pytest.fixture(params=('kernels', 'tiles'))
def way(request, monkeypatch):
    """Both ways in turn, as the user can switch them."""
    if request.param == 'tiles':
        monkeypatch.setenv(SWITCH, '0')
    else:
        request.getfixturevalue('needs_kernels')
    return request.param


def unit(images, rows, channels, seed=0):
    """Rows that are near each other, and one that is opposite."""
    generator = torch.Generator().manual_seed(seed + rows + channels)
    made = torch.randn(images, rows, channels, generator=generator) + 0.5
    made[:, -1] *= -1
    return F.normalize(made, dim=2).to(DEVICE)


def inputs(images, rows, channels, more):
    """Anchors, extra rows, and gradients from above over four decades."""
    generator = torch.Generator().manual_seed(rows)
    upstream = torch.rand(images, rows, generator=generator)
    upstream *= 10 ** (-4 * torch.rand(images, rows, generator=generator))
    extra = unit(images, more, channels, 1) if more else None
    return unit(images, rows, channels), extra, upstream.to(DEVICE)


def run(features, extra, upstream, temperature, function=contrast_logsumexp):
    """The result, and the gradients of anchors and of extra rows."""
    given = [x for x in (features, extra) if x is not None]
    given = [x.detach().requires_grad_() for x in given]
    out = function(*given, *[None] * (2 - len(given)), temperature)
    grads = torch.autograd.grad(out, given, upstream.to(out.dtype))
    return [out.detach(), *grads]


def errors(found, features, extra, upstream, temperature):
    """The largest error of an anchor, and those of the gradients.

    One image at a time, since float64 of all pairs takes gigabytes.
    """
    exact = []
    for i in range(len(features)):
        image = [
            None if x is None else x[i : i + 1].double()
            for x in (features, extra, upstream)
        ]
        exact.append(run(*image, temperature, exact_contrast))
    exact = [torch.cat(x) for x in zip(*exact)]
    out = float((found[0].double() - exact[0]).abs().max())
    return [out, *map(relative_error, found[1:], exact[1:])]


def bounds(channels, more):
    """How much more three products may err than tiles do.

    A tensor core cuts off what it adds up, once for each step in D, where
    float32 rounds: so the error of an anchor grows with D. Found on an H200
    were 1.4 to 1.5 times that of tiles for D = 64, up to 2.4 for 128, up to
    2.9 for 256, and 1.1 with a queue, at a temperature of 0.2. Gradients are
    sums over all columns on tensor cores in either case: 1.0 to 1.8 times,
    and up to 2.6 with a queue, whose tiles are the most exact.
    """
    out = 2 if channels <= 64 or more else 3 if channels <= 128 else 4
    return out, 4 if more else 2


@pytest.mark.parametrize('shape', (*OWN, *QUEUE), ids=str)
def test_three_products_are_as_exact_as_float32(
    needs_kernels, monkeypatch, shape
):
    *_, channels, more = shape
    temperature = 0.2 if more else 0.07
    case = inputs(*shape)
    ours = errors(run(*case, temperature), *case, temperature)
    monkeypatch.setenv(SWITCH, '0')
    tiles = errors(run(*case, temperature), *case, temperature)
    of_out, of_gradient = bounds(channels, more)
    # Tiles are float32 themselves.
    assert tiles[0] < 4 * HALF_ULP / temperature
    assert max(tiles[1:]) < 1e-6
    assert ours[0] < of_out * max(tiles[0], HALF_ULP / temperature)
    for one, other in zip(ours[1:], tiles[1:]):
        assert one < of_gradient * other


@pytest.mark.parametrize('shape', (OWN[1], OWN[5], QUEUE[1]), ids=str)
def test_one_product_is_as_exact_as_tf32(needs_kernels, shape):
    """So under autocast and where TF32 is allowed, and in no other case.

    A component is rounded to 11 bits: the error of a similarity is a sum of
    as many errors of either sign as there are channels.
    """
    temperature = 0.2 if shape[3] else 0.07
    case = inputs(*shape)

    def half(features, extra, temperature):
        return contrast_logsumexp(
            features, extra, temperature, under_autocast=True
        )

    found = run(*case, temperature, half)
    out, *gradients = errors(found, *case, temperature)
    exact_out, *exact = errors(run(*case, temperature), *case, temperature)
    assert 10 * exact_out < out < 2.0**-12 / temperature
    for one, other in zip(gradients, exact):
        assert 10 * other < one < 5e-4
    with tf32(True):
        for one, other in zip(run(*case, temperature), found):
            assert torch.equal(one, other)


@pytest.mark.parametrize('shape', (OWN[0], QUEUE[2]), ids=str)
def test_cold_contrasts_are_taken_with_a_running_maximum(way, shape):
    """exp(200) is beyond float32.

    An exponential errs, relative to itself, by what its exponent errs.
    """
    temperature = 0.005
    case = inputs(*shape)
    found = run(*case, temperature)
    assert max(errors(found, *case, temperature)) < 8 * HALF_ULP / temperature


def test_rows_in_float64_are_summed_in_float64():
    case = inputs(1, 500, 24, 40)
    exact = [x.double() for x in case]
    found = run(*exact, 0.07)
    assert found[0].dtype == torch.float64
    assert max(errors(found, *exact, 0.07)) < 1e-12


@pytest.mark.parametrize('shape', (OWN[0], OWN[4], OWN[5], QUEUE[0]), ids=str)
def test_two_runs_give_the_same_bits(way, shape):
    """And every element is written: others are nan here."""
    case = inputs(*shape)
    first = run(*case, 0.07)
    with deterministic():
        second = run(*case, 0.07)
    for one, other in zip(first, second):
        assert other.isfinite().all()
        assert torch.equal(one, other)


def test_an_anchor_without_contrasts_has_no_gradient(way):
    case = inputs(2, 1, 16, 0)
    out, gradient = run(*case, 0.07)
    assert (out == -torch.inf).all()
    assert not gradient.any()


def test_all_images_in_one_call_are_one_call_for_each(way):
    case = inputs(3, 700, 128, 90)
    together = run(*case, 0.07)
    each = [run(*(x[i] for x in case), 0.07) for i in range(len(case[0]))]
    for found, expected in zip(together, zip(*each)):
        expected = torch.stack(expected)
        torch.testing.assert_close(found, expected, rtol=2e-6, atol=2e-6)


def test_rows_may_be_a_transposed_view(way):
    """As the head of pixels has them."""
    features, extra, upstream = inputs(2, 500, 128, 60)
    view = features.transpose(1, 2).contiguous().transpose(1, 2)
    assert not view.is_contiguous()
    for found, expected in zip(
        run(view, extra, upstream, 0.07),
        run(features, extra, upstream, 0.07),
    ):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_nobody_waits_for_the_card(way):
    case = inputs(2, 2000, 128, 300)
    run(*case, 0.07)
    with no_waits():
        run(*case, 0.07)


def test_kernels_take_20_mb_an_image(needs_kernels):
    """16.9 were found; the dense form takes 1554."""
    case = inputs(2, 8192, 128, 0)
    run(*case, 0.07)
    assert peak_bytes(lambda: run(*case, 0.07)) < 2 * 20e6


def test_autocast_around_it_changes_nothing(way):
    """Nor around the backward: the loss says what it wants, as below it."""
    case = inputs(1, 1000, 128, 50)
    expected = run(*case, 0.07)
    with torch.autocast(DEVICE, torch.float16):
        found = run(*case, 0.07)
    for one, other in zip(found, expected):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(
    not hasattr(torch.compiler, 'is_compiling'),
    reason='torch 2.1 runs the loss outside of the graph',
)
def test_it_compiles_whole(needs_kernels):
    """And gives what the kernels do that run eagerly."""
    case = inputs(1, 1000, 64, 50)
    expected = run(*case, 0.07)
    compiled = torch.compile(contrast_logsumexp, fullgraph=True)
    for one, other in zip(run(*case, 0.07, compiled), expected):
        torch.testing.assert_close(one, other, rtol=2e-6, atol=4e-6)


@pytest.mark.cuda(devices=2)
def test_it_runs_where_its_rows_are(way):
    """Triton launches on the current device, which is another."""
    case = inputs(1, 1000, 128, 50)
    expected = run(*case, 0.07)
    found = run(*(x.to('cuda:1') for x in case), 0.07)
    assert torch.cuda.current_device() == 0
    for one, other in zip(found, expected):
        assert one.device == torch.device('cuda:1')
        torch.testing.assert_close(one.cpu(), other.cpu())
