"""The picture of the class statistics: pixels and images of each class."""

from typing import TYPE_CHECKING, Any

import numpy as np

from mmpaco.files import PathLike

from .class_statistics import ClassStatistics
from .pictures import blank_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ['plot_class_statistics']

# Fewer are told apart on a plain axis.
_FEW = 100


def plot_class_statistics(
    statistics: ClassStatistics, path: PathLike, title: str = ''
) -> None:
    """Draw pixels and images of each class, from the most frequent one.

    Args:
        statistics: What to draw.
        path: PNG to write.
        title: Title of the picture. Defaults to none.
    """
    order = np.argsort(-statistics.pixels, kind='stable')
    rows = np.arange(len(order))
    figure = blank_figure(9, 1.6 + 0.17 * len(order), 120)
    left, right = figure.subplots(1, 2, sharey=True)
    shares = 100 * statistics.pixels / max(statistics.pixels.sum(), 1)
    for ax, values, notes, colour, label in (
        (
            left,
            statistics.pixels,
            [f'{share:.2g} %' for share in shares],
            '#0072B2',
            'pixels',
        ),
        (
            right,
            statistics.images,
            [str(count) for count in statistics.images],
            '#E69F00',
            f'images, of {statistics.num_images}',
        ),
    ):
        low = _axis(ax, values)
        ax.barh(
            rows,
            (values[order] - low).clip(0),
            left=low,
            color=colour,
            height=0.7,
        )
        ax.set_xlabel(label)
        ax.grid(axis='x', color='0.9')
        ax.set_axisbelow(True)
        ax.spines[['top', 'right']].set_visible(False)
        for row, i in enumerate(order):
            ax.text(
                max(values[i], low),
                row,
                f' {notes[i]}',
                va='center',
                fontsize=7,
            )
    left.set_yticks(rows, [statistics.classes[i] for i in order], fontsize=8)
    left.set_ylim(len(order) - 0.4, -0.6)
    figure.suptitle(title)
    save(figure, path)


def _axis(ax: 'Axes', values: 'np.ndarray[Any, Any]') -> float:
    """Scale an axis, with room for notes right of the bars; give its start."""
    from matplotlib.ticker import MaxNLocator

    high = max(float(values.max()), 1.0)
    if high < _FEW:
        ax.set_xlim(0, 1.25 * high)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        return 0.0
    low = _power_of_ten(values)
    ax.set_xscale('log')
    ax.set_xlim(low, high * (high / low) ** 0.25 + 1)
    return low


def _power_of_ten(values: 'np.ndarray[Any, Any]') -> float:
    """Return the largest power of ten below all values but zeros."""
    positive = values[values > 0]
    if not positive.size:
        return 1.0
    return float(10.0 ** (np.ceil(np.log10(positive.min() + 1)) - 1))
