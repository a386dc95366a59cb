"""The code of the pages on losses runs as it stands there."""

import subprocess
import sys

import pytest
from support.pages import code
from support.processes import environment

BLOCKS, SAMPLING, FRONT = (
    code(page) for page in ('losses.md', 'rebalancing.md', '../README.md')
)
USE = """
loss = PrototypeLoss(temperature=0.2)
rows = F.normalize(torch.randn(6, 8), dim=1).requires_grad_()
loss(rows, torch.arange(6) % 3, torch.zeros(6, 3)).backward()
assert rows.grad.abs().sum() > 0
"""


def test_there_are_a_loop_two_losses_and_a_config():
    assert len(BLOCKS) == 4
    assert len(SAMPLING) == 1


# The last block is of a config that names a module of the reader's.
@pytest.mark.parametrize(
    'text', (*BLOCKS[:2], BLOCKS[2] + USE, *SAMPLING, FRONT[0])
)
def test_code_of_the_page_runs(text):
    done = subprocess.run(
        [sys.executable, '-W', 'error::UserWarning:mmpaco', '-c', text],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
