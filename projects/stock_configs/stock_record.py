"""The record of what a method does to each stock config."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

Entry = dict[str, Any]


class Key(NamedTuple):
    """What an entry is of.

    Args:
        kind (str): 'check' or 'step'.
        stack (str): The family of the installed stack.
        method (str): The method.
        config (str): Such as ``'mmseg::fcn/...'``.
    """

    kind: str
    stack: str
    method: str
    config: str


class Record:
    """Lines of JSON, one for each entry, so that a run can go on.

    Args:
        path (Path): The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[Key, Entry] = {}
        if path.is_file():
            for line in path.read_text().splitlines():
                # The last line of a run that was ended may be a part of one.
                if line.endswith('}'):
                    entry = json.loads(line)
                    self.entries[_key(entry)] = entry

    def __contains__(self, key: Key) -> bool:
        return key in self.entries

    def add(self, key: Key, entry: Entry) -> None:
        """Add an entry and write it."""
        entry = {**key._asdict(), **entry}
        self.entries[key] = entry
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open('a') as file:
            file.write(json.dumps(entry) + '\n')

    def of(self, **wanted: str) -> Iterator[Entry]:
        """Give the entries with these values, in the order of their configs.

        Args:
            **wanted: Values by field, such as ``kind='check'``.
        """
        for key in sorted(self.entries):
            entry = self.entries[key]
            if all(entry.get(k) == v for k, v in wanted.items()):
                yield entry


def _key(entry: Entry) -> Key:
    return Key(*(entry[field] for field in Key._fields))
