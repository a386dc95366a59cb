"""Golden inputs and random cases that the tests of the losses share."""

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

IMPLS = ('dense', 'tiled')
VIEW, QUEUE = [0, 1, 3], [0, 2, 1, 3]
COUNTS = torch.tensor([10, 5, 3, 2])
DIFFERENTIABLE = ('features', 'center_logits', 'extra_features')


def golden_features(num_rows: int, dim: int = 5) -> Tensor:
    i = torch.arange(num_rows, dtype=torch.float64)[:, None]
    j = torch.arange(dim, dtype=torch.float64)
    rows = torch.sin(0.7 * i + 1.3 * j + 0.5 * i * j)
    rows = rows / rows.norm(dim=1, keepdim=True)
    return rows.requires_grad_()


def golden_logits(num_rows: int, num_classes: int = 4) -> Tensor:
    i = torch.arange(num_rows, dtype=torch.float64)[:, None]
    c = torch.arange(num_classes, dtype=torch.float64)
    return (2 * torch.cos(0.9 * i + 0.4 * c)).requires_grad_()


def split(rows: Tensor, labels: list, anchors: int):
    labels = torch.tensor(labels)
    extra = dict(extra_features=rows[anchors:], extra_labels=labels[anchors:])
    return rows[:anchors], labels[:anchors], extra


def check(loss, rows, logits, golden):
    assert loss.item() == pytest.approx(golden[0], abs=1e-5)
    loss.backward()
    assert rows.grad.abs().sum().item() == pytest.approx(golden[1], abs=1e-4)
    assert logits.grad.abs().sum().item() == pytest.approx(golden[2], abs=1e-5)


@st.composite
def contrast_cases(draw):
    """Anchors, scores, extra rows, labels, counts and a temperature."""
    num_anchors = draw(st.integers(1, 12))
    num_extra = draw(st.integers(0, 9))
    num_classes = draw(st.integers(2, 5))
    seed = draw(st.integers(0, 2**31 - 1))
    generator = torch.Generator().manual_seed(seed)

    # Rows that are not of unit length are no error.
    length = draw(st.sampled_from([1.0, 1.0, 3.0]))

    def rows(n, d):
        values = torch.randn(n, d, generator=generator, dtype=torch.float64)
        return length * torch.nn.functional.normalize(values, dim=1)

    ignore = draw(st.sampled_from([None, 255]))
    labels = torch.randint(0, num_classes, (num_anchors,), generator=generator)
    extra_labels = torch.randint(
        0, num_classes, (num_extra,), generator=generator
    )
    if ignore is not None:
        for values in (labels, extra_labels):
            values[torch.rand(len(values), generator=generator) < 0.3] = ignore
    return dict(
        features=rows(num_anchors, 6),
        labels=labels,
        center_logits=torch.randn(
            num_anchors, num_classes, generator=generator, dtype=torch.float64
        ),
        extra_features=rows(num_extra, 6),
        extra_labels=extra_labels,
        class_counts=torch.arange(1, num_classes + 1),
        temperature=draw(st.sampled_from([0.02, 0.05, 0.2, 1.0])),
        ignore_index=ignore,
    )


def value_and_gradients(loss_of, case, upstream):
    """Evaluate a loss, and its gradients to what a case can move."""
    case = dict(case)
    for name in DIFFERENTIABLE:
        case[name] = case[name].clone().requires_grad_()
    loss = loss_of(case)
    grads = torch.autograd.grad(
        loss,
        [case[name] for name in DIFFERENTIABLE],
        upstream,
        allow_unused=True,
    )
    return loss, [
        torch.zeros_like(case[name]) if grad is None else grad
        for name, grad in zip(DIFFERENTIABLE, grads)
    ]


def assert_tiled_is_dense(loss_of, case, tile_elements, upstream):
    """Compare both forms of a loss, with tiles of any size.

    Args:
        loss_of: Gives the loss of a case and of 'tiled' or 'dense'.
        case (dict): A case.
        tile_elements (int): Similarities in a tile.
        upstream (Tensor): The gradient from above.

    Returns:
        Tensor: The loss.
    """
    dense, dense_grads = value_and_gradients(
        lambda case: loss_of(case, 'dense'), case, upstream
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmpaco.losses.contrast_tiles._HOST_TILE', tile_elements)
        tiled, tiled_grads = value_and_gradients(
            lambda case: loss_of(case, 'tiled'), case, upstream
        )
    torch.testing.assert_close(tiled, dense, rtol=1e-10, atol=1e-10)
    for one, other in zip(tiled_grads, dense_grads):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
    return tiled
