"""Mean IoU of the rarest classes."""

from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
from mmseg.evaluation import IoUMetric

from mmpaco.losses import as_class_counts
from mmpaco.registry import METRICS


@METRICS.register_module()
class RareIoUMetric(IoUMetric):
    """mmseg's ``IoUMetric``, which also scores the rarest classes apart.

    Beside what ``IoUMetric`` gives, in percent: ``rare_mIoU``, the mean IoU of
    the classes with the fewest training pixels, and ``IoU_classwise``, the IoU
    of every class in the order of the dataset. A class that is neither in the
    labels nor predicted has no IoU (NaN) and is left out of the mean.

    Args:
        class_counts (Sequence[int], optional): Training pixels of each class,
            as ``tools/analysis_tools/class_statistics.py`` counts them.
        num_rare (int): Number of classes that are rare. Defaults to 4.
        rare_classes (Sequence[int], optional): The rare classes themselves,
            in the place of counts and number.
        **kwargs: Passed to ``IoUMetric``.

    Raises:
        ValueError: If ``num_rare`` is not from 1 to the number of classes,
            not exactly one of counts and rare classes is given, or, when
            a runner tells it the dataset, that has another number of classes.

    Example:
        >>> import torch
        >>> from mmpaco.registry import METRICS
        >>> cfg = dict(type='mmpaco.RareIoUMetric', num_rare=1)
        >>> metric = METRICS.build(dict(cfg, class_counts=[900, 90, 10]))
        >>> metric.dataset_meta = dict(classes=('road', 'car', 'sign'))
        >>> label = dict(data=torch.tensor([[0, 0, 1, 2]]))
        >>> predicted = dict(data=torch.tensor([[0, 0, 2, 2]]))
        >>> sample = dict(gt_sem_seg=label, pred_sem_seg=predicted)
        >>> metric.process({}, [sample])
        >>> scores = metric.evaluate(size=1)  # logs a table, too
        >>> scores['rare_mIoU'], scores['IoU_classwise']
        (50.0, [100.0, 0.0, 50.0])
    """

    def __init__(
        self,
        class_counts: Optional[Sequence[int]] = None,
        num_rare: int = 4,
        rare_classes: Optional[Sequence[int]] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (class_counts is None) == (rare_classes is None):
            raise ValueError(
                'RareIoUMetric needs either class_counts or rare_classes'
            )
        if rare_classes is not None:
            self.class_counts = None
            self.rare_classes = _checked(rare_classes)
            return
        counts = as_class_counts(class_counts).tolist()
        if not 1 <= num_rare <= len(counts):
            raise ValueError(
                'num_rare must be from 1 to the number of classes, but got '
                f'num_rare={num_rare} and class_counts of {len(counts)} '
                'classes'
            )
        self.class_counts = counts
        order = np.argsort(counts, kind='stable')
        self.rare_classes = sorted(order[:num_rare].tolist())

    # A property, so that a wrong number is told before the training.
    @property
    def dataset_meta(self) -> Optional[dict[str, Any]]:
        """Meta information of the dataset."""
        meta: Optional[dict[str, Any]] = self._dataset_meta
        return meta

    @dataset_meta.setter
    def dataset_meta(self, meta: dict[str, Any]) -> None:
        self._check_classes(len(meta['classes']))
        self._dataset_meta = meta

    def _check_classes(self, num_classes: int) -> None:
        if self.class_counts is None:
            if self.rare_classes[-1] >= num_classes:
                raise ValueError(
                    f'rare_classes={self.rare_classes} must be below the '
                    f'{num_classes} classes of the dataset'
                )
        elif num_classes != len(self.class_counts):
            raise ValueError(
                f'class_counts has {len(self.class_counts)} classes, but the '
                f'dataset has {num_classes}; count the pixels of this dataset '
                'with tools/analysis_tools/class_statistics.py'
            )

    def compute_metrics(self, results: list[Any]) -> dict[str, Any]:
        """Compute the metrics of all images.

        Args:
            results (list): Of each image, the pixels of each class in the
                intersection, union, prediction and label.

        Returns:
            dict[str, Any]: Percentages, and the list ``IoU_classwise``.
        """
        metrics: dict[str, Any] = super().compute_metrics(results)
        if self.format_only:
            return metrics
        intersect, union, *_ = zip(*results)
        iou = 100 * (sum(intersect).double() / sum(union)).numpy()
        metrics['rare_mIoU'] = _mean(iou[self.rare_classes])
        metrics['IoU_classwise'] = iou.round(2).tolist()
        return metrics


def _checked(classes: Sequence[int]) -> list[int]:
    found = sorted(classes)
    if not found or found[0] < 0 or len(set(found)) < len(found):
        raise ValueError(
            'rare_classes must be class indices, each once, but got '
            f'{list(classes)}'
        )
    return found


def _mean(values: np.ndarray) -> float:
    # np.nanmean would warn of what NaN already tells.
    known = values[~np.isnan(values)]
    return round(float(known.mean()), 2) if known.size else float('nan')
