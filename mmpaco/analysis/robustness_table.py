"""Robustness as text: table 4 of GPaCo, and a row for each corruption."""

from typing import Optional

from mmpaco.cls.corruptions import ALEXNET_ERRORS, CORRUPTIONS, SEVERITIES

from .robustness import Robustness

__all__ = ['corruption_table', 'paper_row', 'summary']

_SUMMARY = {
    'mean-error': "mean error (the paper's mCE)",
    'mCE': "mCE, AlexNet = 100 (the paper's rel. mCE)",
    'relative-mCE': 'relative mCE, AlexNet = 100',
    'above-clean': 'mean error above the clean one',
}


def paper_row(name: str, found: Robustness) -> str:
    """Write the row of table 4 of GPaCo.

    Args:
        name (str): Of the classifier.
        found (Robustness): What was measured.

    Returns:
        str: A heading and the row, with a dash for what was not measured.
    """
    cells = {
        'ImageNet': found.clean,
        'mCE': found.corruption.get('GPaCo-table/mCE'),
        'rel. mCE': found.corruption.get('GPaCo-table/rel-mCE'),
        'R': found.renditions,
        'Sketch': found.sketch,
    }
    width = max(len(name), 10)
    head = ''.join(f'{heading:>10}' for heading in cells)
    row = ''.join(f'{_number(value):>10}' for value in cells.values())
    return f'{"":{width}}{head}\n{name:{width}}{row}'


def summary(found: Robustness) -> str:
    """Write the accuracy and the means over all corruptions.

    Args:
        found (Robustness): What was measured.

    Returns:
        str: A line for each, and one if something is missing.
    """
    lines = {
        text: found.corruption[key]
        for key, text in _SUMMARY.items()
        if key in found.corruption
    }
    if 'mCE' not in found.corruption:
        # Nobody's column bears this name then.
        lines = {text.partition(' (')[0]: x for text, x in lines.items()}
    if found.clean is not None:
        lines = {'clean error': 100 - found.clean, **lines}
    width = max((len(text) for text in lines), default=0)
    rows = [f'{text:{width}} {_number(x):>6}' for text, x in lines.items()]
    return '\n'.join([*rows, *_what_is_missing(found)])


def _what_is_missing(found: Robustness) -> list[str]:
    tested = found.means
    count = sum(len(found.levels(name)) for name in tested)
    missing = []
    if found.clean is None:
        missing.append(
            "No clean error: the folder of the config's test images is not "
            'there. Relative mCE needs it, too.'
        )
    if not tested or count == len(CORRUPTIONS) * len(SEVERITIES):
        return missing
    return [
        *missing,
        f'These are means over {len(tested)} of {len(CORRUPTIONS)} '
        f'corruptions, at {count} of '
        f'{len(CORRUPTIONS) * len(SEVERITIES)} severities in all, and not '
        'the figures by their definition.',
    ]


def corruption_table(found: Robustness) -> str:
    """Write the errors under each corruption, and at each severity.

    Args:
        found (Robustness): What was measured.

    Returns:
        str: A heading, and a row for each corruption.
    """
    levels = {name: found.levels(name) for name in found.means}
    shown = [x for x in SEVERITIES if any(x in row for row in levels.values())]
    has_reference = 'mCE' in found.corruption
    width = max(len(name) for name in [*levels, 'corruption'])
    head = ''.join(f'{severity:>7}' for severity in shown)
    lines = [
        f'{"corruption":{width}}{head}{"mean":>8}'
        + (f'{"AlexNet":>10}{"CE":>8}' if has_reference else '')
    ]
    for name, mean in found.means.items():
        cells = ''.join(
            f'{_number(levels[name].get(severity)):>7}' for severity in shown
        )
        line = f'{name:{width}}{cells}{_number(mean):>8}'
        if has_reference:
            theirs = 100 * ALEXNET_ERRORS[name]
            line += f'{theirs:>10.1f}{100 * mean / theirs:>8.1f}'
        lines.append(line)
    return '\n'.join(lines)


def _number(value: Optional[float]) -> str:
    return '-' if value is None else f'{value:.1f}'
