"""The part of the loss that sees the score of every class, in few passes."""

import math
from typing import Any, Optional

import torch
from torch import Tensor

from .once import differentiable_once


def center_terms(
    scores: Tensor,
    log_prior: Optional[Tensor],
    target: Tensor,
    label_smoothing: float,
) -> tuple[Tensor, Tensor]:
    """Sum the exponentials of balanced scores, and weigh those of a target.

    With many classes the scores are most of the work beside a queue, so they
    are gone over once, and once again for their gradient.

    Args:
        scores (Tensor): Scores of each class, of shape (..., C).
        log_prior (Tensor, optional): What is added to them, of shape (C, ).
        target (Tensor): The class of each anchor, int64 of shape (...).
        label_smoothing (float): Share of the target that goes to the C - 1
            other classes in equal parts.

    Returns:
        tuple[Tensor, Tensor]: ``log sum_c exp(u_c)`` and ``sum_c t_c u_c`` of
        each anchor, for the balanced scores u and the smoothed target t.
    """
    log_sum, pulled = _CenterTerms.apply(
        scores, log_prior, target, label_smoothing
    )
    return log_sum, pulled


class _CenterTerms(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        scores: Tensor,
        log_prior: Optional[Tensor],
        target: Tensor,
        label_smoothing: float,
    ) -> tuple[Tensor, Tensor]:
        if log_prior is not None:
            scores = scores + log_prior
        index = target[..., None]
        pulled = scores.gather(-1, index).squeeze(-1)
        # What a class gets that is not the target, and the target beside it.
        share = 0.0
        if label_smoothing > 0:
            share = label_smoothing / (scores.shape[-1] - 1)
        of_target = 1 - label_smoothing - share
        if share > 0:
            # Not of the others alone: two minus infinities have no difference.
            pulled = of_target * pulled + share * scores.sum(-1)
        largest = scores.amax(-1, keepdim=True)
        # Of scores that are all minus infinity, which differ by nothing.
        largest = largest.masked_fill(largest.abs() == math.inf, 0)
        exponentials = (scores - largest).exp_()
        sums = exponentials.sum(-1)
        log_sum = sums.log() + largest.squeeze(-1)
        # An output, of all that is saved, has the graph of the scores.
        ctx.save_for_backward(exponentials, sums, index, log_sum)
        ctx.share = share
        ctx.of_target = of_target
        return log_sum, pulled

    @staticmethod
    @differentiable_once
    def backward(
        ctx: Any, of_log_sum: Tensor, of_pulled: Tensor
    ) -> tuple[Tensor, None, None, None]:
        exponentials, sums, index, _ = ctx.saved_tensors
        factor = (of_log_sum / sums).masked_fill(sums == 0, 0)
        found = exponentials * factor[..., None]
        if ctx.share > 0:
            found += (ctx.share * of_pulled)[..., None]
        own = (ctx.of_target * of_pulled)[..., None]
        return found.scatter_add_(-1, index, own), None, None, None
