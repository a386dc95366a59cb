"""What the pictures share: axes, colours, smoothing."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmpaco.files import PathLike, whole_file

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


def new_figure() -> tuple['Figure', 'Axes']:
    """Make a figure of one panel.

    Returns:
        tuple[Figure, Axes]: The figure and its panel.
    """
    figure = blank_figure(6.4, 4.2)
    ax = figure.add_subplot()
    plain_frame(ax)
    return figure, ax


def plain_frame(ax: 'Axes') -> None:
    """Leave of the frame of a panel what is read, and a pale grid.

    Args:
        ax: The panel.
    """
    ax.grid(color='0.9')
    ax.set_axisbelow(True)
    ax.spines[['top', 'right']].set_visible(False)


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
    labels = [folded(label, 66) for label in labels]
    # As many columns as the width of the narrowest figure has room for.
    longest = max(len(x) for label in labels for x in label.split('\n'))
    fitting = max(1, 72 // (longest + 6))
    figure.legend(
        handles,
        labels,
        loc='outside upper center',
        ncols=min(len(labels), 4, fitting),
        frameon=False,
    )


def folded(name: str, length: int) -> str:
    """Break a name that is longer than there is room for.

    Args:
        name: The name.
        length: Characters of a line.

    Returns:
        str: The name in one line or more.
    """
    return '\n'.join(textwrap.wrap(name, length)) or name


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
