"""For what the host waits in a whole training iteration."""

import pytest
import torch
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
