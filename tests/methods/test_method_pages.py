"""Each method has a page, whose commands do what it says."""

import re
import shlex

import pytest
from mmengine.registry import init_default_scope
from support.pages import code
from support.paths import DOCS
from support.tools import call_here

from mmpaco.methods import methods
from mmpaco.registry import MODELS

pytest.importorskip('mmpretrain')

PAGES = {
    path.name: path.read_text(encoding='utf-8')
    for path in sorted((DOCS / 'methods').glob('*.md'))
}
# Lines that end with a backslash go on.
COMMANDS = [
    command.replace('\\\n', ' ')
    for page in PAGES
    for text in code(f'methods/{page}', 'shell')
    for command in re.findall(
        r'^python tools/apply_method\.py ((?:.*\\\n)*.*)$', text, re.M
    )
]


def page_of(name):
    found = [
        text
        for text in PAGES.values()
        if f'python tools/apply_method.py {name} ' in text
    ]
    assert len(found) == 1, f'{len(found)} pages have the command of {name}'
    return found[0]


def test_every_method_has_a_page_with_its_paper():
    for method in methods('mmpretrain'):
        if method.name != 'cross-entropy':
            url = re.search(r'https://\S+', method.paper)[0]
            assert f']({url})' in page_of(method.name)
            assert url in PAGES['index.md']
    assert '`cross-entropy`' in PAGES['index.md']


def test_every_page_is_in_the_table():
    rows = [x for x in PAGES['index.md'].splitlines() if x.startswith('| [')]
    linked = set(re.findall(r'^\| \[.*?\]\((.*?)\)', '\n'.join(rows), re.M))
    assert linked == {*PAGES} - {'index.md'}


@pytest.mark.parametrize('command', COMMANDS)
def test_commands_write_a_config(command, tmp_path):
    done = call_here(tmp_path, 'apply_method.py', *shlex.split(command))
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob(f'*_{command.split()[0]}.py'))


def test_heads_that_are_written_by_hand_can_be_built():
    blocks = [text for page in PAGES for text in code(f'methods/{page}')]
    assert blocks
    init_default_scope('mmpretrain')
    for block in blocks:
        found = {}
        exec(block, found)
        MODELS.build(found['head'])
