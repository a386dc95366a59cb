"""A picture of the errors under each corruption."""

import numpy as np

from mmpaco.cls.corruptions import SEVERITIES
from mmpaco.files import PathLike

from .pictures import blank_figure, legend, save
from .robustness import Robustness

# The last of noise, of blur and of weather; then come the digital ones.
_LAST_OF_KIND = ('impulse_noise', 'zoom_blur', 'brightness')


def plot_robustness(found: Robustness, title: str, path: PathLike) -> None:
    """Draw the errors at each severity, a row for each corruption.

    A dot is a severity, the darker the stronger, and the bar is their mean; a
    dotted line is the error without corruption.

    Args:
        found (Robustness): What was measured.
        title (str): What was tested.
        path: PNG to write.

    Raises:
        ValueError: If no corruption was measured, or ``path`` is no picture.
    """
    names = list(found.means)
    if not names:
        raise ValueError(
            'no error under a corruption was measured, so that there is '
            'nothing to draw'
        )
    from matplotlib import colormaps

    figure = blank_figure(6.8, 0.3 * len(names) + 1.9)
    ax = figure.add_subplot()
    ax.grid(axis='x', color='0.9')
    ax.set_axisbelow(True)
    ax.spines[['top', 'right', 'left']].set_visible(False)
    ax.tick_params(axis='y', length=0)
    shades = colormaps['Blues'](np.linspace(0.3, 1, len(SEVERITIES)))
    for severity, shade in zip(SEVERITIES, shades):
        points = [
            (found.levels(name)[severity], row)
            for row, name in enumerate(names)
            if severity in found.levels(name)
        ]
        if points:
            ax.plot(
                *zip(*points),
                'o',
                color=shade,
                markersize=6,
                label=f'severity {severity}',
            )
    ax.plot(
        list(found.means.values()),
        range(len(names)),
        '|',
        color='#D55E00',
        markersize=14,
        markeredgewidth=2,
        label='mean',
    )
    if found.clean is not None:
        ax.axvline(
            100 - found.clean,
            color='0.4',
            linewidth=1,
            linestyle=':',
            label='clean',
        )
    for last in _LAST_OF_KIND:
        if last in names[:-1]:
            ax.axhline(names.index(last) + 0.5, color='0.8', linewidth=0.8)
    ax.set_yticks(range(len(names)), [x.replace('_', ' ') for x in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    # Errors that lie close together must not lie on the edge.
    ax.set_xlim(0, 1.03 * ax.dataLim.x1 or 1)
    ax.set_xlabel('top-1 error, %')
    ax.set_title(title, fontsize=10)
    legend(figure, ax)
    save(figure, path)
