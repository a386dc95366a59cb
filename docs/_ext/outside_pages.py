"""Pages of the site that are written elsewhere in the repository."""

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent


def write_pages(app: Any) -> None:
    """Make pages of the READMEs of ``configs/`` and of the changelog."""
    for readme in sorted(ROOT.glob('configs/*/README.md')):
        name = readme.parent.name
        text = readme.read_text(encoding='utf-8')
        text = text.replace('](../../docs/', '](../')
        text = re.sub(
            r'\]\(([\w.-]+\.py)\)', rf'](../../configs/{name}/\1)', text
        )
        _write(DOCS / 'configs' / f'{name}.md', text)
    text = (ROOT / 'CHANGELOG.md').read_text(encoding='utf-8')
    _write(DOCS / 'changelog.md', text.replace('](docs/', ']('))


def _write(page: Path, text: str) -> None:
    page.parent.mkdir(exist_ok=True)
    if not page.exists() or page.read_text(encoding='utf-8') != text:
        page.write_text(text, encoding='utf-8')


def turn_links(app: Any, name: str, source: list[str]) -> None:
    """Let links to those files lead to their pages."""
    up = '../' * name.count('/')
    source[0] = re.sub(
        r'\]\((?:\.\./)+configs/(\w+)/README\.md',
        rf']({up}configs/\1.md',
        source[0],
    )


def setup(app: Any) -> dict[str, bool]:
    """Write the pages before Sphinx looks for any."""
    write_pages(app)
    app.connect('source-read', turn_links)
    return {'parallel_read_safe': True}
