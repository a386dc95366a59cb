"""Errors under the corruptions of ImageNet-C."""

import logging
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Optional, Union

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmpaco.cls.corruptions import (
    ALEXNET_CLEAN_ERROR,
    ALEXNET_ERRORS,
    CORRUPTIONS,
    SEVERITIES,
    chosen_corruptions,
)
from mmpaco.registry import METRICS

from .single_label import one_class, predicted_class, scores_of

__all__ = ['CorruptionError']

Results = list[tuple[str, int, bool]]


@METRICS.register_module()
class CorruptionError(BaseMetric):
    r"""Top-1 errors under corruptions, in percent.

    With :math:`E_c` the error under a corruption, averaged over severities,
    and :math:`A_c` that of AlexNet:

    - ``mean-error``: mean of :math:`E_c`;
    - ``mCE``: 100 times the mean of :math:`E_c / A_c`;
    - ``relative-mCE``: 100 times the mean of :math:`(E_c - E) / (A_c - A)`,
      where E and A are the errors without corruption;
    - ``above-clean``: mean of :math:`E_c - E`;
    - ``GPaCo-table/mCE`` and ``GPaCo-table/rel-mCE``: what the table of GPaCo
      calls so, the mean error and the mCE;
    - ``error/fog``, ``error/fog/3``: of each corruption, and of each of its
      severities.

    What needs a figure that is not given is left out. Corruptions and
    severities without an image are told.

    Hendrycks and Dietterich, ICLR 2019, https://arxiv.org/abs/1903.12261,
    section 4.1; GPaCo, TPAMI 2023, table 4.

    Args:
        clean_error (float, optional): The classifier's error without
            corruption, E, from 0 to 1. Defaults to None.
        reference (Mapping[str, float] | str, optional): :math:`A_c` from 0
            to 1, by corruption; ``'alexnet'`` are AlexNet's on ImageNet-C,
            and say nothing of another data set. Defaults to 'alexnet'.
        reference_clean_error (float, optional): A, from 0 to 1. Defaults to
            that of AlexNet, 0.4348, with its errors, else to None.
        num_classes (int, optional): Classes of the classifier; one that has
            another number is refused. Defaults to None, any.
        collect_device (str): Where results are collected. Defaults to 'cpu'.
        prefix (str, optional): Prefix of the names. Defaults to
            'corruption'.

    Raises:
        TypeError: If the reference is no mapping, or an error no number.
        ValueError: If an error is not from 0 to 1, a corruption is unknown,
            or the reference makes no more errors under a corruption than
            without, by which a relative error would be divided.

    Example:
        >>> from mmpaco.registry import METRICS
        >>> metric = METRICS.build(dict(
        ...     type='mmpaco.CorruptionError', clean_error=0.25,
        ...     reference=dict(fog=0.8), reference_clean_error=0.3))
        >>> metric.process(None, [
        ...     dict(gt_label=1, pred_label=i % 2, corruption='fog',
        ...          severity=i + 1) for i in range(5)])
        >>> found = metric.evaluate(size=5)
        >>> {k: round(v, 1) for k, v in found.items() if '/error/' not in k}
        {'corruption/mean-error': 60.0, 'corruption/mCE': 75.0,
         'corruption/relative-mCE': 70.0, 'corruption/above-clean': 35.0,
         'corruption/GPaCo-table/mCE': 60.0,
         'corruption/GPaCo-table/rel-mCE': 75.0}
    """

    default_prefix = 'corruption'

    def __init__(
        self,
        clean_error: Optional[float] = None,
        reference: Union[Mapping[str, float], str, None] = 'alexnet',
        reference_clean_error: Optional[float] = None,
        num_classes: Optional[int] = None,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if reference == 'alexnet':
            reference = ALEXNET_ERRORS
            if reference_clean_error is None:
                reference_clean_error = ALEXNET_CLEAN_ERROR
        elif isinstance(reference, str):
            raise ValueError(
                "reference must be 'alexnet', or the errors by corruption, "
                f'but got {reference!r}'
            )
        elif not isinstance(reference, (Mapping, type(None))):
            raise TypeError(
                'reference must be the errors by corruption, such as '
                f"dict(fog=0.8), or 'alexnet', but got {reference!r:.80}"
            )
        self.clean_error = clean_error
        self.reference = None if reference is None else dict(reference)
        self.reference_clean_error = reference_clean_error
        self.num_classes = num_classes
        self._check_errors()

    def _check_errors(self) -> None:
        errors = dict(self.reference or {})
        if self.reference is not None:
            chosen_corruptions(list(errors))
        clean = self.reference_clean_error
        known = {
            'clean_error': self.clean_error,
            'reference_clean_error': clean,
            **errors,
        }
        for name, error in known.items():
            if error is None and name not in errors:
                continue
            if not isinstance(error, Real):
                raise TypeError(
                    f'{name} must be an error from 0 to 1, but got {error!r}'
                )
            if not 0 <= error <= 1:
                raise ValueError(
                    f'{name} must be an error from 0 to 1, but got {error}'
                )
        # mCE divides by the errors, relative mCE by their excess.
        low = {k: x for k, x in errors.items() if not x > (clean or 0)}
        if low:
            raise ValueError(
                f'the reference must have errors above {clean or 0}, its '
                f'error without corruption, but got {low}'
            )

    def process(
        self, data_batch: Any, data_samples: Sequence[dict[str, Any]]
    ) -> None:
        """Note whether the prediction of each image is right.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): Outputs of the model, with
                ``gt_label``, ``pred_label`` or ``pred_score``,
                ``corruption`` and ``severity``.

        Raises:
            ValueError: If an image has not one class, no prediction, or no
                corruption; if the reference has no error of that; or if the
                scores are not of as many classes, or one is nan.
        """
        name = type(self).__name__
        for sample in data_samples:
            corruption = sample.get('corruption')
            severity = sample.get('severity')
            if corruption not in CORRUPTIONS or severity not in SEVERITIES:
                raise ValueError(
                    f'{name} needs the corruption and the severity of each '
                    'image, one of '
                    f'{", ".join(CORRUPTIONS)} and one of {SEVERITIES}, but '
                    f'a data sample has {corruption!r} and {severity!r}; '
                    'test mmpaco.ImageNetC or mmpaco.CorruptedDataset'
                )
            # Not at the end of a long test, and on all ranks.
            if self.reference is not None and corruption not in self.reference:
                raise ValueError(
                    f'the reference has no error of {corruption}; give it, '
                    'or reference=None'
                )
            label = one_class(sample, 'gt_label', name)
            self._check_classes(sample, label)
            predicted = predicted_class(sample, name)
            self.results.append(
                (corruption, int(severity), label == predicted)
            )

    def _check_classes(self, sample: Mapping[str, Any], label: int) -> None:
        if self.num_classes is None and 'pred_score' not in sample:
            return
        name = type(self).__name__
        classes = len(scores_of(sample, self.num_classes, name))
        if not 0 <= label < classes:
            raise ValueError(
                f'an image has the label {label}, but the classifier has '
                f'{classes} classes; {name} needs a data set of the same '
                'classes'
            )

    def compute_metrics(self, results: Results) -> dict[str, float]:
        """Average over images, severities and corruptions.

        Args:
            results (list): Corruption, severity and whether the prediction
                is right, of each image.

        Returns:
            dict[str, float]: The errors in percent.
        """
        errors = _errors(results)
        means = {c: _mean(levels.values()) for c, levels in errors.items()}
        _tell_what_is_missing(errors)
        metrics = self._summary(means)
        for corruption, levels in errors.items():
            metrics[f'error/{corruption}'] = means[corruption]
            for severity, error in levels.items():
                metrics[f'error/{corruption}/{severity}'] = error
        return {name: 100 * value for name, value in metrics.items()}

    def _summary(self, means: dict[str, float]) -> dict[str, float]:
        mean = _mean(means.values())
        clean, theirs = self.clean_error, self.reference
        found = {'mean-error': mean}
        if theirs is not None:
            found['mCE'] = _mean(x / theirs[c] for c, x in means.items())
            base = self.reference_clean_error
            if clean is not None and base is not None:
                found['relative-mCE'] = _mean(
                    (x - clean) / (theirs[c] - base) for c, x in means.items()
                )
        if clean is not None:
            found['above-clean'] = mean - clean
        if theirs is not None:
            found['GPaCo-table/mCE'] = mean
            found['GPaCo-table/rel-mCE'] = found['mCE']
        return found


def _mean(values: Any) -> float:
    listed = list(values)
    return float(sum(listed) / len(listed))


def _errors(results: Results) -> dict[str, dict[int, float]]:
    """Errors from 0 to 1 by corruption and severity, in their order."""
    counts: dict[tuple[str, int], list[int]] = {}
    for corruption, severity, right in results:
        count = counts.setdefault((corruption, severity), [0, 0])
        count[0] += not right
        count[1] += 1
    return {
        corruption: {
            severity: counts[corruption, severity][0]
            / counts[corruption, severity][1]
            for severity in SEVERITIES
            if (corruption, severity) in counts
        }
        for corruption in CORRUPTIONS
        if any((corruption, severity) in counts for severity in SEVERITIES)
    }


def _tell_what_is_missing(errors: dict[str, dict[int, float]]) -> None:
    missing = [
        f'{corruption} of severity {severity}'
        if corruption in errors
        else corruption
        for corruption in CORRUPTIONS
        for severity in SEVERITIES[: None if corruption in errors else 1]
        if severity not in errors.get(corruption, {})
    ]
    if missing:
        more = f' and {len(missing) - 5} more' if missing[5:] else ''
        print_log(
            f'No image was tested under {", ".join(missing[:5])}{more}: '
            'every mean is one over what was tested, and not the figure by '
            f'its definition, over {len(CORRUPTIONS)} corruptions and '
            f'{len(SEVERITIES)} severities',
            logger='current',
            level=logging.WARNING,
        )
