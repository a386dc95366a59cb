"""The line in the log that says how strong the contrast is."""

import logging
from collections.abc import Sequence

from mmengine.logging import print_log

from mmpaco.contrast_strength import (
    IMAGES,
    StrengthRange,
    class_strength,
)


def report_strength(
    alpha: float,
    shares: Sequence[float],
    num_contrasts: float,
    of: str,
    usual: StrengthRange = IMAGES,
) -> None:
    """Log alpha x K, and a warning where it is far from the papers'.

    Args:
        alpha (float): Weight of a positive in ``mmpaco.PaCoLoss``.
        shares (Sequence[float]): Share of each class. Classes that do not
            occur are left out.
        num_contrasts (float): Rows that an anchor is contrasted with. Of
            none, nothing is logged.
        of (str): What the shares are of, such as 'the training set'.
        usual (StrengthRange): What is usual. Defaults to that of images.
    """
    occurring = [share for share in shares if share > 0]
    if not occurring or num_contrasts <= 0:
        return
    most, least = (
        class_strength(alpha, float(share), num_contrasts, usual)
        for share in (max(occurring), min(occurring))
    )
    text = (
        f'alpha x K is {most.alpha_k:.3g} for the most frequent class of {of} '
        f'(K = {_plain(most.positives)} positives) and {least.alpha_k:.3g} '
        f'for the least frequent one (K = {_plain(least.positives)})'
        if most != least
        else f'alpha x K is {most.alpha_k:.3g} for each class of {of} '
        f'(K = {_plain(most.positives)} positives)'
    )
    print_log(text, logger='current')
    if not most.is_sane:
        print_log(most.advice, logger='current', level=logging.WARNING)


def _plain(number: float) -> str:
    """Three digits at least, and no exponent for a large number."""
    return f'{number:.0f}' if number >= 100 else f'{number:.3g}'
