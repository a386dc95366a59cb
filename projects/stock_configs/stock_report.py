"""The tables of the record of stock configs."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from stock_record import Entry, Record

BEGIN, END = '<!-- tables -->', '<!-- end of tables -->'
STACKS = {'onedl': 'OneDL', 'openmmlab': 'OpenMMLab'}
_LONGEST = 240


def families(checks: Iterable[Entry]) -> list[str]:
    """Choose the smallest config of each backbone and of each head.

    Args:
        checks (Iterable[dict]): Entries of checks, of any status.

    Returns:
        list[str]: Their configs, sorted, each once.
    """
    smallest: dict[tuple[str, str, str], Entry] = {}
    for entry in checks:
        if entry['status'] != 'built':
            continue
        toolbox = entry['config'].partition('::')[0]
        for kind in ('backbone', 'head'):
            place = toolbox, kind, entry[kind]
            best = smallest.get(place)
            if best is None or entry['parameters'] < best['parameters']:
                smallest[place] = entry
    return sorted({entry['config'] for entry in smallest.values()})


def check_page(path: Path) -> str:
    """Give the text of a page that tables can be put in.

    Args:
        path (Path): The page.

    Raises:
        ValueError: If it lacks the marks.
    """
    text = path.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(
            f'{path} must hold {BEGIN} and {END}, between which the tables go'
        )
    return text


def write_report(record: Record, path: Path) -> None:
    """Put the tables between the marks of a page.

    Args:
        record (Record): The record.
        path (Path): The page.

    Raises:
        ValueError: As by :func:`check_page`.
    """
    text = check_page(path)
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    tables = '\n\n'.join(
        [
            _counts(record),
            *_refusals(record),
            *_failures(record),
            *_steps(record),
        ]
    )
    path.write_text(f'{before}{BEGIN}\n\n{tables}\n\n{END}{after}')


def _groups(
    record: Record, kind: str
) -> dict[tuple[str, str, str], list[Entry]]:
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in record.of(kind=kind):
        toolbox = entry['config'].partition('::')[0]
        place = entry['stack'], toolbox, entry['method']
        groups.setdefault(place, []).append(entry)
    return groups


def _counts(record: Record) -> str:
    rows = []
    for (stack, toolbox, method), entries in _groups(record, 'check').items():
        status = Counter(x['status'] for x in entries)
        lines = max((x.get('lines', 0) for x in entries), default=0)
        rows.append(
            [
                STACKS.get(stack, stack),
                toolbox,
                method,
                len(entries),
                len(entries) - status['refused'],
                status['refused'],
                status['built'],
                status['failed'],
                lines,
            ]
        )
    head = (
        *('stack', 'toolbox', 'method', 'configs', 'applied', 'refused'),
        *('built', 'failed', 'most lines'),
    )
    return _table(head, rows)


def _refusals(record: Record) -> list[str]:
    places = sorted({x[1:] for x in _groups(record, 'check')})
    return [
        f'### Refused: {method} on {toolbox}\n\n'
        + _reasons(
            x
            for x in record.of(kind='check', method=method, status='refused')
            if x['config'].startswith(f'{toolbox}::')
        )
        for toolbox, method in places
    ]


def _failures(record: Record) -> list[str]:
    titles = {'check': 'Failed', 'step': 'Not trained'}
    found = []
    for kind, title in titles.items():
        entries = list(record.of(kind=kind, status='failed'))
        if entries:
            found.append(f'### {title}\n\n{_reasons(entries)}')
    return found


def _reasons(entries: Iterable[Entry]) -> str:
    """Count reasons, of which those that differ in a name alone are one."""
    places: dict[str, list[Entry]] = {}
    names: dict[str, set[str]] = {}
    for entry in entries:
        config = entry['config'].partition('::')[2]
        reason = entry['reason'].replace(config, 'it')[:_LONGEST]
        first, _, rest = reason.partition(' ')
        if not first.islower() and first.isidentifier():
            reason = f'… {rest}'
            names.setdefault(reason, set()).add(first)
        places.setdefault(reason, []).append(entry)
    stacks = [x for x in STACKS if any(_of(y, x) for y in places.values())]
    rows = []
    for reason, found in sorted(
        places.items(), key=lambda x: (-len(x[1]), x[0])
    ):
        which = sorted(names.get(reason, ()), key=str.lower)
        if len(which) == 1:
            reason = reason.replace('…', which[0], 1)
        elif which:
            reason = f'{reason} (…: {", ".join(which)})'
        config = found[0]['config'].partition('::')[2]
        numbers = [_of(found, stack) for stack in stacks]
        rows.append([*numbers, reason, f'`{config}`'])
    head = (*(STACKS[x] for x in stacks), 'reason', 'such as')
    return _table(head, rows)


def _of(entries: list[Entry], stack: str) -> int:
    return sum(x['stack'] == stack for x in entries)


def _steps(record: Record) -> list[str]:
    found = []
    for (stack, toolbox, method), entries in _groups(record, 'step').items():
        rows = []
        for entry in entries:
            if entry['status'] != 'trained':
                continue
            check = next(
                record.of(
                    kind='check',
                    stack=stack,
                    method=method,
                    config=entry['config'],
                )
            )
            rows.append(
                [
                    check['backbone'],
                    check['head'],
                    f'`{entry["config"].partition("::")[2]}`',
                    f'{check["parameters"] / 1e6:.1f} M',
                    f'{entry["losses"]["loss"]:.2f}',
                ]
            )
        head = ('backbone', 'head', 'config', 'parameters', 'loss')
        checks = record.of(kind='check', stack=stack, method=method)
        wanted = [x for x in families(checks) if x.startswith(f'{toolbox}::')]
        found.append(
            f'### Trained: {method} on {toolbox}, '
            f'{STACKS.get(stack, stack)}\n\n{len(rows)} of {len(wanted)} '
            f'configs, the smallest of each kind.\n\n{_table(head, rows)}'
        )
    return found


def _table(head: Iterable[str], rows: Iterable[list[object]]) -> str:
    names = list(head)
    lines = [names, ['---'] * len(names), *rows]
    return '\n'.join(
        '| ' + ' | '.join(str(x).replace('|', '\\|') for x in line) + ' |'
        for line in lines
    )
