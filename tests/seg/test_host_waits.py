"""For what the host waits in a whole training iteration."""

import torch
from support.host_reads import reads_of_a_run
from support.small_segmentor import small_run


def test_nothing_of_ours_waits_for_a_device(tmp_path, monkeypatch):
    """With the auxiliary head, its guard, and mmengine's average."""
    monkeypatch.setattr(torch.Tensor, 'is_cpu', False)
    cfg = small_run(tmp_path)
    # A checkpoint copies all weights to the host.
    cfg.default_hooks.checkpoint.update(interval=100, save_last=False)
    reads = reads_of_a_run(cfg)
    # What has been copied to the host, without waiting for the backward.
    assert reads.pop('engine.nonfinite_guard:check') == 1
    # Read by mmseg and mmengine: the accuracy of two heads, by a mask; the
    # losses and accuracies, by RuntimeInfoHook; the steps, by EMAHook.
    assert reads == {
        'losses.accuracy:accuracy': 4,
        'logging.message_hub:_get_valid_value': 6,
        'model.averaged_model:update_parameters': 2,
    }
