"""Pictures of a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmpaco.analysis.class_values_picture import plot_class_values
from mmpaco.analysis.pictures import (
    COLOURS,
    MARKERS,
    legend,
    new_figure,
    plain_log_axis,
    save,
    smooth,
)
from mmpaco.files import PathLike

from .results import by_method
from .runs import Run


def plot_classes(
    runs: Sequence[Run],
    counts: Mapping[int, Sequence[int]],
    key: str,
    path: PathLike,
    bounds: Sequence[int] = (),
    names: Sequence[str] = (),
    labels: tuple[str, str] = (
        'training images of the class',
        'test accuracy',
    ),
) -> None:
    """Draw a metric of every class against what the class has in training.

    Seeds are averaged as by ``plot_class_values`` of ``mmpaco.analysis``.

    Args:
        runs: Finished runs.
        counts: Training images or pixels of every class, by seed.
        key: Metric that lists a percentage for every class.
        path: PNG to write.
        bounds: Few are below the first, many above the second; none by
            default.
        names: Names of the classes, if the counts are those of all seeds.
            Classes then stand side by side, and not at their counts.
        labels: Of the counts and of the metric.
    """
    methods = {
        label: [(counts[run.seed], run.metrics[key]) for run in group]
        for label, group in by_method(runs).items()
    }
    plot_class_values(methods, path, bounds, names, labels)


def _mean_curve(curves: Sequence[Mapping[int, float]]) -> tuple[Any, Any]:
    shared = sorted(set.intersection(*(set(curve) for curve in curves)))
    return shared, np.array([[c[x] for x in shared] for c in curves])


def plot_curves(runs: Sequence[Run], key: str, path: PathLike) -> None:
    """Draw training loss and a validation metric against iterations.

    Without any validation that side stays empty. A second stage comes after
    its first.

    Args:
        runs: Finished runs.
        key: Metric of the validation, in percent.
        path: PNG to write.
    """
    figure, (left, right) = new_figure(2)
    for i, (label, group) in enumerate(by_method(runs).items()):
        losses: list[dict[int, float]] = []
        metrics: list[dict[int, float]] = []
        for run in group:
            losses.append({})
            metrics.append({})
            iteration = begun = 0
            for stage in run.stages:
                for scalars in stage.training.scalars():
                    if 'iter' in scalars:
                        iteration = begun + scalars['iter']
                    if 'loss' in scalars and 'iter' in scalars:
                        losses[-1][iteration] = scalars['loss']
                    # A validation is logged with its epoch or its iteration,
                    # as the config wants, but always after the training it
                    # looks at.
                    if key in scalars:
                        metrics[-1][iteration] = scalars[key]
                begun += stage.training.total
        style: dict[str, Any] = {
            'color': COLOURS[i % len(COLOURS)],
            'linestyle': '-' if i < len(COLOURS) else '--',
            'label': label,
        }
        x, y = _mean_curve(losses)
        left.plot(x, smooth(y.mean(axis=0)), **style)
        if not all(metrics):
            continue
        x, y = _mean_curve(metrics)
        right.plot(
            x,
            y.mean(axis=0),
            marker=MARKERS[i % len(MARKERS)],
            markersize=4,
            **style,
        )
    if all(np.min(line.get_ydata()) > 0 for line in left.lines):
        plain_log_axis(left)
    left.set_ylabel('training loss (defined by each method)')
    right.set_ylabel(f'{key} in validation, %')
    for ax in (left, right):
        ax.set_xlabel('iteration')
        ax.set_xlim(left=0)
    legend(figure, left)
    save(figure, path)
