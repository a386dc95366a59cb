"""Equations that browsers draw by themselves, without a script to fetch."""

import re
from typing import Any

from docutils.nodes import SkipNode
from latex2mathml.converter import convert

# Browsers leave no space after the name of a function, unless one is told.
_BARE_FUNCTION = re.compile(
    r'(?<!<msub>)(?<!<munder>)<mi>(?:log|sin|cos|exp)</mi>(?=<m(?!o))'
)


def _drawn(node: Any, display: str) -> str:
    found: str = convert(node.astext(), display=display)
    return _BARE_FUNCTION.sub(r'\g<0><mspace width="0.17em"/>', found)


def _draw_inline(page: Any, node: Any) -> None:
    page.body.append(_drawn(node, 'inline'))
    raise SkipNode


def _draw_block(page: Any, node: Any) -> None:
    # One that is wider than the page is scrolled.
    style = 'overflow: auto hidden; padding: 0.4em 0'
    page.body.append(f'<div style="{style}">{_drawn(node, "block")}</div>')
    raise SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Offer ``html_math_renderer = 'mathml'``."""
    app.add_html_math_renderer(
        'mathml', (_draw_inline, None), (_draw_block, None)
    )
    return {'parallel_read_safe': True}
