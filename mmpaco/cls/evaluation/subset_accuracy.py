"""Accuracy among some of the classes of a classifier."""

from collections.abc import Sequence
from operator import index
from typing import Any, Optional, Union

import numpy as np
from mmengine.evaluator import BaseMetric

from mmpaco.cls.imagenet_classes import IMAGENET_R_CLASSES
from mmpaco.registry import METRICS

from .single_label import best_class, one_class, scores_of


@METRICS.register_module()
class SubsetAccuracy(BaseMetric):
    """Top-1 accuracy of a classifier that chooses among some classes alone.

    Gives ``accuracy/top1`` in percent. The other classes' scores are left
    out, as ImageNet-R is measured.

    Args:
        num_classes (int, optional): Classes of the classifier; one that has
            another number is refused. Defaults to None, any.
        classes (Sequence[int] | str, optional): Labels of the classes that
            are chosen among, or ``'imagenet-r'``. Defaults to all.
        collect_device (str): Where results are collected. Defaults to 'cpu'.
        prefix (str, optional): Prefix of the name. Defaults to 'accuracy'.

    Raises:
        TypeError: If a class is no whole number.
        ValueError: If a class is out of range, named twice, or none is.

    Example:
        >>> import torch
        >>> from mmpaco.registry import METRICS
        >>> metric = METRICS.build(dict(
        ...     type='mmpaco.SubsetAccuracy', num_classes=3, classes=[0, 2]))
        >>> scores = torch.tensor([0.3, 0.6, 0.1])
        >>> metric.process(None, [dict(gt_label=0, pred_score=scores)])
        >>> metric.evaluate(size=1)
        {'accuracy/top1': 100.0}
    """

    default_prefix = 'accuracy'

    def __init__(
        self,
        num_classes: Optional[int] = None,
        classes: Union[Sequence[int], str, None] = None,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.num_classes = num_classes
        if isinstance(classes, str):
            if classes != 'imagenet-r':
                raise ValueError(
                    "classes must be labels or 'imagenet-r', but got "
                    f'{classes!r}'
                )
            classes = IMAGENET_R_CLASSES
        self.classes = None if classes is None else _labels(classes)
        if self.classes is not None:
            _check_classes(self.classes, num_classes)

    def process(
        self, data_batch: Any, data_samples: Sequence[dict[str, Any]]
    ) -> None:
        """Note whether the best of the scores is that of the label.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): Outputs of the model, with
                ``gt_label`` and ``pred_score``.

        Raises:
            ValueError: If an image has not one class, or one that is not
                chosen among; or if the scores are not of as many classes,
                or one is nan.
        """
        for sample in data_samples:
            label = one_class(sample, 'gt_label', 'SubsetAccuracy')
            scores = scores_of(sample, self.num_classes, 'SubsetAccuracy')
            classes = self.classes or range(len(scores))
            if label not in classes or classes[-1] >= len(scores):
                raise ValueError(
                    f'an image has the label {label}, but SubsetAccuracy '
                    f'chooses among {len(classes)} classes, {classes[0]} to '
                    f'{classes[-1]}, of the {len(scores)} of the classifier; '
                    'the data set and the classifier must have the same '
                    'classes'
                )
            chosen = scores if self.classes is None else scores[classes]
            best = best_class(chosen, 'SubsetAccuracy')
            self.results.append(classes[best] == label)

    def compute_metrics(self, results: list[bool]) -> dict[str, float]:
        """Average over the images.

        Args:
            results (list[bool]): Whether each is right.

        Returns:
            dict[str, float]: The accuracy in percent.
        """
        return {'top1': 100 * float(np.mean(results))}


def _labels(classes: Any) -> list[int]:
    try:
        listed = list(classes)
        if not any(isinstance(x, (bool, np.bool_)) for x in listed):
            return sorted(index(x) for x in listed)
    except TypeError:
        pass
    raise TypeError(
        'classes must be labels, which are whole numbers, but got '
        f'{str(classes):.80}'
    )


def _check_classes(classes: list[int], num_classes: Optional[int]) -> None:
    most = float('inf') if num_classes is None else num_classes
    if (
        not classes
        or len(set(classes)) < len(classes)
        or not 0 <= classes[0] <= classes[-1] < most
    ):
        raise ValueError(
            f'classes must be different labels in [0, {most}), but got '
            f'{classes[:5]}{" ..." if classes[5:] else ""}'
        )
