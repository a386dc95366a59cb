"""Random positions of feature maps."""

from typing import Optional

import torch
from torch import Tensor


def draw_positions(num_samples: int, maps: Tensor) -> Optional[Tensor]:
    """Draw positions of each image of a batch.

    Args:
        num_samples (int): Positions N to draw of an image; -1 for all.
        maps (Tensor): Maps of B images, of shape (B, channels, h, w).

    Returns:
        Tensor | None: Indices of the h * w positions, row by row, of shape
        (B, N), none of them twice in an image. None, for all in their order,
        where there are not more than asked for.
    """
    num_positions = maps.shape[-2] * maps.shape[-1]
    if num_samples == -1 or num_samples >= num_positions:
        return None
    # On the device of the maps, so that the host need not wait.
    drawn = [
        torch.randperm(num_positions, device=maps.device)
        for _ in range(len(maps))
    ]
    return torch.stack([indices[:num_samples] for indices in drawn])


def take_positions(maps: Tensor, positions: Optional[Tensor]) -> Tensor:
    """Take what maps have at the positions of each image.

    Args:
        maps (Tensor): Maps of shape (B, ..., h, w).
        positions (Tensor, optional): Positions of shape (B, N); None for all.

    Returns:
        Tensor: What is there, of shape (B, ..., N).
    """
    rows = maps.flatten(-2)
    if positions is None:
        return rows
    images = zip(rows, positions)
    return torch.stack([x.index_select(-1, chosen) for x, chosen in images])
