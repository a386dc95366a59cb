"""Sums over the scores of all classes, and their gradient in one pass."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from mmpaco.losses.center_terms import center_terms


def dense_terms(scores, log_prior, target, label_smoothing):
    balanced = scores if log_prior is None else scores + log_prior
    num_classes = balanced.shape[-1]
    one_hot = torch.nn.functional.one_hot(target, num_classes)
    share = label_smoothing / (num_classes - 1) if label_smoothing else 0
    weights = one_hot * (1 - label_smoothing) + (1 - one_hot) * share
    return balanced.logsumexp(-1), (weights * balanced).sum(-1)


def make_inputs(shape, dtype=torch.float64, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    scores = scale * torch.randn(shape, generator=generator, dtype=dtype)
    prior = torch.rand(shape[-1], generator=generator, dtype=dtype).log()
    target = torch.randint(shape[-1], shape[:-1], generator=generator)
    return scores.requires_grad_(), prior, target


@pytest.mark.parametrize('shape', [(5, 7), (1, 2), (3, 4, 5), (0, 3), (2, 1)])
@pytest.mark.parametrize('has_prior', [True, False])
@pytest.mark.parametrize('label_smoothing', [0.0, 0.1])
def test_terms_and_gradients_equal_the_dense_form(
    shape, has_prior, label_smoothing
):
    if shape[-1] == 1 and label_smoothing:
        pytest.skip('there is no other class')
    scores, prior, target = make_inputs(shape)
    given = (scores, prior if has_prior else None, target, label_smoothing)
    upstream = [torch.randn(shape[:-1], dtype=torch.float64) for _ in range(2)]

    def gradient(terms):
        return torch.autograd.grad(terms, scores, upstream)[0]

    found, expected = center_terms(*given), dense_terms(*given)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient(found), gradient(expected))
    if scores.numel():
        assert gradcheck(lambda x: center_terms(x, *given[1:]), (scores,))


def test_scores_beyond_the_range_of_exponentials():
    scores, prior, target = make_inputs((6, 9), torch.float32, 200.0)
    given = (prior, target, 0.1)
    found, expected = center_terms(scores, *given), dense_terms(scores, *given)
    torch.testing.assert_close(found, expected)
    sums = [torch.stack(x).sum() for x in (found, expected)]
    torch.testing.assert_close(
        *(torch.autograd.grad(x, scores)[0] for x in sums)
    )


def test_classes_that_are_masked_out():
    scores = torch.tensor([[1.0, -math.inf, 2.0], [-math.inf] * 3])
    scores.requires_grad_()
    log_sum, pulled = center_terms(scores, None, torch.tensor([0, 1]), 0.0)
    torch.testing.assert_close(log_sum, scores.logsumexp(1))
    assert pulled.tolist() == [1.0, -math.inf]
    log_sum.sum().backward()
    expected = [[1 / (1 + math.e), 0, math.e / (1 + math.e)], [0.0] * 3]
    torch.testing.assert_close(scores.grad, torch.tensor(expected))


@pytest.mark.parametrize('label_smoothing', [0.0, 0.1])
def test_a_target_that_is_masked_out_has_an_infinite_loss(label_smoothing):
    scores = torch.tensor([[-math.inf, 1.0, 2.0], [-math.inf] * 3])
    target = torch.tensor([0, 1])
    _, pulled = center_terms(scores, None, target, label_smoothing)
    assert pulled.tolist() == [-math.inf] * 2


def test_scores_and_prior_are_left_as_they_are():
    scores, prior, target = make_inputs((4, 3))
    before = scores.detach().clone(), prior.clone()
    terms = center_terms(scores, prior, target, 0.1)
    for _ in range(2):
        torch.stack(terms).sum().backward(retain_graph=True)
    torch.testing.assert_close((scores.detach(), prior), before)
    _, of_both = scores.grad, scores.grad / 2
    scores.grad = None
    torch.stack(center_terms(scores, prior, target, 0.1)).sum().backward()
    torch.testing.assert_close(of_both, scores.grad)
