"""How label maps become those of a feature map."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmpaco.seg.models.label_maps import nearest_labels


@pytest.mark.parametrize('size', ((28, 36), (31, 45), (29, 33), (7, 9)))
def test_labels_are_scaled_by_the_legacy_nearest(size):
    torch.manual_seed(0)
    labels = torch.randint(0, 256, (2, *size))
    for height, width in ((7, 9), (5, 6), (3, 1)):
        found = nearest_labels(labels, (height, width))
        expected = np.empty((2, height, width), int)
        for i in range(height):
            for j in range(width):
                expected[:, i, j] = labels[
                    :, i * size[0] // height, j * size[1] // width
                ]
        np.testing.assert_array_equal(found.numpy(), expected)
        released = F.interpolate(
            labels[:, None].float(), (height, width), mode='nearest'
        )
        torch.testing.assert_close(found, released[:, 0].long())
