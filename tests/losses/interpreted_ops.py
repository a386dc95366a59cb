"""Runs the contrast's operators with kernels in Triton's interpreter.

A script, since ``TRITON_INTERPRET`` is read when a kernel is defined.
"""

import torch
import torch.nn.functional as F

from mmpaco.losses import contrast_ops, contrast_triton
from mmpaco.losses.contrast import contrast_logsumexp

LAUNCHED = []


def kernels_for(features):
    # Triton never sees a tensor without values.
    assert type(features) is torch.Tensor
    LAUNCHED.append(features.shape)
    return contrast_triton


def results(function, features, extra, temperature):
    out = function(features, extra, temperature)
    upstream = torch.linspace(-1, 2, out.numel()).view(out.shape)
    leaves = [
        x for x in (features, extra) if x is not None and x.requires_grad
    ]
    return [out, *torch.autograd.grad(out, leaves, upstream)]


def check(images, anchors, extra, has_gradient, temperature):
    torch.manual_seed(anchors)
    features = F.normalize(torch.randn(images, anchors, 24), dim=2)
    features.requires_grad_()
    more = None
    if extra:
        more = F.normalize(torch.randn(images, extra, 24), dim=2)
        more.requires_grad_(has_gradient)
    expected = results(contrast_logsumexp, features, more, temperature)
    contrast_ops.kernels_for = kernels_for
    torch.library.opcheck(
        contrast_ops.TRACED,
        (features, more, temperature, False),
        # Both ways are to be as near each other as the kernels are exact.
        atol=1e-4,
        rtol=1e-4,
    )
    print('opcheck')
    compiled = torch.compile(
        contrast_logsumexp, fullgraph=True, backend='aot_eager'
    )
    LAUNCHED.clear()
    found = results(compiled, features, more, temperature)
    assert len(LAUNCHED) == 2, LAUNCHED
    for one, other in zip(found, expected):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    print('compiled')
    contrast_ops.kernels_for = lambda features: None


if __name__ == '__main__':
    check(2, 33, 5, True, 0.2)
    check(2, 8, 5, False, 0.01)
