"""The contrast of images as its equation reads, with all pairs at once."""

import math

import torch


def exact_contrast(features, extra, temperature):
    """Log of the summed exponentials of each anchor's similarities.

    Args:
        features (Tensor): Anchors of shape (B, N, D), in any precision.
        extra (Tensor, optional): More contrasts, (B, M, D).
        temperature (float): What divides the similarities.

    Returns:
        Tensor: Shape (B, N).
    """
    similarities = features @ features.transpose(1, 2) / temperature
    index = torch.arange(features.shape[1], device=features.device)
    is_self = index[:, None] == index
    similarities = similarities.masked_fill(is_self, -math.inf)
    if extra is not None:
        others = features @ extra.transpose(1, 2) / temperature
        similarities = torch.cat([similarities, others], 2)
    return similarities.logsumexp(2)
