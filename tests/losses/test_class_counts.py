"""What is a class count, wherever one is given."""

import copy
import math

import numpy as np
import pytest
import torch

from mmpaco.losses import (
    BalancedSoftmaxLoss,
    ClassPrior,
    MultiTaskLoss,
    PaCoLoss,
    as_class_counts,
    balanced_softmax_loss,
    effective_number_weights,
    log_class_prior,
    paco_loss,
)

PERCENT = [36.9, 6.1, 0.05]
WRONG_VALUES = (
    ([1.0, math.nan, 2.0], r'finite.*\[nan\]'),
    ([1.0, math.inf, 2.0], r'finite.*\[inf\]'),
    ([1, -2, 3], r'negative.*\[-2\]'),
    ([1.0, -0.5, 3.0], r'negative.*\[-0.5\]'),
    ([0, 0, 0], 'all class counts are zero'),
    ([0.0, 0.0, 0.0], 'all class counts are zero'),
)


@pytest.mark.parametrize(
    'counts',
    (
        [60, 30, 10],
        (60.0, 30.0, 10.0),
        PERCENT,
        [0, 1e30, 1],
        np.array([2**40, 1, 0]),
        np.array(PERCENT),
        np.array([3, 2, 1])[::-1],
        np.array([3, 2, 1], np.uint16),
        np.array(PERCENT, '>f4'),
        np.broadcast_to(7, 3),
        torch.tensor([5, 0, 2], dtype=torch.int32),
        torch.tensor([0.5, 0.3, 0.2], requires_grad=True),
        torch.tensor([5, 0, 2]).half(),
    ),
)
def test_whole_and_floating_counts_are_kept_as_they_are(counts):
    found = as_class_counts(counts, 3)
    given = list(counts) if isinstance(counts, tuple) else counts
    assert found.tolist() == getattr(given, 'tolist', lambda: given)()
    assert found.is_floating_point() or found.dtype == torch.int64
    assert not found.requires_grad
    prior = ClassPrior(3, counts)
    assert prior().tolist() == found.tolist()
    assert prior().dtype == found.dtype


@pytest.mark.parametrize(
    'counts, error, message',
    (
        *((values, ValueError, text) for values, text in WRONG_VALUES),
        ([1, 2], ValueError, 'expected 3'),
        ([[1, 2, 3]], ValueError, 'expected 3'),
        ([True, False, True], TypeError, 'integers or floating'),
        ([1j, 2, 3], TypeError, 'integers or floating'),
        ('123', TypeError, 'must be numbers'),
        (['a', 'b', 'c'], TypeError, 'must be numbers'),
        ([1, None, 3], TypeError, 'must be numbers'),
        ([[1], [2, 3], 4], TypeError, 'must be numbers'),
        (None, TypeError, 'must be numbers'),
        ({0: 1, 1: 2, 2: 3}, TypeError, 'must be numbers'),
    ),
)
def test_all_else_is_refused_and_changes_nothing(counts, error, message):
    prior = ClassPrior(3, [3, 2, 1])
    for use in (
        lambda: as_class_counts(counts, 3),
        lambda: prior.set_class_counts(counts),
    ):
        with pytest.raises(error, match=message):
            use()
    assert prior().tolist() == [3, 2, 1]
    if counts is not None:
        with pytest.raises(error, match=message):
            BalancedSoftmaxLoss(3, class_counts=counts)


@pytest.mark.parametrize('counts', ([], 7, [[1, 2]]))
def test_any_number_of_classes_is_one_row_of_counts(counts):
    with pytest.raises(ValueError, match='one class count for each'):
        as_class_counts(counts)
    assert len(as_class_counts([1] * 5)) == 5


USES = {
    'paco_loss': lambda counts: paco_loss(
        *rows(), alpha=0.05, temperature=0.2, class_counts=counts
    ),
    'PaCoLoss': lambda counts: PaCoLoss(0.05, 0.2)(
        *rows(), class_counts=counts
    ),
    'MultiTaskLoss': lambda counts: MultiTaskLoss(reweight=True)(
        *rows(), class_counts=counts
    ),
    'balanced_softmax_loss': lambda counts: balanced_softmax_loss(
        rows()[2], rows()[1], counts
    ),
    'log_class_prior': log_class_prior,
    'effective_number_weights': effective_number_weights,
}


def rows():
    labels = torch.tensor([0, 1, 2, 0])
    return torch.eye(4), labels, torch.zeros(4, 3)


@pytest.mark.parametrize('use', USES)
@pytest.mark.parametrize('counts, message', WRONG_VALUES)
def test_every_loss_refuses_them_on_the_host(use, counts, message):
    with pytest.raises(ValueError, match=message):
        USES[use](torch.tensor(counts))


@pytest.mark.parametrize('use', USES)
@pytest.mark.parametrize(
    'counts', ([3, 2, 1], (3, 2, 1), np.array([3, 2, 1]), torch.ones(3) > 0)
)
def test_every_loss_says_that_counts_are_a_tensor_of_numbers(use, counts):
    with pytest.raises(TypeError, match='class.counts must be'):
        USES[use](counts)


@pytest.mark.parametrize('use', USES)
def test_of_a_device_no_count_is_read(use):
    """A meta tensor has nothing that could be read."""
    counts = torch.tensor([3.0, math.nan, 1.0]).to('meta')
    try:
        USES[use](counts)
    except (RuntimeError, NotImplementedError) as error:
        # It does not mix with rows of the host, after the checks.
        assert 'class counts' not in str(error)
        assert 'meta' in str(error)


@pytest.mark.parametrize('dtype', (torch.float32, torch.float64))
def test_shares_and_counts_have_the_same_prior(dtype):
    counts = [700, 200, 100]
    expected = torch.log(torch.tensor(counts).to(dtype) / 1000 + 1e-9)
    for given in (
        counts,
        [0.7, 0.2, 0.1],
        [70.0, 20.0, 10.0],
        [7e30, 2e30, 1e30],
    ):
        prior = ClassPrior(3, given)
        torch.testing.assert_close(log_class_prior(prior(), dtype), expected)


def test_counts_beyond_the_scores_precision_stay_finite():
    prior = log_class_prior(torch.tensor([1e39, 1e38], dtype=torch.float64))
    assert prior.dtype == torch.float32
    assert prior.exp().tolist() == pytest.approx([10 / 11, 1 / 11])


def test_a_checkpoint_brings_whole_numbers_or_shares():
    """Also one of before, where all were int64, into a model with shares."""
    for theirs, mine in (
        (PERCENT, None),
        ([5, 0, 2], None),
        ([5, 0, 2], PERCENT),
        (PERCENT, [5, 0, 2]),
    ):
        state = copy.deepcopy(ClassPrior(3, theirs).state_dict())
        restored = ClassPrior(3).eval()
        if mine is not None:
            restored.load_state_dict(ClassPrior(3, mine).state_dict())
        restored.load_state_dict(state)
        assert restored().tolist() == theirs
        kept = ClassPrior(3, mine or [1, 2, 3])
        kept.load_state_dict(state)
        assert kept().tolist() == (mine or [1, 2, 3])


def test_what_was_cut_to_nonsense_in_a_checkpoint_is_told():
    prior = ClassPrior(3)
    state = dict(class_counts=torch.tensor([-(2**63), 5, 2]))
    prior.load_state_dict(state)
    with pytest.raises(ValueError, match='negative, but got'):
        prior()
    prior.set_class_counts([6, 5, 2])
    assert prior().tolist() == [6, 5, 2]


def test_counts_are_those_of_whole_numbers_again():
    prior = ClassPrior(3, PERCENT)
    prior.set_class_counts([3, 2, 1])
    assert prior().dtype == torch.int64


@pytest.mark.parametrize('counts', ([70000, 30, 1], [70000.5, 30.25, 1e-9]))
def test_a_model_in_half_precision_keeps_its_counts(counts):
    prior = ClassPrior(3, counts)
    for cast in (prior.half, prior.bfloat16, prior.float, prior.double):
        cast()
        assert prior().tolist() == counts
    prior.to('meta')
    assert prior.class_counts.device.type == 'meta'


def test_no_labels_have_a_loss_of_zero():
    loss = BalancedSoftmaxLoss(3, class_counts=[3, 2, 1])
    scores = torch.zeros(0, 3, requires_grad=True)
    found = loss(scores, torch.zeros(0, dtype=torch.long))
    found.backward()
    assert found == 0
