"""What the losses of one-label images have in common."""

import copy

import pytest
import torch
from support.released_losses import COUNTS, LABELS, SCORES

from mmpaco.losses import (
    BalancedSoftmaxLoss,
    ClassBalancedLoss,
    LabelAwareSmoothLoss,
    LDAMLoss,
)

LOSSES = {
    'ldam': lambda **kw: LDAMLoss(5, **kw),
    'softmax': lambda **kw: ClassBalancedLoss(5, **kw),
    'by-weights': lambda **kw: ClassBalancedLoss(5, divide_by='weights', **kw),
    'focal': lambda **kw: ClassBalancedLoss(5, 'focal', **kw),
    'sigmoid': lambda **kw: ClassBalancedLoss(
        5, 'sigmoid_focal', gamma=0.5, **kw
    ),
    'smooth': lambda **kw: LabelAwareSmoothLoss(5, 0.4, 0.1, **kw),
    'logit-adjusted': lambda **kw: BalancedSoftmaxLoss(5, tau=1.5, **kw),
}
WEIGHTED = ('ldam', 'softmax', 'by-weights', 'focal', 'sigmoid')


@pytest.fixture(params=LOSSES)
def name(request):
    return request.param


def switched_on(name, **options):
    loss = LOSSES[name](**{'class_counts': COUNTS, **options})
    if name in WEIGHTED:
        loss.set_reweighting(True)
    return loss


def test_half_precision_is_summed_in_float32(name):
    loss, scores = switched_on(name), SCORES.half()
    found = loss(scores, LABELS)
    assert found.dtype == torch.float32
    assert torch.equal(found, loss(scores.float(), LABELS))


def test_gradients_are_those_of_differences(name):
    scores = SCORES.clone().requires_grad_()
    loss = switched_on(name)
    assert torch.autograd.gradcheck(lambda x: loss(x, LABELS), scores)


@pytest.mark.parametrize('size', (20.0, 200.0, 1e4))
def test_scores_that_are_sure_have_finite_gradients(name, size):
    scores = size * torch.eye(5)
    for labels in (torch.arange(5), (torch.arange(5) + 1) % 5):
        values = scores.clone().requires_grad_()
        loss = switched_on(name)(values, labels)
        loss.backward()
        assert loss.isfinite() and values.grad.isfinite().all()


def test_means_are_those_that_a_head_asks_for(name):
    loss, doubled = switched_on(name), switched_on(name, loss_weight=2.0)
    each = loss(SCORES, LABELS, reduction_override='none')
    assert each.shape == LABELS.shape
    torch.testing.assert_close(
        doubled(SCORES, LABELS, reduction_override='sum'), 2 * each.sum()
    )
    mean = loss(SCORES, LABELS)
    torch.testing.assert_close(doubled(SCORES, LABELS), 2 * mean)
    by_weights = name in ('ldam', 'by-weights')
    half = loss(SCORES, LABELS, avg_factor=16)
    torch.testing.assert_close(half, mean if by_weights else mean / 2)
    factors = torch.arange(8.0, dtype=torch.float64)
    torch.testing.assert_close(
        loss(SCORES, LABELS, factors, reduction_override='sum'),
        (each * factors).sum(),
    )
    with pytest.raises(ValueError, match='reduction_override'):
        loss(SCORES, LABELS, avg_factor=8, reduction_override='sum')


def test_no_images_are_a_zero_with_a_graph(name):
    scores = torch.zeros(0, 5, requires_grad=True)
    found = switched_on(name)(scores, torch.zeros(0, dtype=torch.int64))
    assert found.item() == 0
    found.backward()


@pytest.mark.parametrize('counts', ([5, 0, 3, 1, 0], [7, 7, 7, 7, 7]))
def test_classes_without_images_and_balanced_ones_are_finite(name, counts):
    scores = SCORES.clone().requires_grad_()
    found = switched_on(name, class_counts=counts)(scores, LABELS)
    found.backward()
    assert found.isfinite() and scores.grad.isfinite().all()


def test_nobody_waits_for_a_device(name, monkeypatch):
    """Once the counts have been read, at the first loss."""
    # Here, since mmengine may be missing.
    HostReads = pytest.importorskip('support.host_reads').HostReads
    monkeypatch.setattr(torch.Tensor, 'is_cpu', False)
    loss, scores = switched_on(name), SCORES.clone().requires_grad_()
    loss(scores, LABELS)
    with HostReads() as reads:
        loss(scores, LABELS, avg_factor=8).backward()
    assert reads.by == []


def test_counts_are_missed_before_they_are_used(name):
    loss = LOSSES[name]()
    with pytest.raises(RuntimeError, match='ClassPriorHook'):
        loss(SCORES, LABELS)


def test_a_checkpoint_carries_the_counts_and_nothing_else(name):
    loss = switched_on(name)
    state = copy.deepcopy(loss.state_dict())
    assert list(state) == ['prior.class_counts']
    restored = LOSSES[name]()
    restored.load_state_dict(state)
    if name in WEIGHTED:
        # A hook tells that, and not the checkpoint.
        assert restored.reweighting == (name != 'ldam')
        restored.set_reweighting(True)
    with pytest.warns(UserWarning, match='class prior is that of'):
        found = restored(SCORES, LABELS)
    assert torch.equal(found, loss(SCORES, LABELS))


ONES = sorted({*LOSSES} - {'logit-adjusted'})


@pytest.mark.parametrize('name', ONES)
@pytest.mark.parametrize(
    'scores, labels, error, told',
    [
        (SCORES, LABELS + 1, ValueError, r'labels must lie in \[0, 5\)'),
        (SCORES, LABELS - 1, ValueError, r'labels must lie in \[0, 5\)'),
        (SCORES, LABELS.double(), TypeError, 'labels must be integers'),
        (SCORES, SCORES.softmax(1), ValueError, 'one class index for each'),
        (SCORES[:, :4], LABELS, ValueError, r'shape \(N, 5\)'),
        (SCORES[None], LABELS, ValueError, r'shape \(N, 5\)'),
    ],
)
def test_what_is_no_score_or_label_is_refused(
    name, scores, labels, error, told
):
    with pytest.raises(error, match=told):
        switched_on(name)(scores, labels)


@pytest.mark.parametrize('name', WEIGHTED)
def test_weights_are_switched_and_multiply_the_loss_of_an_image(name):
    loss = LOSSES[name](class_counts=COUNTS)
    assert loss.reweighting == (name != 'ldam')
    loss.set_reweighting(False)
    plain = loss(SCORES, LABELS, reduction_override='none')
    torch.testing.assert_close(
        loss(SCORES, LABELS, avg_factor=4), plain.sum() / 4
    )
    loss.set_reweighting(True)
    number = 1 - 0.9999 ** torch.tensor(COUNTS, dtype=torch.float64)
    weights = (1 / number / (1 / number).mean())[LABELS]
    torch.testing.assert_close(
        loss(SCORES, LABELS, reduction_override='none'), plain * weights
    )


def test_without_class_weights_there_is_nothing_to_switch():
    loss = ClassBalancedLoss(5, beta=0)
    for is_on in (True, False):
        with pytest.raises(ValueError, match='no class weights'):
            loss.set_reweighting(is_on)
    # It needs no counts.
    torch.testing.assert_close(
        loss(SCORES, LABELS),
        torch.nn.functional.cross_entropy(SCORES, LABELS),
    )
    with pytest.raises(ValueError, match='divide_by'):
        ClassBalancedLoss(5, divide_by='classes')
    with pytest.raises(ValueError, match='beta'):
        LDAMLoss(5, beta=1.0)


def test_shares_give_margins_and_no_class_weights():
    shares = torch.tensor(COUNTS) / sum(COUNTS)
    loss = LDAMLoss(5, class_counts=shares)
    expected = LDAMLoss(5, class_counts=COUNTS)(SCORES, LABELS)
    torch.testing.assert_close(
        loss(SCORES, LABELS), expected, rtol=1e-6, atol=1e-6
    )
    # At once, and on a device that nothing is read of in a step.
    with pytest.raises(ValueError, match='got shares'):
        loss.set_reweighting(True)
    assert not loss.reweighting
    with pytest.raises(ValueError, match='got shares'):
        ClassBalancedLoss(5, class_counts=shares)
    ClassBalancedLoss(5, beta=0, class_counts=shares)(SCORES, LABELS)
    # Where nobody said before what they are.
    loss.prior.is_given = False
    loss.set_reweighting(True)
    with pytest.raises(ValueError, match='got shares'):
        loss(SCORES, LABELS)
