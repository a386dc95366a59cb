"""The benchmark of a training step."""

import re
import subprocess
import sys

import pytest
from mmengine.config import Config
from support.paths import TOOLS
from support.small_segmentor import small_segmentor

TOOL = TOOLS / 'benchmarks/train_step.py'


def test_it_times_two_configs_and_measures_their_memory(tmp_path):
    paths = []
    for name, head in (('baseline', 0), ('gpaco', 1)):
        model = small_segmentor()
        model.auxiliary_head = model.auxiliary_head[head : head + 1]
        model.gpaco = None
        # Enough pairs of pixels to be seen in the peak of so small a model.
        if head:
            model.auxiliary_head[0].update(
                num_samples=-1,
                loss_decode=dict(
                    type='mmpaco.PaCoLoss',
                    alpha=0.01,
                    temperature=0.07,
                    impl='dense',
                ),
            )
        cfg = Config(
            dict(
                default_scope='mmseg',
                model=model,
                optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            )
        )
        paths.append(tmp_path / f'{name}.py')
        cfg.dump(str(paths[-1]))
    out = subprocess.run(
        [sys.executable, '-W', 'ignore', TOOL, *paths, '--size', '160', '160']
        + ['--repeats', '3'],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert out.returncode == 0, out.stderr[-3000:]
    found = re.search(
        r'baseline +median [\d.]+ s of 3 .* (\d+) MiB\n'
        r'gpaco +median ([\d.]+) s of 3 .* (\d+) MiB\n'
        r'loss +median ([\d.]+) s of 3 .*\n'
        r'gpaco / baseline: [\d.]+ in time, [\d.]+ in memory; .* '
        r'take ([\d.]+) % of a gpaco step',
        out.stdout,
    )
    assert found, out.stdout
    baseline, step, gpaco, loss, share = map(float, found.groups())
    assert 0 < baseline < gpaco
    assert 0 < loss < step
    # Both are printed to a millisecond, of which the loss has only a few.
    rounding = 0.0005 / loss + 0.0005 / step
    assert share == pytest.approx(100 * loss / step, rel=rounding, abs=0.1)
