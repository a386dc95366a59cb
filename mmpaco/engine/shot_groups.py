"""Mean accuracy of the many-, medium- and few-shot classes."""

from typing import Any

import numpy as np

Array = np.ndarray


def shot_accuracy(
    num_correct: 'Array[Any, Any]',
    num_images: 'Array[Any, Any]',
    class_counts: 'Array[Any, Any]',
    many_shot: int,
    few_shot: int,
) -> dict[str, float]:
    """Mean per-class accuracy of each group of classes.

    Args:
        num_correct (np.ndarray): Right predictions per class, shape (C, ).
        num_images (np.ndarray): Evaluated images per class, shape (C, ).
        class_counts (np.ndarray): Training images per class, shape (C, ).
        many_shot (int): Classes with more training images are many-shot.
        few_shot (int): Classes with fewer training images are few-shot.

    Returns:
        dict[str, float]: Percent for 'many', 'medium', 'few' and 'all'.
        Classes without an evaluated image are left out, and so is a group
        without classes.
    """
    evaluated = num_images > 0
    accuracy = 100.0 * num_correct / np.maximum(num_images, 1)
    groups = {
        'many': class_counts > many_shot,
        'medium': (class_counts >= few_shot) & (class_counts <= many_shot),
        'few': class_counts < few_shot,
        'all': np.ones_like(evaluated),
    }
    return {
        name: float(accuracy[members & evaluated].mean())
        for name, members in groups.items()
        if (members & evaluated).any()
    }
