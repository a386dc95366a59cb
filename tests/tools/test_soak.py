"""Promises to a long run: it neither grows nor spoils its queue."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.paths import ROOT
from support.processes import environment

TRAIN = ROOT / 'tools' / 'train.py'
# 16 iterations an epoch.
EPOCHS, QUEUE = 188, 2000
SOAK_HOOK = """
import json
import os
from pathlib import Path

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class SoakHook(Hook):
    priority = 'LOWEST'

    def before_train(self, runner):
        self.seen, self.memory, self.files = 0, [], []

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        queue = runner.model.head.queue
        self.seen += len(data_batch['data_samples'])
        rows, labels = queue.contents()
        assert len(rows) == min(self.seen, queue.length)
        assert int(queue.pointer) == self.seen % queue.length
        assert labels.min() >= 0 and labels.max() < 10
        assert (queue.labels[len(rows):] == -1).all()
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(rows)))
        pages = int(Path('/proc/self/statm').read_text().split()[1])
        self.memory.append(pages * os.sysconf('SC_PAGE_SIZE'))
        self.files.append(len(os.listdir('/proc/self/fd')))

    def after_train(self, runner):
        Path(runner.work_dir, 'soak.json').write_text(
            json.dumps(dict(memory=self.memory, files=self.files)))
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not Path('/proc/self/statm').exists(), reason='memory is read from /proc'
)
@pytest.mark.parametrize('method', ['gpaco', 'paco'])
def test_3000_iterations_keep_memory_files_and_queue(
    mnist_config, tmp_path, method
):
    """Medians of 500 iterations; checkpoints and validation take part."""
    cfg = mnist_config(f'{method}/lenet5_mnist5k-lt.py')
    cfg.pop('experiment_name')
    cfg.model.head.queue_length = QUEUE
    cfg.train_cfg.max_epochs = EPOCHS
    cfg.custom_imports = dict(imports=['mmpaco', 'soak_hook'])
    cfg.custom_hooks.append(dict(type='SoakHook'))
    (tmp_path / 'soak_hook.py').write_text(SOAK_HOOK)
    cfg.dump(str(tmp_path / 'config.py'))
    out = subprocess.run(
        [sys.executable, TRAIN, tmp_path / 'config.py'],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=3600,
    )
    assert out.returncode == 0, out.stdout[-3000:]
    found = json.loads((tmp_path / 'work_dir' / 'soak.json').read_text())
    memory, files = np.array(found['memory']), np.array(found['files'])
    assert len(memory) == 16 * EPOCHS
    early, late = np.median(memory[500:1000]), np.median(memory[-500:])
    growth = (late - early) / 2**20
    print(f'{early / 2**20:.1f} MiB, then {growth:+.2f} MiB; {files.max()}')
    assert growth < 5
    assert files[-500:].max() <= files[500:1000].max()
