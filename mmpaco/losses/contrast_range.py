"""Up to which length of rows exponentials stay in the range of float32."""

import math
from typing import Optional

from torch import Tensor

from .readable import is_readable

# Similarities at which exponentials, their sums and reciprocals all stay well
# within the range of float32 (88).
_MAX_SIMILARITY = 40.0


def is_bounded(
    features: Tensor, extra_features: Optional[Tensor], temperature: float
) -> bool:
    """Tell whether exponentials of similarities are safe without a shift.

    Unit rows are at most 1 / temperature similar. Whether rows are longer is
    read where nobody has to wait for it; elsewhere they are trusted not to
    be.

    Args:
        features (Tensor): Anchors.
        extra_features (Tensor, optional): More contrasts.
        temperature (float): What divides the similarities.

    Returns:
        bool: Whether they are.
    """
    longest = 1.0
    for rows in (features, extra_features):
        if rows is not None and rows.numel() > 0 and is_readable(rows):
            longest = max(longest, float(rows.detach().norm(dim=-1).max()))
    return longest**2 / temperature <= _MAX_SIMILARITY


def longest_rows(temperature: float) -> float:
    """Tell how long rows may be that nobody has read, as on a device.

    Args:
        temperature (float): What divides their similarities.

    Returns:
        float: The length; infinite where exponentials are taken with a shift
        whatever the rows.
    """
    if 1 / temperature > _MAX_SIMILARITY:
        return math.inf
    return math.sqrt(_MAX_SIMILARITY * temperature)
