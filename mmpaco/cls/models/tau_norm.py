"""Classifier weights divided by a power of their norm.

Decoupling Representation and Classifier for Long-Tailed Recognition, Kang et
al., ICLR 2020, https://arxiv.org/abs/1910.09217 (tau-normalised classifier)
"""

from torch import Tensor


def normalize(weight: Tensor, tau: float) -> Tensor:
    r"""Divide the weights of each class by a power of their norm.

    Args:
        weight (Tensor): One row for each class, of shape (C, D).
        tau (float): The power: 0 changes nothing, 1 makes unit rows.

    Returns:
        Tensor: :math:`w_c / \|w_c\|^\tau`, of shape (C, D). A row of zeros
        stays.
    """
    norm = weight.norm(dim=1, keepdim=True)
    scale: Tensor = norm.masked_fill(norm == 0, 1) ** tau
    return weight / scale
