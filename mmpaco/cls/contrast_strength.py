"""How strong the contrast is against the center, told in the log."""

from mmengine.logging import print_log
from torch import Tensor

# alpha * K of the head class lies between 0.4 and 4.5 in the papers' runs.
_SANE_ALPHA_K = (0.1, 10.0)


def report_strength(
    alpha: float, class_counts: Tensor, num_contrasts: int
) -> None:
    """Log alpha x K, and warn where it is out of range (GPaCo, Remark 2).

    Args:
        alpha (float): Weight of a positive in ``mmpaco.PaCoLoss``.
        class_counts (Tensor): Training images per class, of shape (C, ).
        num_contrasts (int): Rows that an anchor is contrasted with.
    """
    counts = class_counts.float()
    positives = counts / counts.sum() * num_contrasts
    most, least = float(positives.max()), float(positives.min())
    print_log(
        f'alpha x K is {alpha * most:.3g} for the most frequent class '
        f'(K = {most:.3g} positives) and {alpha * least:.3g} for the '
        f'least frequent one (K = {least:.3g})',
        logger='current',
    )
    low, high = _SANE_ALPHA_K
    if alpha > 0 and not low <= alpha * most <= high:
        print_log(
            f'alpha x K of the most frequent class is outside of {low} '
            f'to {high} (0.4 to 4.5 in the papers): '
            f'{"its center" if alpha * most > high else "the contrast"} '
            f'will hardly be learnt. alpha={1 / most:.2g} brings it to 1.',
            logger='current',
            level=30,
        )
