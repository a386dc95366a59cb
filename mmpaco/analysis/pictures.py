"""What the pictures share: axes, colours, accuracy against frequency."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmpaco.files import PathLike, whole_file
from mmpaco.losses import as_class_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell apart; the pale
# yellow is left out.
COLOURS = (
    '#0072B2',
    '#E69F00',
    '#009E73',
    '#D55E00',
    '#CC79A7',
    '#56B4E9',
    '#000000',
)
MARKERS = 'osD^vPX'
# Of more classes than this, neighbours are averaged.
MOST_POINTS = 50
_NUM_GROUPS = 25


def blank_figure(width: float, height: float, dpi: int = 150) -> 'Figure':
    """Make a figure that needs no display.

    Args:
        width: In inches.
        height: In inches.
        dpi: Pixels of an inch.

    Returns:
        Figure: The figure.
    """
    # Slow to import, and most who import this draw nothing.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def new_figure(panels: int) -> tuple['Figure', list['Axes']]:
    """Make a figure with panels side by side.

    Args:
        panels: How many.

    Returns:
        tuple[Figure, list[Axes]]: The figure and its panels.
    """
    figure = blank_figure(5.2 * panels if panels > 1 else 6.4, 4.2)
    axes = [figure.add_subplot(1, panels, i + 1) for i in range(panels)]
    for ax in axes:
        ax.grid(color='0.9')
        ax.set_axisbelow(True)
        ax.spines[['top', 'right']].set_visible(False)
    return figure, axes


def plain_log_axis(ax: 'Axes') -> None:
    """Make the values of an axis logarithmic, with numbers as people write.

    Args:
        ax: Of which it is the vertical one.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.set_yscale('log')
    low, high = ax.get_ylim()
    # Within a decade or so, powers of ten alone would be too few.
    steps = (1, 2, 3, 4, 5, 6, 8) if high < 20 * low else (1, 2, 5)
    ax.yaxis.set_major_locator(LogLocator(subs=steps))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f'{x:g}'))


def save(figure: 'Figure', path: PathLike) -> None:
    """Write a figure.

    Args:
        figure: The figure.
        path: PNG, or another kind that matplotlib writes; its folder is made
            if it is not there.

    Raises:
        ValueError: If its suffix is that of no picture.
    """
    known = sorted(figure.canvas.get_supported_filetypes())
    suffix = Path(path).suffix.lower()
    if suffix[1:] not in known:
        raise ValueError(
            f'a picture must be a file of .{", .".join(known)}, but got '
            f'{str(path)!r}'
        )
    with whole_file(path) as part:
        figure.savefig(part, format=suffix[1:])


def legend(figure: 'Figure', ax: 'Axes') -> None:
    """Put the legend of a panel above the figure.

    Args:
        figure: The figure.
        ax: The panel.
    """
    handles, labels = ax.get_legend_handles_labels()
    # As many columns as the width of the narrowest figure has room for.
    fitting = max(1, 72 // (max(map(len, labels)) + 6))
    figure.legend(
        handles,
        labels,
        loc='outside upper center',
        ncols=min(len(labels), 4, fitting),
        frameon=False,
    )


def smooth(values: 'np.ndarray[Any, Any]') -> 'np.ndarray[Any, Any]':
    """Average each value with its neighbours, a twentieth of all.

    Args:
        values: Values in a row, of shape (N, ).

    Returns:
        np.ndarray: As many.
    """
    width = max(1, len(values) // 20)
    kernel = np.ones(width)
    # Divided by the weight inside, so that the ends do not sink.
    inside = np.convolve(np.ones(len(values)), kernel, 'same')
    smoothed: np.ndarray[Any, Any] = (
        np.convolve(values, kernel, 'same') / inside
    )
    return smoothed


def plot_class_values(
    methods: Mapping[str, Sequence[tuple[Sequence[int], Sequence[float]]]],
    path: PathLike,
    bounds: Sequence[int] = (),
    names: Sequence[str] = (),
    labels: tuple[str, str] = (
        'training images of the class',
        'test accuracy',
    ),
) -> None:
    """Draw a percentage of every class against what the class has in training.

    Which class is rare may depend on the seed, so what is averaged over
    seeds is a rank, from the most frequent class to the rarest. Of more than
    50 classes, neighbours in that order are averaged, too.

    Args:
        methods: For each name of the legend, counts and values of every
            class, once for each seed.
        path: PNG to write.
        bounds: Few are below the first, many above the second; none by
            default.
        names: Names of the classes, if the counts are those of all seeds.
            Classes then stand side by side, and not at their counts.
        labels: Of the counts and of the values.

    Raises:
        TypeError: If counts are not real numbers.
        ValueError: If there is not one count for each value, one is negative,
            infinite or nan, or all are zero; if the bounds are out of
            order, or ``path`` is no picture.
    """
    if bounds and not 0 <= bounds[0] <= bounds[1]:
        raise ValueError(
            'expected 0 <= few <= many as bounds, but got '
            f'{bounds[0]} and {bounds[1]}'
        )
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    figure, (ax,) = new_figure(1)
    most = max(len(group) for group in methods.values())
    notes = []
    for i, (label, group) in enumerate(methods.items()):
        sizes, values = [], []
        for raw_counts, raw_values in group:
            count = as_class_counts(raw_counts, len(raw_values)).numpy()
            order = np.argsort(-count, kind='stable')
            ranked = np.asarray(raw_values, dtype=float)[order]
            if names:
                sizes.append(np.arange(len(order), dtype=float))
            elif len(order) > MOST_POINTS:
                parts = np.array_split(np.arange(len(order)), _NUM_GROUPS)
                # A test set may lack a class.
                ranked = np.array([np.nanmean(ranked[p]) for p in parts])
                sizes.append(np.array([count[order[p]].mean() for p in parts]))
                note = f'mean of {len(parts[0])} classes'
                if note not in notes:
                    notes.append(note)
            else:
                sizes.append(count[order].astype(float))
            values.append(ranked)
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
            color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[i % len(MARKERS)],
            linestyle='-' if i < len(COLOURS) else '--',
            markersize=5,
            linewidth=1.5,
            elinewidth=0.8,
            capsize=2,
        )
    if names:
        show: Any = EngFormatter(places=0, sep='')
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
    if most > 1:
        notes.append(f'mean ± s.d., {most} seeds')
    # On a line of its own, or the axis is too short for it.
    averaged = f'\n({"; ".join(notes)})' if notes else ''
    ax.set_ylabel(f'{labels[1]}, %{averaged}')
    legend(figure, ax)
    save(figure, path)
