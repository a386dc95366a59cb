"""Pictures of a comparison."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .comparison_report import by_method
from .comparison_run import PathLike, Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell apart; the pale
# yellow is left out.
_COLOURS = (
    '#0072B2',
    '#E69F00',
    '#009E73',
    '#D55E00',
    '#CC79A7',
    '#56B4E9',
    '#000000',
)
_MARKERS = 'osD^vPX'


def _figure(panels: int) -> tuple['Figure', list['Axes']]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(5.2 * panels if panels > 1 else 6.4, 4.2),
        dpi=150,
        layout='constrained',
    )
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(1, panels, i + 1) for i in range(panels)]
    for ax in axes:
        ax.grid(color='0.9')
        ax.set_axisbelow(True)
        ax.spines[['top', 'right']].set_visible(False)
    return figure, axes


def _legend(figure: 'Figure', ax: 'Axes') -> None:
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc='outside upper center',
        ncols=min(len(labels), 4),
        frameon=False,
    )


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

    Which class is rare may depend on the seed, so what is averaged over
    seeds is a rank, from the most frequent class to the rarest.

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
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    figure, (ax,) = _figure(1)
    methods = by_method(runs)
    most = max(len(group) for group in methods.values())
    for i, (label, group) in enumerate(methods.items()):
        sizes, values = [], []
        for run in group:
            count = np.asarray(counts[run.seed])
            order = np.argsort(-count, kind='stable')
            sizes.append(np.arange(len(order)) if names else count[order])
            values.append(np.asarray(run.metrics[key], dtype=float)[order])
        spread = np.std(values, axis=0, ddof=1) if len(group) > 1 else None
        x = np.mean(sizes, axis=0)
        if most > 1:
            # Bars of one class stand side by side.
            shift = i - (len(methods) - 1) / 2
            x = x + 0.12 * shift if names else x * 1.03**shift
        ax.errorbar(
            x,
            np.mean(values, axis=0),
            yerr=spread,
            label=label,
            color=_COLOURS[i % len(_COLOURS)],
            marker=_MARKERS[i % len(_MARKERS)],
            linestyle='-' if i < len(_COLOURS) else '--',
            markersize=5,
            linewidth=1.5,
            elinewidth=0.8,
            capsize=2,
        )
    if names:
        show = EngFormatter(places=0, sep='')
        ax.set_xticks(
            range(len(order)),
            [f'{names[c]}, {show(count[c])}' for c in order],
            rotation=35,
            ha='right',
            rotation_mode='anchor',
        )
    else:
        ax.set_xscale('log')
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(EngFormatter(sep=''))
        ax.xaxis.set_minor_locator(NullLocator())
    for bound in bounds:
        ax.axvline(bound, color='0.6', linestyle=':', linewidth=1)
    groups = f' (few < {bounds[0]}, many > {bounds[1]})' if bounds else ''
    ax.set_xlabel(labels[0] + groups)
    bottom, top = ax.get_ylim()
    ax.set_ylim(max(bottom, -2), min(top, 102))
    seeds = f' (mean ± s.d., {most} seeds)' if most > 1 else ''
    ax.set_ylabel(f'{labels[1]}, %{seeds}')
    _legend(figure, ax)
    figure.savefig(path)


def _smooth(values: np.ndarray) -> np.ndarray:
    width = max(1, len(values) // 20)
    kernel = np.ones(width)
    # Divided by the weight inside, so that the ends do not sink.
    inside = np.convolve(np.ones(len(values)), kernel, 'same')
    smoothed: np.ndarray = np.convolve(values, kernel, 'same') / inside
    return smoothed


def _mean_curve(curves: Sequence[Mapping[int, float]]) -> tuple[Any, Any]:
    shared = sorted(set.intersection(*(set(curve) for curve in curves)))
    return shared, np.array([[c[x] for x in shared] for c in curves])


def plot_curves(runs: Sequence[Run], key: str, path: PathLike) -> None:
    """Draw training loss and a validation metric against iterations.

    Args:
        runs: Finished runs.
        key: Metric of the validation, in percent.
        path: PNG to write.
    """
    figure, (left, right) = _figure(2)
    for i, (label, group) in enumerate(by_method(runs).items()):
        losses: list[dict[int, float]] = []
        metrics: list[dict[int, float]] = []
        for run in group:
            losses.append({})
            metrics.append({})
            iteration = 0
            for scalars in run.scalars():
                iteration = scalars.get('iter', iteration)
                if 'loss' in scalars and 'iter' in scalars:
                    losses[-1][iteration] = scalars['loss']
                # A validation is logged with its epoch or its iteration,
                # as the config wants, but always after the training it
                # looks at.
                if key in scalars:
                    metrics[-1][iteration] = scalars[key]
        style: dict[str, Any] = {
            'color': _COLOURS[i % len(_COLOURS)],
            'linestyle': '-' if i < len(_COLOURS) else '--',
            'label': label,
        }
        x, y = _mean_curve(losses)
        left.plot(x, _smooth(y.mean(axis=0)), **style)
        x, y = _mean_curve(metrics)
        right.plot(
            x,
            y.mean(axis=0),
            marker=_MARKERS[i % len(_MARKERS)],
            markersize=4,
            **style,
        )
    if all(np.min(line.get_ydata()) > 0 for line in left.lines):
        left.set_yscale('log')
    left.set_ylabel('training loss (defined by each method)')
    right.set_ylabel(f'{key} in validation, %')
    for ax in (left, right):
        ax.set_xlabel('iteration')
        ax.set_xlim(left=0)
    _legend(figure, left)
    figure.savefig(path)
