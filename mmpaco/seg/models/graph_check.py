"""Seeing that a head is trained by its loss."""

import torch
from torch import Tensor, nn


def check_graph(
    output: Tensor, layer: nn.Module, head: str, layer_name: str
) -> None:
    """Check that a layer of a head is trained by what the head gives.

    It is not if ``activation_checkpointing`` names the whole head: mmengine
    uses PyTorch's older kind of checkpoint, which sees a tuple go in and no
    tensor that needs a gradient, and warns at most.

    Args:
        output (Tensor): What the layer's parameters went into.
        layer (nn.Module): The layer.
        head (str): Name of the head in the message.
        layer_name (str): Name of the layer in it.

    Raises:
        RuntimeError: If the layer would get no gradient.
    """
    if not torch.is_grad_enabled() or output.requires_grad:
        return
    if any(p.requires_grad for p in layer.parameters()):
        raise RuntimeError(
            f'{head} gets no gradient from its loss. If '
            'activation_checkpointing names the head, name layers of it '
            f'instead, such as HEAD.{layer_name}'
        )
