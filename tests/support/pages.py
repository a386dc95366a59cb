"""The fenced blocks of a page of the docs, run as a reader runs them."""

import os
import re
import subprocess
import sys
from pathlib import Path

from .paths import DOCS, ROOT
from .processes import environment


def blocks(page, *languages):
    """Give the language and the code of each block, in order."""
    found = re.findall(
        r'^```(\w+)\n(.*?)^```$', (DOCS / page).read_text('utf-8'), re.M | re.S
    )
    return [block for block in found if block[0] in languages]


def code(page, language='python'):
    return [text for _, text in blocks(page, language)]


def follow(page, folder, smaller=()):
    """Save what a page says is a file, and run its commands, in order.

    Of ``smaller`` each is what the page has, and what stands there instead.
    """
    for name in ('configs', 'tools'):
        link = Path(folder, name)
        if not link.exists():
            link.symlink_to(ROOT / name)
    steps = blocks(page, 'python', 'shell')
    for old, new in smaller:
        assert any(old in text for _, text in steps), f'{page} has no {old}'
        steps = [(kind, text.replace(old, new)) for kind, text in steps]
    return [
        save(text, folder) if kind == 'python' else run_shell(text, folder)
        for kind, text in steps
    ]


def save(text, folder):
    """Write a block to the file that its first line names."""
    name = re.match(r'# (\w+\.py)\n', text)
    assert name, f'its first line names no file:\n{text}'
    path = Path(folder, name[1])
    path.write_text(text, encoding='utf-8')
    return path


def run_shell(text, folder):
    """Run a block of commands, each of which must succeed."""
    here = Path(sys.executable).parent
    done = subprocess.run(
        ['bash', '-euo', 'pipefail', '-c', text],
        cwd=folder,
        env=environment(ROOT, PATH=f'{here}{os.pathsep}{os.environ["PATH"]}'),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f'{text}{done.stdout}{done.stderr}'[-5000:]
    return done.stdout
