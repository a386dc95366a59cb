"""Accuracy of each class, and its mean over groups of classes."""

from typing import Any, NamedTuple

import numpy as np

from mmpaco.losses import as_class_counts

Array = np.ndarray


class ClassCounts(NamedTuple):
    """Predictions counted by class.

    Args:
        correct (np.ndarray): Right predictions, int64 of shape (C, ).
        total (np.ndarray): Images, int64 of shape (C, ).
    """

    correct: 'Array[Any, Any]'
    total: 'Array[Any, Any]'

    @property
    def accuracy(self) -> 'Array[Any, Any]':
        """Percent of shape (C, ); nan for a class without an image."""
        shares = 100.0 * self.correct / np.maximum(self.total, 1)
        return np.where(self.total > 0, shares, np.nan)


def count_predictions(
    labels: 'Array[Any, Any]', predicted: 'Array[Any, Any]', num_classes: int
) -> ClassCounts:
    """Count images and right predictions of each class.

    Args:
        labels (np.ndarray): True classes, integers of shape (N, ).
        predicted (np.ndarray): Predicted classes, integers of shape (N, ).
        num_classes (int): The class count C.

    Returns:
        ClassCounts: The counts.

    Raises:
        ValueError: If a label is outside of [0, C), the classes of the
            training set.
    """
    if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f'labels must lie in [0, {num_classes}), the classes of the '
            f'training set, but got {labels.min()} to {labels.max()}'
        )
    return ClassCounts(
        np.bincount(labels[labels == predicted], minlength=num_classes),
        np.bincount(labels, minlength=num_classes),
    )


def shot_accuracy(
    counts: ClassCounts,
    class_counts: 'Array[Any, Any]',
    many_shot: int,
    few_shot: int,
) -> dict[str, float]:
    """Average the accuracy over the classes of each group.

    Args:
        counts (ClassCounts): The predictions, by class.
        class_counts (np.ndarray): Training images per class, shape (C, ).
        many_shot (int): Classes with more training images are many-shot.
        few_shot (int): Classes with fewer training images are few-shot.

    Returns:
        dict[str, float]: Percent for 'many', 'medium', 'few' and 'all'.
        Classes without an evaluated image are left out, and so is a group
        without classes.

    Raises:
        TypeError: If the counts are not real numbers.
        ValueError: If their number is not that of the classes, one is
            negative, infinite or nan, or all are zero.
    """
    sizes = as_class_counts(class_counts, len(counts.total)).numpy()
    evaluated = counts.total > 0
    groups = {
        'many': sizes > many_shot,
        'medium': (sizes >= few_shot) & (sizes <= many_shot),
        'few': sizes < few_shot,
        'all': np.ones_like(evaluated),
    }
    return {
        name: float(counts.accuracy[members & evaluated].mean())
        for name, members in groups.items()
        if (members & evaluated).any()
    }
