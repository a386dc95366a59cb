"""The tables of the loss benchmark on a device."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple, Optional

from loss_table import short
from rich import box
from rich.console import Console
from rich.table import Table

Row = Mapping[str, Any]
KEYS = ('images', 'rows', 'channels', 'more', 'classes')


class Ratio(NamedTuple):
    """One variant's time over another's, and what is aimed at."""

    over: str
    under: str
    is_most: bool = True


RATIOS = (
    Ratio('tiles', 'floor'),
    Ratio('kernels x3', 'floor'),
    Ratio('kernels x1', 'TF32 floor'),
    Ratio('tiles', 'kernels x3', False),
    Ratio('dense', 'kernels x3', False),
)
# Of contrast alone by channels, of the whole loss by images; of N = 8192. Of
# x3 / floor and of x1 / TF32 floor.
_CONTRAST = {64: (0.35, 0.45), 128: (0.30, 0.50), 256: (0.30, 0.75)}
_WHOLE = {1: (0.6, 1.7), 4: (0.40, 0.75)}


def targets(case: Row) -> tuple:
    """What is aimed at, ratio by ratio; None where nothing is."""
    whole = bool(case['classes'])
    if case['more'] or case['rows'] < 8192:
        # Not slower than tiles.
        return None, None, None, 1.0, None
    if whole:
        of_floors = _WHOLE.get(case['images'], (None, None))
        return None, *of_floors, None, 7.0
    return None, *_CONTRAST[case['channels']], 4.0, None


def case_name(row: Row) -> str:
    parts = [f'N = {row["rows"]}, D = {row["channels"]}']
    if row['more']:
        parts.append(f'{row["more"]} more')
    if row['images'] > 1:
        parts.append(f'{row["images"]} images')
    what = f'loss, C = {row["classes"]}' if row['classes'] else 'contrast'
    return ', '.join([what, *parts])


def print_case(rows: Sequence[Row]) -> None:
    """Print what was measured of a case."""
    print(f'\n{case_name(rows[0])}')
    headings = ('us', 'least', 'most', 'card', 'launches', 'host', 'MiB')
    print(f'  {"":11}' + ''.join(f'{x:>9}' for x in headings), flush=True)
    keys = ('median_us', 'least_us', 'most_us', 'device_us', 'launches')
    for row in rows:
        cells = [short(row[x]) for x in (*keys, 'host_us', 'memory_mib')]
        cells = [str(x) if isinstance(x, int) else x for x in cells]
        print(
            f'  {row["variant"]:11}' + ''.join(f'{x:>9}' for x in cells),
            flush=True,
        )


def ratio(
    rows: Mapping[str, Row], wanted: Ratio, key: str = 'median_us'
) -> Optional[float]:
    over, under = (
        rows.get(x, {}).get(key) for x in (wanted.over, wanted.under)
    )
    return over / under if over and under else None


def verdict(
    by_events: float, alone: Optional[float], aim: float, is_most: bool
) -> str:
    """Say whether a target is met, or would be if the host were faster."""

    def meets(value: float) -> bool:
        return value <= aim if is_most else value >= aim

    if meets(by_events):
        return 'met'
    if alone is not None and meets(alone):
        return 'card only'
    return 'missed'


def ratio_table(rows: Sequence[Row]) -> Table:
    table = Table(
        title='Loss with gradients: ratios of medians by events; in brackets '
        'of what the card alone is busy; targets',
        caption='met; card only: by what the card alone is busy, but the '
        'host is slower at launching; missed.',
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title_justify='left',
        caption_justify='left',
    )
    table.add_column('case')
    for x in RATIOS:
        name = f'{x.over} / {x.under}'.replace('kernels ', '')
        table.add_column(name, justify='right')
    for _, group in groupby(rows, lambda row: [row[x] for x in KEYS]):
        found = {row['variant']: row for row in group}
        case = next(iter(found.values()))
        cells = []
        for x, aim in zip(RATIOS, targets(case)):
            value, alone = ratio(found, x), ratio(found, x, 'device_us')
            text = short(value)
            if alone is not None:
                text += f' ({short(alone)})'
            if value is not None and aim is not None:
                told = verdict(value, alone, aim, x.is_most)
                text += f'\n{"<=" if x.is_most else ">="} {aim:g} {told}'
            cells.append(text)
        table.add_row(case_name(case), *cells)
    return table


def print_ratios(rows: Sequence[Row]) -> None:
    console = Console(highlight=False, width=120)
    console.print(ratio_table(rows))
