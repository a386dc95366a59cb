"""What the log says of the contrast between pixels."""

import pytest
import torch

from mmpaco.contrast_strength import PIXELS
from mmpaco.seg.models import pixel_strength
from mmpaco.seg.models.pixel_strength import PixelStrength


@pytest.fixture
def told(monkeypatch):
    """What is reported, instead of in a log."""
    lines = []
    monkeypatch.setattr(
        pixel_strength, 'report_strength', lambda *args: lines.append(args)
    )
    return lines


def test_positives_are_counted_within_the_images(told):
    """Class 0 has 5 and 1 pixels: 4 positives for five anchors, else 0."""
    strength = PixelStrength(0.1, 3)
    labels = torch.tensor([[0, 0, 0, 0, 0, 1, 1, 255], [0] + [255] * 7])
    strength(labels)
    strength(labels)
    ((alpha, shares, num_contrasts, of, usual),) = told
    assert usual is PIXELS
    assert (alpha, num_contrasts, of) == (0.1, 7, 'the first batch')
    positives = [share * num_contrasts for share in shares]
    assert positives == pytest.approx([5 * 4 / 6, 1, 0])


@pytest.mark.parametrize('ignored', (255, -1, 3))
def test_a_batch_without_labels_tells_nothing_and_is_no_error(ignored):
    PixelStrength(0.1, 3)(torch.full((2, 8), ignored))


def test_a_single_pixel_has_no_positives(log):
    PixelStrength(0.1, 3)(torch.zeros(2, 1, dtype=torch.int64))
    assert 'alpha x K' not in log()


def test_a_batch_without_labels_leaves_it_to_the_next(told):
    strength = PixelStrength(0.1, 3)
    strength(torch.full((2, 8), 255))
    strength(torch.zeros(2, 8, dtype=torch.int64))
    assert len(told) == 2 and told[1][1][0] == 1
