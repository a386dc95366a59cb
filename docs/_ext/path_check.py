"""Warns of files, make targets and names that a page has and nobody else."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from mmengine.registry import Registry
from sphinx.util import logging

from mmpaco import registry

ROOT = Path(__file__).resolve().parents[2]
LOGGER = logging.getLogger(__name__)
# A word in capitals stands for what the reader has.
_FILE = re.compile(
    r'(?<![\w/.:-])(?:configs|tools|projects|docs|requirements|mmpaco|tests)/'
    r'[\w./{},*-]*[\w}*]'
)
_TARGET = re.compile(r'(?:^|`)make ([a-z-]+)', re.M)
_TYPE = re.compile(r'\bmmpaco\.([A-Z]\w+)')
_NAME = re.compile(r'\bmmpaco(?:\.[a-z]\w+)+(?:\.[A-Z]\w+)?')
_LINK = re.compile(r'\]\((?!https?:)([^)#]+)#?([^)]*)\)')


def paths(text: str) -> Iterator[str]:
    """Find the paths of the repository that a text names.

    Args:
        text: A page.

    Yields:
        str: A path or pattern, of each alternative in braces.
    """
    for match in _FILE.finditer(text):
        parts = re.split(r'\{([^}]*)\}', match[0])
        yield from map(
            ''.join,
            product(
                *(
                    part.split(',') if i % 2 else [part]
                    for i, part in enumerate(parts)
                )
            ),
        )


def faults(text: str) -> Iterator[str]:
    """Find what a page names and is not there.

    Args:
        text: A page.

    Yields:
        str: What is wrong.
    """
    for path in paths(text):
        if '/.mim/' in path:
            # Of a wheel, or left by an installation; not of the repository.
            continue
        if re.search(r'[A-Z]{3}', path) and not path.endswith('README.md'):
            continue
        if not any(ROOT.glob(path)) and not any(ROOT.glob(f'{path}.py')):
            yield f'there is no {path}'
    makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
    for target in _TARGET.findall(text):
        if not re.search(rf'^{target}:', makefile, re.M):
            yield f'there is no target {target} of make'
    for name in _TYPE.findall(text):
        if name not in _types():
            yield f'there is no mmpaco.{name}'
    for name in _NAME.findall(text):
        if not _is_there(name):
            yield f'there is no {name}'


def _is_there(name: str) -> bool:
    try:
        resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


@cache
def _types() -> set[str]:
    """Name what a config can build."""
    registries = [
        x for x in vars(registry).values() if isinstance(x, Registry)
    ]
    for found in registries:
        found.import_from_location()
    return {name for found in registries for name in found.module_dict}


def check(app: Any, name: str, source: list[str]) -> None:
    """Warn of what is wrong in a page; ``-W`` makes errors of it."""
    if not name.startswith('changelog'):
        for fault in faults(source[0]):
            LOGGER.warning('%s', fault, location=name)


def check_readme(app: Any) -> None:
    """Warn of what is wrong in the front page."""
    check(app, 'README', [(ROOT / 'README.md').read_text(encoding='utf-8')])


def check_readme_links(app: Any, env: Any) -> None:
    """Warn of links of the front page to what is not there."""
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    for path, heading in _LINK.findall(text):
        page = path.removeprefix('docs/').removesuffix('.md')
        slugs = env.metadata.get(page, {}).get('myst_slugs', ())
        if not (ROOT / path).exists() or (heading and heading not in slugs):
            target = f'{path}#{heading}' if heading else path
            LOGGER.warning('there is no %s', target, location='README')


def check_reference(app: Any, env: Any) -> None:
    """Warn of types that a config can build and the reference lacks."""
    known = env.get_domain('py').get_objects()
    told = {name.rpartition('.')[2] for name, *_ in known}
    for name in sorted(_types() - told):
        LOGGER.warning('no page has mmpaco.%s', name, location='reference')


def setup(app: Any) -> dict[str, bool]:
    """Look at each page as it is read, and at the front page."""
    app.connect('builder-inited', check_readme)
    app.connect('env-check-consistency', check_readme_links)
    app.connect('env-check-consistency', check_reference)
    # Before links are turned.
    app.connect('source-read', check, priority=100)
    return {'parallel_read_safe': True}
