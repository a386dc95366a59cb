"""What pages say of the code, held against it."""

import ast
import functools
import re

import pytest
from support.paths import DOCS, ROOT


@functools.cache
def said():
    """Every text of the package, of f-strings without what is put in."""
    return list(texts())


def texts():
    for path in (ROOT / 'mmpaco').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.JoinedStr):
                yield ''.join(
                    x.value if isinstance(x, ast.Constant) else '\0'
                    for x in node.values
                )
            elif isinstance(node, ast.Constant):
                yield str(node.value)


def messages():
    """The messages of mmpaco in the table; others say whose they are."""
    page = (DOCS / 'troubleshooting.md').read_text(encoding='utf-8')
    for line in page.splitlines():
        cell = line.split('|')[1] if line.startswith('| ') else ''
        if not re.search(r'\((mmengine|Python|.*the stack)', cell):
            yield from re.findall(r'`([^`]* [^`]*)`', cell)


@pytest.mark.parametrize('message', list(messages()))
def test_a_message_of_troubleshooting_is_said(message):
    assert any(message in text for text in said())
