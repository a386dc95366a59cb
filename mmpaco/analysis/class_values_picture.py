"""A percentage of every class against what the class has in training."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

import numpy as np

from mmpaco.files import PathLike
from mmpaco.losses import as_class_counts

from .pictures import (
    COLOURS,
    MARKERS,
    MOST_POINTS,
    blank_figure,
    folded,
    legend,
    new_figure,
    plain_frame,
    save,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Group = Sequence[tuple[Sequence[int], Sequence[float]]]
_NUM_GROUPS = 25
# More lines than this hide each other.
_MOST_LINES = 5
_COLUMNS = 3
# As wide as such a panel.
_TITLE_LENGTH = 34
# Up to here the axis of the counts is linear.
_FEW_IMAGES = 30


class _Line(NamedTuple):
    """What is drawn of a method."""

    x: 'np.ndarray[Any, Any]'
    mean: 'np.ndarray[Any, Any]'
    spread: Optional['np.ndarray[Any, Any]']
    # Classes of a point.
    width: int
    # Class indices and counts of the last seed, in the order that is drawn.
    order: 'np.ndarray[Any, Any]'
    sizes: 'np.ndarray[Any, Any]'


def plot_class_values(
    methods: Mapping[str, Group],
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
    50 classes, neighbours in that order are averaged, too. More than five
    methods have a panel each, with the first one in grey behind them.

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
    lines = {
        label: _line(group, bool(names)) for label, group in methods.items()
    }
    seeds = {len(group) for group in methods.values()}
    groups = f' (few < {bounds[0]}, many > {bounds[1]})' if bounds else ''
    notes = [
        f'mean of {width} classes'
        for width in sorted({line.width for line in lines.values()})
        if width > 1
    ]
    most = max(seeds)
    if most > 1:
        up_to = 'up to ' if len(seeds) > 1 else ''
        notes.append(f'mean ± s.d., {up_to}{most} seeds')
    else:
        notes.append('one seed')
    texts = labels[0] + groups, f'{labels[1]}, %'
    averaged = f'({"; ".join(notes)})' if notes else ''
    if len(lines) > _MOST_LINES and not names:
        figure = _in_panels(lines, bounds, texts, averaged)
    else:
        figure = _in_one(lines, bounds, names, texts, averaged)
    save(figure, path)


def _line(group: Group, is_named: bool) -> _Line:
    sizes, values, width = [], [], 1
    for raw_counts, raw_values in group:
        count = as_class_counts(raw_counts, len(raw_values)).numpy()
        order = np.argsort(-count, kind='stable')
        ranked = np.asarray(raw_values, dtype=float)[order]
        if is_named:
            sizes.append(np.arange(len(order), dtype=float))
        elif len(order) > MOST_POINTS:
            parts = np.array_split(np.arange(len(order)), _NUM_GROUPS)
            # A test set may lack a class.
            ranked = np.array([np.nanmean(ranked[p]) for p in parts])
            sizes.append(np.array([count[order[p]].mean() for p in parts]))
            width = len(parts[0])
        else:
            sizes.append(count[order].astype(float))
        values.append(ranked)
    return _Line(
        np.mean(sizes, axis=0),
        np.mean(values, axis=0),
        np.std(values, axis=0, ddof=1) if len(group) > 1 else None,
        width,
        order,
        count,
    )


def _draw(ax: 'Axes', line: _Line, x: Any, i: int, **style: Any) -> None:
    style = {
        'color': COLOURS[i % len(COLOURS)],
        'marker': MARKERS[i % len(MARKERS)],
        'linestyle': '-' if i < len(COLOURS) else '--',
        'markersize': 5,
        **style,
    }
    ax.errorbar(
        x,
        line.mean,
        yerr=line.spread,
        linewidth=1.5,
        elinewidth=0.8,
        capsize=2,
        **style,
    )


def _draw_bars(
    ax: 'Axes', line: _Line, i: int, number: int, label: str
) -> None:
    width = 0.8 / number
    ax.bar(
        line.x + (i - (number - 1) / 2) * width,
        line.mean,
        width,
        yerr=line.spread,
        error_kw=dict(elinewidth=0.8, capsize=2),
        color=COLOURS[i % len(COLOURS)],
        hatch='//' if i >= len(COLOURS) else None,
        label=label,
    )


def _in_one(
    lines: Mapping[str, _Line],
    bounds: Sequence[int],
    names: Sequence[str],
    texts: tuple[str, str],
    averaged: str,
) -> 'Figure':
    """Draw all methods in one panel."""
    from matplotlib.ticker import EngFormatter

    figure, ax = new_figure()
    has_bars = any(line.spread is not None for line in lines.values())
    for i, (label, line) in enumerate(lines.items()):
        x = line.x
        if has_bars:
            # Bars of one class stand side by side.
            shift = i - (len(lines) - 1) / 2
            x = x * 1.03**shift
        if names:
            # Nothing lies between two names.
            _draw_bars(ax, line, i, len(lines), label)
        else:
            _draw(ax, line, x, i, label=label)
    if names:
        show: Any = EngFormatter(places=0, sep='')
        ax.set_xticks(
            range(len(line.order)),
            [f'{names[c]}, {show(line.sizes[c])}' for c in line.order],
            rotation=35,
            ha='right',
            rotation_mode='anchor',
        )
    else:
        _count_axis(ax, lines)
    _bounded(ax, bounds)
    ax.set_xlabel(texts[0])
    # On a line of its own, or the axis is too short for it.
    ax.set_ylabel('\n'.join(filter(None, (texts[1], averaged))))
    legend(figure, ax)
    return figure


def _in_panels(
    lines: Mapping[str, _Line],
    bounds: Sequence[int],
    texts: tuple[str, str],
    averaged: str,
) -> 'Figure':
    """Draw each method in a panel of its own, in front of the first one."""
    (first, behind), *others = lines.items()
    rows = -(-len(others) // _COLUMNS)
    figure = blank_figure(3.2 * _COLUMNS, 2.3 * rows + 0.5)
    axes = figure.subplots(
        rows, _COLUMNS, sharex=True, sharey=True, squeeze=False
    ).ravel()
    for i, ((label, line), ax) in enumerate(zip(others, axes)):
        plain_frame(ax)
        small = dict(marker='.', linestyle='-', markersize=4)
        _draw(ax, behind, behind.x, 0, **{**small, 'color': '0.65'})
        _draw(ax, line, line.x, i, **small)
        ax.set_title(folded(label, _TITLE_LENGTH), fontsize=10)
        ax.tick_params(labelsize=8)
        _count_axis(ax, lines)
    for ax in axes[: len(others)]:
        # Now that the common range is known.
        _bounded(ax, bounds)
    for ax in axes[len(others) :]:
        ax.set_visible(False)
    for ax in axes[max(0, len(others) - _COLUMNS) : len(others)]:
        ax.tick_params(labelbottom=True)
    below = f'{texts[0]}; grey: {first}'
    figure.supxlabel(' '.join(filter(None, (below, averaged))), fontsize=10)
    figure.supylabel(texts[1], fontsize=10)
    return figure


def _count_axis(ax: 'Axes', lines: Mapping[str, _Line]) -> None:
    from matplotlib.ticker import (
        EngFormatter,
        LogLocator,
        MaxNLocator,
        NullLocator,
        SymmetricalLogLocator,
    )

    if ax.get_xlim()[1] <= _FEW_IMAGES:
        # A class may have none, and every image counts.
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        return
    subs = (1, 2, 5)
    if min(line.x.min() for line in lines.values()) < 1:
        # Linear up to one image, since zero has no logarithm.
        ax.set_xscale('symlog', linthresh=1, linscale=0.5)
        # Room for a marker at zero.
        ax.set_xlim(left=-0.3)
        locator: Any = SymmetricalLogLocator(linthresh=1, base=10, subs=subs)
    else:
        ax.set_xscale('log')
        locator = LogLocator(subs=subs)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(EngFormatter(sep=''))
    ax.xaxis.set_minor_locator(NullLocator())


def _bounded(ax: 'Axes', bounds: Sequence[int]) -> None:
    for bound in bounds:
        ax.axvline(bound, color='0.6', linestyle=':', linewidth=1)
    bottom, top = ax.get_ylim()
    ax.set_ylim(max(bottom, -2), min(top, 102))
