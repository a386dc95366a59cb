"""The script of all that is to be known of a card, tried without one."""

import subprocess

import pytest
from support.paths import TOOLS
from support.processes import environment

SCRIPT = TOOLS / 'benchmarks/gpu.sh'


def run(folder, *steps, **variables):
    return subprocess.run(
        ['bash', SCRIPT, folder / 'out', *steps],
        env=environment(DEVICE='cpu', **variables),
        capture_output=True,
        text=True,
        timeout=700,
    )


def test_a_step_that_does_not_exist_is_told(tmp_path):
    done = run(tmp_path, 'positve')
    assert done.returncode == 1
    assert 'positve: no such step' in done.stdout
    assert '1 of 1 steps failed' in done.stdout


@pytest.mark.slow
def test_a_step_that_fails_stops_no_other(tmp_path):
    """Here there are no wheels to install."""
    done = run(tmp_path, 'install', 'card', WHEELS=str(tmp_path / 'no'))
    assert done.returncode == 1
    assert 'install: status 1,' in done.stdout
    assert 'card: status 0,' in done.stdout
    # The table comes last, with the end of the log of what failed.
    summary = (tmp_path / 'out/summary.txt').read_text()
    assert done.stdout.endswith(summary)
    assert 'is not a valid wheel' in summary
    assert 'product of 32 x 32 x 128 in float16' in summary
    assert '1 of 2 steps failed' in summary


@pytest.mark.slow
def test_all_steps_run_without_a_card(tmp_path):
    pytest.importorskip('mmseg')
    pytest.importorskip('mmpretrain')
    pytest.importorskip('triton')
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout[-5000:]
    out = tmp_path / 'out'
    assert len((out / 'train_step.jsonl').read_text().splitlines()) == 3
    assert len((out / 'train_parts.jsonl').read_text().splitlines()) == 1
    assert len((out / 'loss_device.jsonl').read_text().splitlines()) == 27
    for told in (
        *('loss, C = 7, N = 32, D = 128, 4 images', '0 of 9 steps failed'),
        *('1 cases of the kernels, 0 failed', 'one-hot product'),
        'configs/gpaco/resnet50_imagenet-lt.py, float32: 2 images of 32 x 32',
    ):
        assert told in done.stdout
