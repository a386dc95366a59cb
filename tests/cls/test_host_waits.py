"""For what the host waits in a whole training iteration."""

import pytest
import torch
from mmengine.config import Config
from support.host_reads import reads_of_a_run

# Read by mmpretrain and mmengine, or on the host whatever the device.
OTHERS = {
    # Labels and sizes of images, before they are moved.
    'losses.labels:check_labels': 1,
    'model.utils:stack_batch': 1,
    # Of losses, by mmengine's RuntimeInfoHook.
    'logging.message_hub:_get_valid_value': 1,
    # What has been copied to the host, without waiting for the backward.
    'engine.nonfinite_guard:check': 1,
}


@pytest.mark.parametrize('method', ('gpaco', 'paco'))
def test_nothing_of_ours_waits_for_a_device(mnist_config, monkeypatch, method):
    """With queue, hooks, guard, and the momentum encoder of PaCo."""
    monkeypatch.setattr(torch.Tensor, 'is_cpu', False)
    cfg = mnist_config(f'{method}/lenet5_mnist5k-lt.py')
    assert reads_of_a_run(cfg) == OTHERS


def test_nor_does_the_mean_feature_of_tde(tiny_config, monkeypatch):
    monkeypatch.setattr(torch.Tensor, 'is_cpu', False)
    folder = tiny_config()
    cfg = Config.fromfile(str(folder / 'tiny.py'))
    cfg.work_dir = cfg.experiment_name = str(folder / 'work_dir')
    cfg.model.head.update(type='mmpaco.CausalNormHead', full_rate=0.1)
    cfg.custom_hooks = [dict(type='mmpaco.CausalNormHook')]
    others = (
        'model.utils:stack_batch',
        'logging.message_hub:_get_valid_value',
    )
    assert reads_of_a_run(cfg) == {name: OTHERS[name] for name in others}
