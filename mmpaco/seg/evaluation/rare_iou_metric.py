"""Mean IoU of the rarest classes."""

from collections.abc import Sequence
from typing import Any

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
        class_counts (Sequence[int]): Training pixels of each class, as
            ``tools/analysis_tools/class_statistics.py`` counts them.
        num_rare (int): Number of classes that are rare. Defaults to 4.
        **kwargs: Passed to ``IoUMetric``.

    Raises:
        ValueError: If ``num_rare`` is not from 1 to the number of classes.

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
        self, class_counts: Sequence[int], num_rare: int = 4, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 1 <= num_rare <= len(class_counts):
            raise ValueError(
                'num_rare must be from 1 to the number of classes, but got '
                f'num_rare={num_rare} and class_counts of {len(class_counts)} '
                'classes'
            )
        self.class_counts = as_class_counts(class_counts).tolist()
        order = np.argsort(self.class_counts, kind='stable')
        self.rare_classes = sorted(order[:num_rare].tolist())

    def compute_metrics(self, results: list[Any]) -> dict[str, Any]:
        """Compute the metrics of all images.

        Args:
            results (list): Of each image, the pixels of each class in the
                intersection, union, prediction and label.

        Returns:
            dict[str, Any]: Percentages, and the list ``IoU_classwise``.

        Raises:
            ValueError: If the dataset has another number of classes.
        """
        num_classes = len(self.dataset_meta['classes'])
        if num_classes != len(self.class_counts):
            raise ValueError(
                f'class_counts has {len(self.class_counts)} classes, but the '
                f'dataset has {num_classes}; count the pixels of this dataset '
                'with tools/analysis_tools/class_statistics.py'
            )
        metrics: dict[str, Any] = super().compute_metrics(results)
        if self.format_only:
            return metrics
        intersect, union, *_ = zip(*results)
        iou = 100 * (sum(intersect).double() / sum(union)).numpy()
        metrics['rare_mIoU'] = _mean(iou[self.rare_classes])
        metrics['IoU_classwise'] = iou.round(2).tolist()
        return metrics


def _mean(values: np.ndarray) -> float:
    # np.nanmean would warn of what NaN already tells.
    known = values[~np.isnan(values)]
    return round(float(known.mean()), 2) if known.size else float('nan')
