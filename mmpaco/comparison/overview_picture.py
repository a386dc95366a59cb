"""A comparison at a glance: every figure of every seed, and what it cost."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmpaco.analysis.pictures import COLOURS, MARKERS, blank_figure, save
from mmpaco.files import PathLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_PANELS = 5
# More than these move closer together, so that a page shows them all.
_FEW_ROWS = 8
# An axis that shows less would make differences of nothing, or negative
# percentages.
_LEAST_POINTS = 2.0
_LEAST_RATIO = 0.2


def plot_overview(
    results: Mapping[str, Any], columns: Mapping[str, str], path: PathLike
) -> None:
    """Draw each metric in a panel, with a row for each method.

    A dot is a seed, and the bar is their mean; a line reaches from the mean
    of the reference to it. Where no times are known, they have no panel.

    Args:
        results: From :func:`~mmpaco.comparison.results.summarise`.
        columns: Metric by heading; those that are percentages.
        path: PNG to write.
    """
    shown = dict(list(columns.items())[:_MOST_PANELS])
    methods = results['methods']
    rows = list(methods)
    ratios = [
        [] if methods[x]['time_ratio'] is None else [methods[x]['time_ratio']]
        for x in rows
    ]
    panels = len(shown) + any(ratios)
    row_height = 0.42 if len(rows) <= _FEW_ROWS else 0.27
    figure = blank_figure(2.1 * panels + 1.4, row_height * len(rows) + 1.3)
    axes = [figure.add_subplot(1, panels, i + 1) for i in range(panels)]
    for ax, (heading, key) in zip(axes, shown.items()):
        values = [
            [
                float(run['metrics'][key])
                for run in methods[x]['runs']
                if key in run['metrics']
            ]
            for x in rows
        ]
        _panel(ax, values, rows.index(results['reference']), _LEAST_POINTS)
        ax.set_title(f'{heading}, %')
    if any(ratios):
        reference = rows.index(results['reference'])
        _panel(axes[-1], ratios, reference, _LEAST_RATIO)
        axes[-1].set_title('time, ratio')
    for ax in axes:
        ax.set_yticks(range(len(rows)), [])
        ax.set_ylim(len(rows) - 0.4, -0.6)
    axes[0].set_yticks(range(len(rows)), [_name(x, methods[x]) for x in rows])
    save(figure, path)


def _name(label: str, method: Mapping[str, Any]) -> str:
    return label if method['runs'] else f'{label} (failed)'


def _panel(
    ax: 'Axes',
    values: Sequence[Sequence[float]],
    reference: int,
    least: float,
) -> None:
    ax.grid(axis='x', color='0.9')
    ax.set_axisbelow(True)
    ax.spines[['top', 'right', 'left']].set_visible(False)
    ax.tick_params(axis='y', length=0)
    base = float(np.mean(values[reference])) if values[reference] else None
    if base is not None:
        ax.axvline(base, color='0.6', linewidth=1, linestyle=':')
    for row, found in enumerate(values):
        if not found:
            continue
        colour = COLOURS[row % len(COLOURS)]
        mean = float(np.mean(found))
        if base is not None:
            ax.plot([base, mean], [row, row], color=colour, linewidth=2)
        ax.plot(mean, row, '|', color=colour, markersize=14, markeredgewidth=2)
        ax.plot(
            found,
            [row] * len(found),
            MARKERS[row % len(MARKERS)],
            color=colour,
            markersize=5,
            markerfacecolor='none',
        )
    ax.margins(x=0.12)
    low, high = ax.get_xlim()
    if high - low < least:
        # Room for a marker at zero.
        low = max(-least / 20, (low + high - least) / 2)
        ax.set_xlim(low, low + least)
