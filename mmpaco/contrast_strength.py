"""How strong contrast is against the center of a class: alpha x K.

Generalized Parametric Contrastive Learning, Cui et al., TPAMI 2023, section 3
and Remark 2. Pure Python, for whatever asks: the head that reports it, the
picture of the loss, and what chooses alpha from class counts.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    'IMAGES',
    'PIXELS',
    'ContrastStrength',
    'StrengthRange',
    'class_strength',
    'optimal_probability',
]


class StrengthRange(NamedTuple):
    """Which alpha x K of the most frequent class are usual.

    Args:
        papers (tuple[float, float]): Least and most in the papers' runs, but
            for few.
        sane (tuple[float, float]): Outside of it one is told.
        aims (tuple[float, float]): What less is raised to, and what more is
            lowered to.
    """

    papers: tuple[float, float]
    sane: tuple[float, float]
    aims: tuple[float, float]


# 0.5 is that of CIFAR-100-LT, the smallest of the papers' long tails. The
# papers' runs have 0.12 to 0.13 on full CIFAR-100, 13 and 33 on Places-LT.
IMAGES = StrengthRange(papers=(0.3, 4.6), sane=(0.1, 10.0), aims=(0.5, 0.5))
# The main head's own loss trains the centers, too.
PIXELS = StrengthRange(
    papers=(8.0, 90.0), sane=(1.0, 300.0), aims=(14.0, 90.0)
)


class ContrastStrength(NamedTuple):
    """How strong contrast is for a class.

    Args:
        alpha (float): Weight of a positive.
        positives (float): K, the positives of an anchor of the class.
        usual (StrengthRange): What is usual. Defaults to that of images.
    """

    alpha: float
    positives: float
    usual: StrengthRange = IMAGES

    @property
    def alpha_k(self) -> float:
        """Alpha times K."""
        return self.alpha * self.positives

    @property
    def is_sane(self) -> bool:
        """Whether both the center and the contrast will be learnt."""
        low, high = self.usual.sane
        return self.alpha == 0 or low <= self.alpha_k <= high

    @property
    def wanted(self) -> float:
        """What alpha times K becomes where it is not."""
        less, more = self.usual.aims
        return less if self.alpha_k < less else more

    @property
    def advice(self) -> str:
        """What to do where it is not."""
        (low, high), papers = self.usual.sane, self.usual.papers
        lost = 'its center' if self.alpha_k > high else 'the contrast'
        return (
            f'alpha x K of the most frequent class is outside of {low:g} to '
            f'{high:g} ({papers[0]:g} to {papers[1]:g} in most of the '
            f"papers' runs): {lost} will hardly be learnt. "
            f'alpha={self.wanted / self.positives:.2g} brings it to '
            f'{self.wanted:g}.'
        )


def class_strength(
    alpha: float,
    share: float,
    num_contrasts: float,
    usual: StrengthRange = IMAGES,
) -> ContrastStrength:
    """Tell how strong contrast is for a class.

    Args:
        alpha (float): Weight of a positive in ``mmpaco.PaCoLoss``.
        share (float): Share of the class in the training set, 0 to 1.
        num_contrasts (float): Rows that an anchor is contrasted with: queue
            and views x batch - 1.
        usual (StrengthRange): What is usual. Defaults to that of images.

    Returns:
        ContrastStrength: With K = share x contrasts.

    Raises:
        ValueError: If the share is not in [0, 1].
    """
    # A share is a quotient, which may be rounded.
    if not 0 <= share <= 1 + 1e-6:
        raise ValueError(
            'the share of a class in the training set must be in [0, 1], but '
            f'got {share}; divide its count by the sum of all'
        )
    return ContrastStrength(alpha, share * num_contrasts, usual)


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
