"""Runs the kernels of the contrast in Triton's interpreter, on the CPU.

A script, since ``TRITON_INTERPRET`` is read when a kernel is defined. It
prints a line of errors for each case, against dense products in float64.
"""

import json
import math

import torch
import torch.nn.functional as F
from support.exact_contrast import exact_contrast

from mmpaco.losses import triton_launch
from mmpaco.losses.contrast_triton import contrast
from mmpaco.losses.triton_launch import Blocks

# Images, rows, channels, extra rows, temperature, safe form.
CASES = (
    (1, 1, 16, 0, 0.07, False),
    (1, 1, 24, 5, 0.07, False),
    (1, 7, 96, 5, 0.2, False),
    (2, 33, 24, 21, 0.2, False),
    (1, 45, 16, 0, 0.07, False),
    (1, 64, 40, 50, 0.07, False),
    (3, 70, 16, 0, 0.07, False),
    (2, 70, 16, 0, 0.005, True),
    (1, 33, 24, 21, 0.005, True),
)
SMALL = (
    (Blocks(32, 16, 4, 2), Blocks(16, 32, 4, 2)),
    (Blocks(16, 16, 4, 2), Blocks(64, 16, 4, 2)),
)


def poisoned(*args, **options):
    """Memory that shows what no kernel has written."""
    made = EMPTY(*args, **options)
    return made.fill_(math.nan) if made.is_floating_point() else made


def case(images, rows, channels, more, temperature, is_safe, products):
    torch.manual_seed(rows + channels)

    def unit(num_rows):
        # Near each other, and one that is opposite.
        made = torch.randn(images, num_rows, channels) + 0.5
        made[:, -1] *= -1
        return F.normalize(made, dim=2)

    given = [unit(rows)] + ([unit(more)] if more else [])
    # Gradients from above over four decades.
    upstream = torch.rand(images, rows)
    upstream *= 10 ** (-4 * torch.rand(images, rows))
    # A view that is transposed, as the head of pixels has.
    ours = [
        x.transpose(1, 2).contiguous().transpose(1, 2).requires_grad_()
        for x in given
    ]
    theirs = [x.double().requires_grad_() for x in given]
    out = contrast(
        ours[0], ours[1] if more else None, temperature, products, is_safe
    )
    grads = torch.autograd.grad(out, ours, upstream)
    expected = exact_contrast(
        theirs[0], theirs[1] if more else None, temperature
    )
    if rows == 1 and not more:
        assert out.item() == -math.inf
        assert not grads[0].any()
        return 0.0, [0.0]
    wanted = torch.autograd.grad(expected, theirs, upstream.double())
    error = float((out - expected).abs().max())
    return error, [
        float((one - other).norm() / other.norm())
        for one, other in zip(grads, wanted)
    ]


def refuses_a_second_derivative():
    """Also where what comes in has no graph."""
    rows = F.normalize(torch.randn(1, 5, 16), dim=2).requires_grad_()
    out = contrast(rows, None, 0.2, products=3)
    (grad,) = torch.autograd.grad(out.sum(), rows, create_graph=True)
    try:
        torch.autograd.grad(grad.square().sum() + rows.sum(), rows)
    except RuntimeError as error:
        return 'differentiated twice' in str(error)
    return False


if __name__ == '__main__':
    EMPTY, torch.empty = torch.empty, poisoned
    assert refuses_a_second_derivative()
    for blocks in SMALL:
        for key in triton_launch.AMPERE:
            triton_launch.AMPERE[key] = blocks
        for shape in CASES:
            for products in (3, 1):
                out, grads = case(*shape, products)
                line = dict(shape=shape, products=products)
                print(json.dumps({**line, 'out': out, 'gradients': grads}))
