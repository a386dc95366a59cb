"""How many images each class of a long-tailed set has."""

import math
import warnings
from typing import Optional

import numpy as np

# The power of the Pareto tail that ImageNet-LT was drawn from.
_PARETO_POWER = 6
_PROFILES = ('exp', 'step', 'pareto')
# By how much whole images may change the factor without a word.
_TOLERANCE = 0.1


def check_tail(profile: str, factor: float) -> None:
    """Check what :func:`long_tailed_counts` will be asked for.

    Args:
        profile (str): 'exp', 'step' or 'pareto'.
        factor (float): Images of the head class over those of the last one.

    Raises:
        ValueError: If the profile is unknown or the factor is below 1.
    """
    if not factor >= 1:
        raise ValueError(
            'the imbalance factor is the largest class over the '
            f'smallest, so at least 1, but got {factor}'
        )
    if profile not in _PROFILES:
        raise ValueError(
            f'profile must be one of {_PROFILES}, but got {profile!r}'
        )


def long_tailed_counts(
    largest: int, num_classes: int, profile: str, factor: float
) -> np.ndarray:
    """Images per class of a long-tailed set, from head to tail.

    With r from 0 at the head class to 1 at the last class, the counts are

    - exp: ``largest * factor ** -r``, as CIFAR-LT;
    - step: ``largest`` in the first half, ``largest / factor`` in the other;
    - pareto: ``largest * (1 + r * (factor ** (1 / 6) - 1)) ** -6``, a Pareto
      tail of power 6, as ImageNet-LT;

    rounded down.

    Args:
        largest (int): Images of the head class.
        num_classes (int): The class count C.
        profile (str): 'exp', 'step' or 'pareto'.
        factor (float): Images of the head class over those of the last one.

    Returns:
        np.ndarray: int64 of shape (C, ), falling.

    Raises:
        ValueError: If the profile is unknown, the factor is below 1, or it
            leaves a class without images.
    """
    check_tail(profile, factor)
    counts = _whole(largest * _shares(num_classes, profile, factor))
    if counts.min() < 1:
        raise ValueError(
            f'an imbalance factor of {factor} leaves a class without images, '
            f'as the largest class has {largest}; use at most {largest}'
        )
    return counts


def _shares(num_classes: int, profile: str, factor: float) -> np.ndarray:
    """Images of each class over those of the head class."""
    rank = np.arange(num_classes)
    place = rank / max(num_classes - 1, 1)
    shares: np.ndarray
    if profile == 'exp':
        shares = factor**-place
    elif profile == 'step':
        shares = np.where(rank < num_classes / 2, 1, 1 / factor)
    else:
        scale = factor ** (1 / _PARETO_POWER) - 1
        shares = (1 + place * scale) ** -_PARETO_POWER
    return shares


def _whole(counts: np.ndarray) -> np.ndarray:
    # Powers may miss an exact integer by a rounding error.
    return np.floor(counts + 1e-9).astype(np.int64)


def counts_from(
    available: np.ndarray,
    profile: str,
    factor: float,
    largest: Optional[int] = None,
    classes: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Give the counts of a long tail that a set has the images for.

    It warns where whole images make the factor another one, by a tenth.

    Args:
        available (np.ndarray): Images of each class, of shape (C, ).
        profile (str): 'exp', 'step' or 'pareto'.
        factor (float): Images of the head class over those of the last one.
        largest (int, optional): Images of the head class. Defaults to those
            of the largest class.
        classes (np.ndarray, optional): The classes from head to tail, of
            shape (C, ). Defaults to 0, 1, ...

    Returns:
        np.ndarray: As by :func:`long_tailed_counts`.

    Raises:
        ValueError: As by :func:`long_tailed_counts`, or if there is only one
            class, or one has fewer images than its share.
    """
    if len(available) < 2:
        raise ValueError(
            'a long tail needs two classes or more, but the dataset has '
            f'{len(available)}'
        )
    if classes is None:
        classes = np.arange(len(available))
    if largest is None:
        largest = int(available.max())
    counts = long_tailed_counts(largest, len(available), profile, factor)
    has = np.asarray(available)[classes]
    short = np.flatnonzero(has < counts)
    if len(short):
        shares = _shares(len(available), profile, factor)
        told = [
            f'class {classes[i]} has {has[i]} images for {counts[i]}'
            for i in short[:5]
        ]
        raise ValueError(
            f'the {profile} tail of factor {factor:g} from {largest} images '
            'takes more of a class than there are: '
            f'{", ".join(told)}{", ..." if len(short) > 5 else ""} '
            f'({len(short)} of {len(has)} classes). ' + _advice(has, shares)
        )
    head, tail = int(counts[0]), int(counts[-1])
    if not _is_met(factor, head, tail):
        warnings.warn(
            f'the long tail falls from {head} images to {tail}, a factor of '
            f'{head / tail:.4g} and not {factor:g}, since counts are rounded '
            f'down to whole images; {head / tail:.4g} and '
            f'{math.floor(10 * head / (tail + 1)) / 10:g} are met',
            stacklevel=2,
        )
    return counts


def _is_met(factor: float, head: int, tail: int) -> bool:
    return abs(head / tail / factor - 1) <= _TOLERANCE


def _advice(has: np.ndarray, shares: np.ndarray) -> str:
    """Say what the images suffice for, has of shape (C, ) from the head on."""
    enough, too_many = 0, int(has[0]) + 1
    while too_many - enough > 1:
        middle = (enough + too_many) // 2
        if (_whole(middle * shares) <= has).all():
            enough = middle
        else:
            too_many = middle
    tails = {n: int(_whole(n * shares[-1:])[0]) for n in range(1, too_many)}
    fitting = [n for n, tail in tails.items() if tail]
    # As many images as can be, of those that keep to the factor.
    kept = [n for n in fitting if _is_met(1 / shares[-1], n, tails[n])]
    if fitting:
        return f'They suffice for largest={max(kept or fitting)}'
    return (
        'They suffice for no head class; use a smaller factor, or other '
        'classes as head (shuffle_classes=True and another seed)'
    )
