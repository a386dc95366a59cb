"""Whole losses on a card, by kernels, by tiles and dense."""

import pytest
import torch
import torch.nn.functional as F
from support.cuda import (
    DEVICE,
    SWITCH,
    deterministic,
    no_waits,
    relative_error,
    tf32,
)
from torch import nn

from mmpaco.losses import (
    BalancedSoftmaxLoss,
    ClassPrior,
    EmbeddingQueue,
    MultiTaskLoss,
    PaCoLoss,
    SupConLoss,
)

pytestmark = pytest.mark.cuda

CLASSES, IGNORE = 19, 255
LOSSES = {
    'pixels': lambda **options: PaCoLoss(0.01, 0.07, **options),
    'images': lambda **options: PaCoLoss(0.05, 0.2, **options),
    'smoothed': lambda **options: PaCoLoss(
        0.05, 0.2, gamma=0.5, label_smoothing=0.1, **options
    ),
    'supcon': lambda **options: SupConLoss(0.1, **options),
    'multi-task': lambda **options: MultiTaskLoss(reweight=True, **options),
}


@pytest.fixture(autouse=True)
def products_in_float32():
    with tf32(False):
        yield


@pytest.fixture(params=('kernels', 'tiles', 'dense'))
def impl(request, monkeypatch):
    """Give the form of a loss; tiles are what is left without kernels."""
    if request.param == 'tiles':
        monkeypatch.setenv(SWITCH, '0')
    return 'dense' if request.param == 'dense' else 'tiled'


def inputs(num_rows=1000, num_extra=300, channels=64, images=2):
    """Half of the rows are of one class; one image has no anchor."""
    generator = torch.Generator().manual_seed(0)

    def rows(count):
        values = torch.randn(images, count, channels, generator=generator)
        return F.normalize(values + 0.3, dim=2)

    def labels(count):
        made = torch.randint(
            0, 2 * CLASSES, (images, count), generator=generator
        ).clamp(max=CLASSES - 1)
        made[torch.rand(made.shape, generator=generator) < 0.1] = IGNORE
        return made

    made = dict(
        features=rows(num_rows),
        labels=labels(num_rows),
        center_logits=torch.randn(
            images, num_rows, CLASSES, generator=generator
        ),
        class_counts=torch.arange(CLASSES, 0, -1),
    )
    if num_extra:
        made.update(
            extra_features=rows(num_extra), extra_labels=labels(num_extra)
        )
    if images > 1:
        made['labels'][-1] = IGNORE
    return {name: x.to(DEVICE) for name, x in made.items()}


def value_and_gradients(loss, given):
    trained = ('features', 'center_logits', 'extra_features')
    given = {
        name: x.detach().requires_grad_(name in trained)
        for name, x in given.items()
    }
    value = loss(**given)
    wanted = [x for x in given.values() if x.requires_grad]
    grads = torch.autograd.grad(value, wanted, allow_unused=True)
    return [value.detach(), *(x for x in grads if x is not None)]


def exact(name, given):
    """The dense form in float64."""
    given = {
        key: x.double() if x.is_floating_point() else x
        for key, x in given.items()
    }
    loss = LOSSES[name](impl='dense', ignore_index=IGNORE)
    return value_and_gradients(loss, given)


@pytest.mark.parametrize('name', LOSSES)
def test_losses_and_gradients_are_the_dense_form_in_float64(name, impl):
    given = inputs()
    loss = LOSSES[name](impl=impl, ignore_index=IGNORE)
    found = value_and_gradients(loss, given)
    expected = exact(name, given)
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        assert one.dtype == torch.float32
        assert relative_error(one, other) < 3e-6


@pytest.mark.parametrize('dtype', (torch.float16, torch.bfloat16))
@pytest.mark.parametrize('name', LOSSES)
def test_under_autocast_it_errs_as_one_product_does(name, dtype, impl):
    """Around the backward, too; whatever autocast's own precision is.

    Autograd's own products of the dense form are then in that.
    """
    given = inputs()
    loss = LOSSES[name](impl=impl, ignore_index=IGNORE)
    with torch.autocast(DEVICE, dtype):
        found = value_and_gradients(loss, given)
    for one, other in zip(found, exact(name, given)):
        assert one.dtype == torch.float32
        bound = 5e-3 if impl == 'dense' else 1e-3
        assert relative_error(one, other) < bound


@pytest.mark.parametrize('name', LOSSES)
def test_rows_in_half_precision_are_taken_in_float32(name, impl):
    given = {
        key: x.half() if x.is_floating_point() else x
        for key, x in inputs().items()
    }
    loss = LOSSES[name](impl=impl, ignore_index=IGNORE)
    value, *grads = value_and_gradients(loss, given)
    assert value.dtype == torch.float32
    assert relative_error(value, exact(name, given)[0]) < 3e-6
    for grad in grads:
        assert grad.dtype == torch.float16
        assert grad.isfinite().all()


@pytest.mark.parametrize('name', LOSSES)
def test_nobody_waits_for_the_card(name, impl):
    loss = LOSSES[name](impl=impl, ignore_index=IGNORE)
    given = inputs()
    value_and_gradients(loss, given)
    with no_waits():
        value_and_gradients(loss, given)


@pytest.mark.parametrize('name', LOSSES)
def test_two_runs_can_give_the_same_bits(name, impl):
    """Sums over classes have a form without atomics, which is slower."""
    loss = LOSSES[name](impl=impl, ignore_index=IGNORE)
    given = inputs()
    with deterministic():
        first, second = (value_and_gradients(loss, given) for _ in range(2))
    for one, other in zip(first, second):
        assert one.isfinite().all()
        assert torch.equal(one, other)


def test_an_image_of_8192_pixels_fits(impl):
    """150 classes, as ADE20K has; half of the pixels are of one."""
    given = inputs(8192, 0, 128, 1)
    given['center_logits'] = torch.randn(1, 8192, 150, device=DEVICE)
    del given['class_counts']
    loss = LOSSES['pixels'](impl=impl, ignore_index=IGNORE)
    found = value_and_gradients(loss, given)
    for one, other in zip(found, exact('pixels', given)):
        assert relative_error(one, other) < 3e-6


class Model(nn.Module):
    """A loss with the layers before it, as a user would compile them."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Linear(64, 64 + CLASSES)
        self.loss = LOSSES['pixels'](ignore_index=IGNORE)

    def forward(self, x, labels):
        rows, scores = self.layers(x).split((64, CLASSES), dim=-1)
        return self.loss(F.normalize(rows, dim=-1), labels, scores)


@pytest.mark.skipif(
    not hasattr(torch.compiler, 'is_compiling'),
    reason='torch 2.1 runs the loss outside of the graph',
)
@pytest.mark.parametrize('images', (None, 2))
def test_a_module_with_the_loss_compiles_whole(images):
    torch.manual_seed(0)
    model = Model().to(DEVICE)
    shape = (500,) if images is None else (images, 500)
    x = torch.randn(*shape, 64, device=DEVICE)
    labels = torch.randint(CLASSES, shape, device=DEVICE)
    compiled = torch.compile(model, fullgraph=True)
    loss, expected = compiled(x, labels), model(x, labels)
    torch.testing.assert_close(loss, expected)
    weights = list(model.parameters())
    for one, other in zip(
        torch.autograd.grad(loss, weights),
        torch.autograd.grad(expected, weights),
    ):
        assert relative_error(one, other) < 1e-5


def test_balanced_softmax_is_that_of_the_host():
    counts = [5, 3, 2, 1]
    loss = BalancedSoftmaxLoss(num_classes=4, class_counts=counts)
    scores, labels = torch.randn(64, 4), torch.randint(4, (64,))
    expected = loss(scores, labels)
    scores = scores.to(DEVICE).requires_grad_()
    labels, loss = labels.to(DEVICE), loss.to(DEVICE)
    loss(scores, labels).backward()
    with no_waits():
        found = loss(scores, labels)
        found.backward()
    torch.testing.assert_close(found.cpu(), expected)


def test_a_queue_turns_without_anybody_waiting():
    """And holds what one on the host holds."""
    torch.manual_seed(0)
    ours, theirs = (EmbeddingQueue(100, 16) for _ in range(2))
    ours = ours.to(DEVICE)
    for count in (30, 50, 40, 7, 120):
        rows, labels = torch.randn(count, 16), torch.randint(9, (count,))
        theirs.append(rows, labels)
        rows, labels = rows.to(DEVICE), labels.to(DEVICE)
        with no_waits():
            ours.stage(rows, labels)
            ours.append(*ours.take_staged())
            ours.contents()
        for one, other in zip(ours.contents(), theirs.contents()):
            torch.testing.assert_close(one.cpu(), other)
    restored = EmbeddingQueue(100, 16).to(DEVICE)
    restored.load_state_dict(ours.state_dict())
    assert torch.equal(restored.contents()[0], ours.contents()[0])


def test_a_class_prior_is_read_once():
    prior = ClassPrior(3)
    prior.set_class_counts([60, 30, 10])
    prior.to(DEVICE)
    prior()
    with no_waits():
        assert prior().device.type == DEVICE


def test_shares_are_no_images_for_class_weights():
    loss = MultiTaskLoss(reweight=True)
    given = inputs(images=1, num_extra=0)
    given = {
        name: x if name == 'class_counts' else x[0]
        for name, x in given.items()
    }
    given['labels'] = given['labels'].clamp(max=CLASSES - 1)
    counts = given.pop('class_counts')
    with pytest.raises(ValueError, match='counts, but got shares'):
        loss(**given, class_counts=counts / counts.sum())
    loss(**given, class_counts=counts.float())
    with no_waits():
        loss(**given, class_counts=counts.float())
