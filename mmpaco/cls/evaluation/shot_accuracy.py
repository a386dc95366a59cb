"""Accuracy of the many-, medium- and few-shot classes."""

import logging
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmpaco.engine.class_accuracy import count_predictions, shot_accuracy
from mmpaco.engine.class_counts import count_labels
from mmpaco.losses import as_class_counts
from mmpaco.registry import DATASETS, METRICS

from .single_label import one_class, predicted_class


@METRICS.register_module()
class ShotAccuracy(BaseMetric):
    """Mean per-class accuracy by the classes' training images, in percent.

    Gives ``shot/many``, ``shot/medium``, ``shot/few`` and ``shot/all``. A
    group that no class is in is left out, with a warning (the papers' code
    gives 0), and ``save_best`` cannot name it.

    Args:
        train_dataset (dict, optional): Config of the training dataset, to
            count its images; the same as in ``train_dataloader``.
        class_counts (Sequence[float], optional): The counts themselves, in
            the unit of the limits below, where the training dataset is not at
            hand. One of the two is needed.
        many_shot (int): Classes with more training images are many-shot.
            Defaults to 100, as in the papers.
        few_shot (int): Classes with fewer training images are few-shot.
            Defaults to 20, as in the papers.
        collect_device (str): Where results are collected. Defaults to 'cpu'.
        prefix (str, optional): Prefix of the names. Defaults to 'shot'.

    Raises:
        TypeError: If the counts are not real numbers.
        ValueError: If not exactly one source of counts is given, a count is
            negative, infinite or nan, all are zero, or the thresholds are in
            the wrong order.

    Example:
        >>> from mmpaco.registry import METRICS
        >>> metric = METRICS.build(
        ...     dict(type='mmpaco.ShotAccuracy', class_counts=[300, 50, 5]))
        >>> pairs = [(0, 0), (0, 1), (1, 1), (2, 0)]
        >>> samples = [dict(gt_label=y, pred_label=p) for y, p in pairs]
        >>> metric.process(None, samples)
        >>> metric.evaluate(size=4)
        {'shot/many': 50.0, 'shot/medium': 100.0, 'shot/few': 0.0,
         'shot/all': 50.0}
    """

    default_prefix = 'shot'

    def __init__(
        self,
        train_dataset: Optional[dict[str, Any]] = None,
        class_counts: Optional[Sequence[float]] = None,
        many_shot: int = 100,
        few_shot: int = 20,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if (train_dataset is None) == (class_counts is None):
            raise ValueError(
                'ShotAccuracy needs either train_dataset or class_counts'
            )
        if not 0 <= few_shot <= many_shot:
            raise ValueError(
                'expected 0 <= few_shot <= many_shot, but got few_shot='
                f'{few_shot} and many_shot={many_shot}'
            )
        self.train_dataset = train_dataset
        self.many_shot = many_shot
        self.few_shot = few_shot
        self._is_told = False
        self._class_counts = (
            None
            if class_counts is None
            else as_class_counts(class_counts).cpu().numpy()
        )

    @property
    def class_counts(self) -> np.ndarray:
        """Training images per class, of shape (C, )."""
        if self._class_counts is None:
            self._class_counts = count_labels(
                DATASETS.build(self.train_dataset)
            )
        return self._class_counts

    def evaluate(self, size: int) -> dict[str, float]:
        """Collect the results of all ranks and compute the metrics.

        Args:
            size (int): Images in the test set.

        Returns:
            dict[str, float]: Accuracy of each group in percent.
        """
        # Reading a dataset may wait for all ranks, and only rank 0 computes.
        _ = self.class_counts
        metrics: dict[str, float] = super().evaluate(size)
        return metrics

    def process(
        self, data_batch: Any, data_samples: Sequence[dict[str, Any]]
    ) -> None:
        """Note the label and the prediction of each image.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): Outputs of the model, with
                ``gt_label`` and ``pred_label`` or ``pred_score``.

        Raises:
            ValueError: If an image has not one class, or no prediction.
        """
        for sample in data_samples:
            label = one_class(sample, 'gt_label', 'ShotAccuracy')
            predicted = predicted_class(sample, 'ShotAccuracy')
            self.results.append((label, predicted))

    def compute_metrics(
        self, results: list[tuple[int, int]]
    ) -> dict[str, float]:
        """Average over the classes of each group.

        Args:
            results (list): Pairs of label and prediction.

        Returns:
            dict[str, float]: Accuracy of each group in percent.

        Raises:
            ValueError: If a test label has no training count.
        """
        labels, predicted = (
            np.asarray(results, dtype=np.int64).reshape(-1, 2).T
        )
        counts = self.class_counts
        metrics = shot_accuracy(
            count_predictions(labels, predicted, len(counts)),
            counts,
            self.many_shot,
            self.few_shot,
        )
        self._tell_what_is_missing(metrics)
        return metrics

    def _tell_what_is_missing(self, metrics: dict[str, float]) -> None:
        # A hook that looks for it would end the run with its bare name.
        missing = [x for x in ('many', 'medium', 'few') if x not in metrics]
        if missing and not self._is_told:
            self._is_told = True
            names = ', '.join(f'{self.prefix}/{name}' for name in missing)
            print_log(
                f'No class that is tested is of {names}: the classes have '
                f'{self.class_counts.max()} to {self.class_counts.min()} '
                f'training images, many is more than {self.many_shot} and few '
                f'fewer than {self.few_shot}. This is left out of the '
                'metrics, so save_best must not name it; set many_shot and '
                'few_shot to have other groups',
                logger='current',
                level=logging.WARNING,
            )
