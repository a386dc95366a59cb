"""Random positions of a feature map."""

import torch
from torch import Tensor


def draw_positions(num_samples: int, *maps: Tensor) -> tuple[Tensor, ...]:
    """Draw the same positions of several maps of one image.

    Args:
        num_samples (int): Positions to draw; -1 for all, in their order.
        *maps (Tensor): Maps whose last axis is the positions.

    Returns:
        tuple[Tensor, ...]: The maps at these positions. Where there are not
        more than asked for, the maps as they are.
    """
    num_positions = maps[0].shape[-1]
    if num_samples == -1 or num_samples >= num_positions:
        return maps
    # On the device of the maps, so that the host need not wait.
    chosen = torch.randperm(num_positions, device=maps[0].device)
    chosen = chosen[:num_samples]
    return tuple(x.index_select(-1, chosen) for x in maps)
