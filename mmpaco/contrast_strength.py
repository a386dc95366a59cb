"""How strong contrast is against the center of a class: alpha x K.

Generalized Parametric Contrastive Learning, Cui et al., TPAMI 2023, section 3
and Remark 2. Pure Python, for whatever asks: the head that reports it, the
picture of the loss, and what chooses alpha from class counts.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ['ContrastStrength', 'class_strength', 'optimal_probability']

# alpha x K of the head class lies between 0.4 and 4.5 in the papers' runs.
PAPERS_RANGE = (0.4, 4.5)
_SANE_RANGE = (0.1, 10.0)


class ContrastStrength(NamedTuple):
    """How strong contrast is for a class.

    Args:
        alpha (float): Weight of a positive.
        positives (float): K, the positives of an anchor of the class.
    """

    alpha: float
    positives: float

    @property
    def alpha_k(self) -> float:
        """Alpha times K."""
        return self.alpha * self.positives

    @property
    def is_sane(self) -> bool:
        """Whether both the center and the contrast will be learnt."""
        low, high = _SANE_RANGE
        return self.alpha == 0 or low <= self.alpha_k <= high

    @property
    def advice(self) -> str:
        """What to do where it is not."""
        low, high = _SANE_RANGE
        lost = 'its center' if self.alpha_k > high else 'the contrast'
        return (
            f'alpha x K of the most frequent class is outside of {low} to '
            f'{high} ({PAPERS_RANGE[0]} to {PAPERS_RANGE[1]} in the papers): '
            f'{lost} will hardly be learnt. alpha={1 / self.positives:.2g} '
            'brings it to 1.'
        )


def class_strength(
    alpha: float, share: float, num_contrasts: float
) -> ContrastStrength:
    """Tell how strong contrast is for a class.

    Args:
        alpha (float): Weight of a positive in ``mmpaco.PaCoLoss``.
        share (float): Share of the class in the training set, 0 to 1.
        num_contrasts (float): Rows that an anchor is contrasted with: queue
            and views x batch - 1.

    Returns:
        ContrastStrength: With K = share x contrasts.
    """
    return ContrastStrength(alpha, share * num_contrasts)


def optimal_probability(alpha_k: float) -> float:
    """Give where contrast pulls the probability of the right center.

    Args:
        alpha_k (float): alpha times the positives K of an anchor.

    Returns:
        float: ``1 / (1 + alpha K)``.

    Raises:
        ValueError: If ``alpha_k`` is negative or not finite.
    """
    if not 0 <= alpha_k < float('inf'):
        raise ValueError(
            'alpha x K must be finite and not negative, but got '
            f'{alpha_k}; give an alpha and counts that are not negative'
        )
    return 1 / (1 + alpha_k)
