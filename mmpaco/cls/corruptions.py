"""The corruptions of ImageNet-C, and AlexNet's errors under them."""

from collections.abc import Sequence
from typing import Optional

__all__ = [
    'ALEXNET_CLEAN_ERROR',
    'ALEXNET_ERRORS',
    'CORRUPTIONS',
    'SEVERITIES',
    'chosen_corruptions',
    'chosen_severities',
]

# Mean over the five severities, in the order of the benchmark: noise, blur,
# weather, digital.
ALEXNET_ERRORS = dict(
    gaussian_noise=0.886428,
    shot_noise=0.894468,
    impulse_noise=0.922640,
    defocus_blur=0.819880,
    glass_blur=0.826268,
    motion_blur=0.785948,
    zoom_blur=0.798360,
    snow=0.866816,
    frost=0.826572,
    fog=0.819324,
    brightness=0.564592,
    contrast=0.853204,
    elastic_transform=0.646056,
    pixelate=0.717840,
    jpeg_compression=0.606500,
)
ALEXNET_CLEAN_ERROR = 0.4348
CORRUPTIONS = tuple(ALEXNET_ERRORS)
SEVERITIES = (1, 2, 3, 4, 5)


def chosen_corruptions(names: Optional[Sequence[str]]) -> tuple[str, ...]:
    """Check a choice of corruptions.

    Args:
        names (Sequence[str], optional): The choice, or None for all.

    Returns:
        tuple[str, ...]: It, in the order of the benchmark.

    Raises:
        ValueError: If it is empty, or one is unknown or named twice.
    """
    if names is None:
        return CORRUPTIONS
    given = [names] if isinstance(names, str) else list(names)
    wrong = [name for name in given if name not in CORRUPTIONS]
    if wrong or not given or len(set(given)) < len(given):
        raise ValueError(
            'corruptions must be some of '
            f'{", ".join(CORRUPTIONS)}, each once, but got {given}'
        )
    return tuple(name for name in CORRUPTIONS if name in given)


def chosen_severities(levels: Sequence[int]) -> tuple[int, ...]:
    """Check a choice of severities.

    Args:
        levels (Sequence[int]): The choice.

    Returns:
        tuple[int, ...]: It, sorted.

    Raises:
        ValueError: If it is empty, or one is unknown or named twice.
    """
    given = [levels] if isinstance(levels, int) else list(levels)
    if (
        not given
        or any(type(level) is not int for level in given)
        or not set(given) <= set(SEVERITIES)
        or len(set(given)) < len(given)
    ):
        raise ValueError(
            f'severities must be some of {SEVERITIES}, each once, but got '
            f'{given}'
        )
    return tuple(sorted(given))
