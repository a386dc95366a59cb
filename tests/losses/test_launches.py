"""How often a device is launched for a loss, whatever its images are."""

from importlib.util import find_spec

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmpaco.losses import PaCoLoss, contrast, kernels

# They take memory, or nothing.
_FREE = {'empty', 'empty_like', 'new_empty', 'empty_strided', 'promote_types'}
KERNELS = ('split', 'sums', 'finish', 'weights', 'gradient', 'collect')


class Launches(TorchDispatchMode):
    """Counts operations that give no view, as PyTorch calls its kernels.

    A few of them are more than one kernel.
    """

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        returns = function._schema.returns
        is_view = any(
            x.alias_info is not None and not x.alias_info.is_write
            for x in returns
        )
        name = function._schema.name.split('::')[1]
        if not is_view and name not in _FREE and name != 'detach':
            self.count += 1
        return function(*args, **(kwargs or {}))


def launches(num_images):
    """Of the whole loss and its gradient, with 8192 anchors an image.

    Tensors of the meta device are cut as those of any device are, and cost
    nothing.
    """

    def rows(*size, **options):
        return torch.empty(num_images, 8192, *size, device='meta', **options)

    loss = PaCoLoss(alpha=0.01, temperature=0.07, ignore_index=255)
    features, scores = rows(128), rows(150)
    with Launches() as counter:
        loss(
            features.requires_grad_(),
            rows(dtype=torch.int64),
            scores.requires_grad_(),
        ).backward()
    return counter.count


@pytest.mark.skipif(
    find_spec('triton') is None or kernels._torch_version() < (2, 4),
    reason='the kernels are for torch 2.4 and more, with Triton',
)
def test_kernels_take_all_images_in_as_many_launches_as_one(monkeypatch):
    from mmpaco.losses import contrast_triton

    launched = []

    class Launcher:
        def __init__(self, name):
            self.name = name

        def __getitem__(self, grid):
            return lambda *args, **options: launched.append(self.name)

    for name in KERNELS:
        monkeypatch.setattr(contrast_triton, f'{name}_kernel', Launcher(name))
    monkeypatch.setattr(contrast, 'kernels_for', lambda rows: contrast_triton)
    one, four = launches(1), launches(4)
    assert launched == 2 * list(KERNELS)
    # Beside the six kernels.
    assert one == four <= 90


def test_tiles_take_as_many_more_as_there_are_more_images():
    """No more than before images were taken in one call: 266 each."""
    one, four = launches(1), launches(4)
    assert one <= 260
    assert four <= 760
