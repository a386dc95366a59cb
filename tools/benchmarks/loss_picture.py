"""The picture of the loss benchmark: time and memory, with log axes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from mmpaco.analysis.pictures import blank_figure, save

# Okabe and Ito's colours, which the colour-blind can tell apart.
STYLES = {
    'tiled': ('#0072B2', 'o'),
    'dense': ('#E69F00', 's'),
    'floor': ('#000000', 'X'),
    'pml': ('#009E73', 'D'),
    'lightly': ('#CC79A7', '^'),
}

Row = Mapping[str, Any]


def plot(rows: Sequence[Row], setting: str, path: Path) -> None:
    """Draw time and memory against N, for the largest C of the first case."""
    rows = [row for row in rows if row['case'] == rows[0]['case']]
    C = max(row['C'] for row in rows)
    rows = [row for row in rows if row['C'] == C]
    figure = blank_figure(9, 4.2)
    left, right = figure.subplots(1, 2)
    draw(left, rows, 'median_ms', 'loss and gradients, ms')
    draw(right, rows, 'memory_mib', 'peak memory, MiB')
    handles, labels = left.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        title=f'{rows[0]["case"]}, C = {C}; {setting}',
        loc='outside upper center',
        ncols=len(labels),
        frameon=False,
    )
    save(figure, path)


def draw(ax: Axes, rows: Sequence[Row], key: str, label: str) -> None:
    for name, (colour, marker) in STYLES.items():
        found = [row for row in rows if row['variant'] == name and row[key]]
        if found:
            ax.plot(
                [row['N'] for row in found],
                [row[key] for row in found],
                label=name,
                color=colour,
                marker=marker,
                markersize=5,
                linewidth=1.5,
            )
    ax.set_xscale('log')
    ax.set_yscale('log')
    sizes = sorted({row['N'] for row in rows})
    ax.set_xticks(sizes, [str(N) for N in sizes])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f'{y:g}'))
    ax.set_xlabel('anchors N')
    ax.set_ylabel(label)
    ax.grid(color='0.9')
    ax.set_axisbelow(True)
    ax.spines[['top', 'right']].set_visible(False)
