"""The tools of mmpretrain train and test with types of mmpaco alone."""

import json
import sys

from support.processes import environment

from mmpaco.compat import stock_tool


def test_the_stock_tools_need_no_custom_imports(run, mnist_config, tmp_path):
    """Nothing imports mmpaco before mmengine looks up ``mmpaco.GPaCoHead``."""
    cfg = mnist_config('gpaco/lenet5_mnist5k-lt.py')
    cfg.pop('custom_imports')
    cfg.pop('experiment_name')
    config = tmp_path / 'config.py'
    cfg.dump(str(config))
    run(
        *(sys.executable, stock_tool('mmpretrain', 'train'), config),
        env=environment(),
    )
    out = run(
        *(sys.executable, stock_tool('mmpretrain', 'test'), config),
        *(tmp_path / 'work_dir/epoch_1.pth', '--work-dir', tmp_path / 'test'),
        *('--out', tmp_path / 'metrics.json', '--out-item', 'metrics'),
        env=environment(),
    )
    assert 'shot/few' in out and 'single-label/recall_classwise' in out
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    assert 0 < metrics['shot/all'] <= 100
