"""Balanced Softmax and the class prior."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.released_losses import COUNTS, LABELS, SCORES, check

from mmpaco.losses import (
    BalancedSoftmaxLoss,
    ClassPrior,
    balanced_softmax_loss,
    check_labels,
    log_class_prior,
)


def test_balanced_softmax_is_weighted_by_the_counts():
    """p_c is n_c exp(s_c) over the sum of these, Ren et al., Eq. 4."""
    torch.manual_seed(0)
    logits = torch.randn(5, 3, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 2, 0])
    counts = torch.tensor([50, 10, 2])
    weighted = counts.numpy() * np.exp(logits.numpy())
    expected = -np.log(weighted[np.arange(5), labels] / weighted.sum(axis=1))
    got = balanced_softmax_loss(logits, labels, counts)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-6)


def test_uniform_counts_give_cross_entropy():
    logits, labels = torch.randn(6, 4, 2, 2), torch.randint(0, 4, (6, 2, 2))
    labels[0, 0, 0] = 255
    got = balanced_softmax_loss(
        logits, labels, torch.full((4,), 7), ignore_index=255
    )
    expected = F.cross_entropy(
        logits, labels, ignore_index=255, reduction='none'
    )
    torch.testing.assert_close(got, expected)
    assert got[0, 0, 0] == 0


def test_half_precision_logits_are_summed_in_float32():
    logits = torch.randn(4, 3).bfloat16()
    labels, counts = torch.tensor([0, 1, 2, 0]), torch.tensor([9, 3, 1])
    got = balanced_softmax_loss(logits, labels, counts)
    assert got.dtype == torch.float32
    torch.testing.assert_close(
        got, balanced_softmax_loss(logits.float(), labels, counts)
    )


def test_module_averages_as_mmpretrain_asks():
    loss = BalancedSoftmaxLoss(3, loss_weight=2.0)
    loss.prior.set_class_counts([9, 3, 1])
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    each = balanced_softmax_loss(logits, labels, torch.tensor([9, 3, 1]))
    torch.testing.assert_close(loss(logits, labels), 2 * each.mean())
    torch.testing.assert_close(
        loss(logits, labels, avg_factor=8), 2 * each.sum() / 8
    )
    weight = torch.tensor([0.0, 1.0, 2.0, 0.0])
    torch.testing.assert_close(
        loss(logits, labels, weight), 2 * (each * weight).mean()
    )


def test_counts_that_do_not_fit_the_logits_are_refused():
    with pytest.raises(ValueError, match='one class count'):
        balanced_softmax_loss(
            torch.ones(2, 3), torch.tensor([0, 1]), torch.ones(4)
        )


def test_prior_without_counts_names_the_hook():
    loss = BalancedSoftmaxLoss(3)
    with pytest.raises(RuntimeError, match='ClassPriorHook'):
        loss(torch.ones(2, 3), torch.tensor([0, 1]))


def test_prior_travels_with_the_checkpoint():
    prior = ClassPrior(3)
    prior.set_class_counts([5, 0, 2])
    restored = ClassPrior(3)
    restored.load_state_dict(copy.deepcopy(prior.state_dict()))
    assert restored().tolist() == [5, 0, 2]


def test_log_prior_is_finite_for_a_class_without_images():
    prior = log_class_prior(torch.tensor([3, 0, 1]))
    expected = np.log(np.array([3, 0, 1]) / 4 + 1e-9)
    np.testing.assert_allclose(prior.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    'counts, message',
    (
        ([1, 2], 'expected 3'),
        ([[1, 2, 3]], 'expected 3'),
        ([1, -2, 3], 'negative'),
        ([0, 0, 0], 'all class counts are zero'),
    ),
)
def test_bad_counts_are_refused(counts, message):
    prior = ClassPrior(3)
    prior.set_class_counts([1, 1, 1])
    with pytest.raises(ValueError, match=message):
        prior.set_class_counts(counts)
    assert prior().tolist() == [1, 1, 1]


def test_prior_needs_classes():
    with pytest.raises(ValueError, match='positive'):
        ClassPrior(0)


@pytest.mark.parametrize(
    'labels, num_classes, ignore, error',
    (
        (torch.tensor([0, -1]), 3, None, ValueError),
        (torch.tensor([0, 3]), 3, None, ValueError),
        (torch.tensor([0, 3]), 3, 255, ValueError),
        (torch.tensor([0.0, 1.0]), 3, None, TypeError),
        (torch.tensor([True]), 3, None, TypeError),
    ),
)
def test_bad_labels_are_refused(labels, num_classes, ignore, error):
    with pytest.raises(error, match='labels must'):
        check_labels(labels, num_classes, ignore)


def test_good_labels_pass():
    check_labels(torch.tensor([[0, 2], [255, 1]]), 3, 255)
    check_labels(torch.tensor([0, 999]))


@pytest.mark.parametrize(
    'counts', [torch.int64, torch.int32, torch.float32, torch.float64]
)
@pytest.mark.parametrize('scores', [torch.float16, torch.float32])
def test_counts_have_no_part_in_the_dtype(counts, scores):
    logits = torch.randn(5, 3).to(scores)
    labels = torch.tensor([0, 1, 2, 1, 0])
    found = balanced_softmax_loss(
        logits, labels, torch.tensor([7, 2, 1]).to(counts)
    )
    assert found.dtype == torch.float32


def test_scores_in_float64_get_a_prior_in_float64():
    counts = torch.tensor([7, 2, 1])
    logits = torch.randn(5, 3, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 1, 0])
    shifted = logits + torch.log(counts.double() / 10 + 1e-9)
    torch.testing.assert_close(
        balanced_softmax_loss(logits, labels, counts),
        torch.nn.functional.cross_entropy(shifted, labels, reduction='none'),
        rtol=1e-14,
        atol=1e-14,
    )


def test_no_labels_are_a_zero_with_a_graph():
    loss = BalancedSoftmaxLoss(3, class_counts=[3, 2, 1])
    scores = torch.zeros(0, 3, requires_grad=True)
    found = loss(scores, torch.zeros(0, dtype=torch.int64))
    assert found.item() == 0
    found.backward()


def test_the_loss_may_know_what_is_ignored_where_the_head_does_not_tell():
    logits, labels = torch.randn(4, 3), torch.tensor([0, 255, 2, 0])
    loss = BalancedSoftmaxLoss(3, class_counts=[9, 3, 1], ignore_index=255)
    told = BalancedSoftmaxLoss(3, class_counts=[9, 3, 1])
    torch.testing.assert_close(
        loss(logits, labels), told(logits, labels, ignore_index=255)
    )
    # What a head tells goes before.
    labels[1] = 1
    torch.testing.assert_close(
        loss(logits, labels, ignore_index=1),
        told(logits, labels, ignore_index=1),
    )


@pytest.mark.parametrize(
    'tau, expected',
    [
        (0.5, (3.065054141, 1.718476829, 0.4064342161, -0.1207036448)),
        (1.0, (3.339561368, 1.775818584, 0.4154063922, -0.1130206999)),
        (1.5, (3.853980543, 1.791258003, 0.4277996554, -0.09833451106)),
        (2.0, (4.536537845, 1.750042159, 0.4282576209, -0.0773423044)),
    ],
)
def test_with_a_factor_it_is_the_logit_adjusted_loss(tau, expected):
    """As released, which adds 1e-12 to a share where here it is 1e-9."""
    loss = BalancedSoftmaxLoss(5, class_counts=COUNTS, tau=tau)
    check(lambda x: loss(x, LABELS), SCORES, *expected, rel=1e-7, abs=1e-7)

    shares = torch.tensor(COUNTS, dtype=torch.float64) / sum(COUNTS)
    for epsilon, close in ((1e-12, 2e-9), (1e-9, 1e-12)):
        prior = tau * torch.log(shares + epsilon)
        dense = F.cross_entropy(SCORES + prior, LABELS)
        known = expected[0] if close > 1e-9 else loss(SCORES, LABELS)
        assert float(dense) == pytest.approx(float(known), rel=close)


def test_the_factor_of_one_changes_no_bit():
    scores, counts = torch.randn(64, 5), torch.tensor(COUNTS)
    labels = torch.arange(64) % 5
    plain = F.cross_entropy(scores + log_class_prior(counts), labels)
    assert torch.equal(
        BalancedSoftmaxLoss(5, class_counts=COUNTS)(scores, labels), plain
    )
    # At 0 the prior has no part in it.
    none = BalancedSoftmaxLoss(5, class_counts=COUNTS, tau=0.0)
    assert torch.equal(none(scores, labels), F.cross_entropy(scores, labels))
    for tau in (-1.0, float('nan')):
        with pytest.raises(ValueError, match='tau must be'):
            BalancedSoftmaxLoss(5, tau=tau)
