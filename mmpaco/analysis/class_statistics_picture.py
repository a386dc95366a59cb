"""The picture of the class statistics: pixels and images of each class."""

from typing import Any

import numpy as np

from mmpaco.files import PathLike

from .class_statistics import ClassStatistics
from .pictures import blank_figure, save

__all__ = ['plot_class_statistics']


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
        # From a power of ten on, and room for the notes right of the bars.
        low = _power_of_ten(values)
        high = max(values.max(), low)
        ax.set_xscale('log')
        ax.set_xlim(low, high * (high / low) ** 0.25 + 1)
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


def _power_of_ten(values: 'np.ndarray[Any, Any]') -> float:
    """Return the largest power of ten below all values but zeros."""
    positive = values[values > 0]
    if not positive.size:
        return 1.0
    return float(10.0 ** (np.ceil(np.log10(positive.min() + 1)) - 1))
