"""The table of what was tried, as Markdown."""

from typing import Any

SHOWN = {
    'losses alone': 'losses, torch alone',
    'quickstart': 'quickstart, one epoch',
    'segmentation step': 'segmentation step',
    'inferencer': 'inferencer',
    'report': 'report',
}


def table(record: dict[str, Any]) -> str:
    """Write the rows of a record, and the archives below them."""
    head = ['stack', 'Python', *SHOWN.values(), '`pip check`', 'size']
    lines = [_row(head), _row(['---'] * len(head))]
    notes: dict[str, int] = {}
    for name, row in record['rows'].items():
        cells = _cells(row, notes)
        lines.append(_row([*name.split(), *cells]))
    lines += ['', *(f'{i}. `{said}`' for said, i in notes.items())]
    for name, archive in record.get('archives', {}).items():
        files = archive['files']
        listed = ', '.join(f'{k} {v}' for k, v in files.items())
        size = archive['bytes'] / 1e6
        lines += [
            '',
            f'`{name}`, {size:.2f} MB, {sum(files.values())} files: {listed}',
        ]
    return '\n'.join(lines) + '\n'


def _cells(row: dict[str, Any], notes: dict[str, int]) -> list[str]:
    if row.get('missing'):
        return ['not found'] + [''] * (len(SHOWN) + 1)
    steps = row['steps']
    failed = {k: v for k, v in steps.items() if v['status']}
    cells = [_told(steps[name], notes) for name in SHOWN]
    # What is no column is told where it failed.
    for name, step in failed.items():
        if name not in SHOWN:
            cells[-1] += f'; {name} {_told(step, notes)}'
    wrong = [x for x in row['pip check'] if not x.startswith('No broken')]
    check = ', '.join(_note(x, notes) for x in wrong) or 'clean'
    return [*cells, check, f'{row["bytes"] / 1e9:.1f} GB']


def _told(step: dict[str, Any], notes: dict[str, int]) -> str:
    if step['status']:
        return f'failed {_note(step["said"], notes)}'
    return f'{step["seconds"]} s'


def _note(said: str, notes: dict[str, int]) -> str:
    return f'({notes.setdefault(said, len(notes) + 1)})'


def _row(cells: list[str]) -> str:
    return f'| {" | ".join(cells)} |'
