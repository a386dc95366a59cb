"""Pictures of a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmpaco.analysis.class_values_picture import plot_class_values
from mmpaco.analysis.pictures import (
    COLOURS,
    MARKERS,
    blank_figure,
    legend,
    plain_frame,
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


def plot_curves(
    runs: Sequence[Run], key: str, name: str, path: PathLike
) -> None:
    """Draw a validation metric, and each method's loss, against iterations.

    Losses of different methods are not of one scale, so each has a panel.
    Without any validation that side stays empty. A second stage comes after
    its first.

    Args:
        runs: Finished runs.
        key: Metric of the validation, in percent.
        name: What that is, in words.
        path: PNG to write.
    """
    methods = by_method(runs)
    figure = blank_figure(10.4, max(4.2, 1.1 * len(methods) + 0.8))
    grid = figure.add_gridspec(len(methods), 2, width_ratios=(3, 2))
    ax = figure.add_subplot(grid[:, 0])
    below = None
    for i, (label, group) in enumerate(methods.items()):
        losses, metrics = zip(*(_curves(run, key) for run in group))
        style: dict[str, Any] = {
            'color': COLOURS[i % len(COLOURS)],
            'linestyle': '-' if i < len(COLOURS) else '--',
        }
        panel = below = figure.add_subplot(grid[i, 1], sharex=below)
        x, y = _mean_curve(losses)
        panel.plot(x, smooth(y.mean(axis=0)), **style)
        panel.set_ylabel('loss')
        panel.tick_params(labelbottom=i == len(methods) - 1)
        if all(metrics):
            x, y = _mean_curve(metrics)
            style.update(marker=MARKERS[i % len(MARKERS)], markersize=4)
        else:
            x, y = [], np.empty((1, 0))
        ax.plot(x, y.mean(axis=0), label=label, **style)
    for panel in figure.axes:
        plain_frame(panel)
        panel.set_xlim(left=0)
    ax.set_ylabel(f'{name} in validation, %')
    for panel in (ax, figure.axes[-1]):
        panel.set_xlabel('iteration')
    legend(figure, ax)
    save(figure, path)


def _curves(run: Run, key: str) -> tuple[dict[int, float], dict[int, float]]:
    """Read the loss and a validation metric of a run, by iteration."""
    losses: dict[int, float] = {}
    metrics: dict[int, float] = {}
    iteration = begun = 0
    for stage in run.stages:
        for scalars in stage.training.scalars():
            if 'iter' in scalars:
                iteration = begun + scalars['iter']
            if 'loss' in scalars and 'iter' in scalars:
                losses[iteration] = scalars['loss']
            # A validation is logged with its epoch or its iteration, as the
            # config wants, but always after the training it looks at.
            if key in scalars:
                metrics[iteration] = scalars[key]
        begun += stage.training.total
    return losses, metrics
