"""The tables of the loss benchmark, to read and to keep."""

import csv
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Optional

from loss_variants import Case, matrix_bytes
from rich import box
from rich.table import Table

Row = Mapping[str, Any]


def make_table(case: Case, rows: Sequence[Row]) -> Table:
    contrasts = f' and {case.extra_rows} more rows' if case.extra_rows else ''
    table = Table(
        title=f'{case.name}: N anchors against each other{contrasts}',
        caption='Loss and gradients: median (least to most), ratio to the '
        'bare products, how many times faster than dense, and peak memory '
        'beyond inputs and gradients.',
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title_justify='left',
        caption_justify='left',
    )
    table.add_column('C', justify='right')
    table.add_column('N', justify='right')
    table.add_column('variant')
    for heading in ('ms', '(least to most)', '/ floor', 'faster', 'MiB'):
        table.add_column(heading, justify='right', no_wrap=True)
    for _, group in groupby(rows, lambda row: (row['C'], row['N'])):
        for i, row in enumerate(group):
            table.add_row(
                # Once for all variants.
                *(str(row[x]) if i == 0 else '' for x in ('C', 'N')),
                row['variant'],
                short(row['median_ms']),
                f'({short(row["min_ms"])} to {short(row["max_ms"])})',
                short(row['floor_ratio']),
                short(row['dense_speedup']),
                short(row['memory_mib']),
            )
        table.add_section()
    return table


def scaling_line(case: Case, rows: Sequence[Row]) -> str:
    """Tell what the last step in N costs."""
    *_, before, N = sorted({row['N'] for row in rows})
    found = ', '.join(
        f'{row["scaling"]:.1f} (C = {row["C"]})'
        for row in rows
        if row['variant'] == 'tiled' and row['N'] == N
    )
    pairs = matrix_bytes(case, N) / matrix_bytes(case, before)
    return (
        f'tiled, N = {before} to {N}: {found} times the time for {pairs:.1f} '
        'times the pairs'
    )


def short(value: Optional[float]) -> str:
    """Write three digits, or all of a larger number."""
    if value is None:
        return ''
    return f'{value:.0f}' if value >= 1000 else f'{value:#.3g}'.rstrip('.')


def write_csv(rows: Sequence[Row], path: Path) -> None:
    with path.open('w', newline='') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {
                    key: f'{x:.6g}' if isinstance(x, float) else x
                    for key, x in row.items()
                }
            )
