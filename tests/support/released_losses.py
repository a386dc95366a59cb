"""Inputs on which the releases' own losses were run, and a check of ours.

In float64, counted from 0; the results have ten digits.
"""

import pytest
import torch

COUNTS = (500, 150, 45, 13, 4)
LABELS = torch.arange(8) % 5


def wave(rows, columns, function=torch.sin, by_row=1.3, by_column=0.7):
    """sin(1.3 i + 0.7 j), or the like."""
    i = torch.arange(rows, dtype=torch.float64)[:, None]
    j = torch.arange(columns, dtype=torch.float64)
    return function(by_row * i + by_column * j)


SCORES = 4 * wave(8, 5)
SMALL_COSINES = 0.1 * wave(8, 5)
FEATURES = wave(8, 6)
CENTERS = wave(5, 6, torch.cos, 0.9, 0.4)
FEATURE_FIRST = wave(6, 5, torch.cos, 0.9, 0.4)
CLOSE = dict(rel=1e-9, abs=1e-9)


def figures(gradient):
    """Sum of absolute values, Euclidean norm, first entry, sum."""
    found = (gradient.abs().sum(), gradient.norm(), gradient.flatten()[0])
    return [*(float(x) for x in found), float(gradient.sum())]


def check(function, values, loss, *expected, **close):
    """Compare a loss, and the figures of its gradient that are given."""
    values = values.clone().requires_grad_()
    found = function(values)
    assert found.dtype == torch.float64
    close = {**CLOSE, **close}
    assert found.item() == pytest.approx(loss, **close)
    found.backward()
    mine = figures(values.grad)[: len(expected)]
    assert mine == pytest.approx(expected, **close)
