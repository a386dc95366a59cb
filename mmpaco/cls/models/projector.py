"""The registered projector."""

from typing import Any, Optional

from mmcv.cnn import build_activation_layer, build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpaco.losses.projector import projector_layers, unit_rows
from mmpaco.registry import MODELS


@MODELS.register_module()
class Projector(BaseModule):
    """The MLP that embeds features for the contrast.

    As ``mmpaco.losses.Projector``, with the same state dict, on mmcv's norms
    and activations.

    Args:
        in_channels (int): Feature size.
        hidden_channels (int, optional): Size of the hidden layers. Defaults
            to ``in_channels``.
        out_channels (int): Embedding size D. Defaults to 128.
        num_layers (int): Linear layers: 3 in GPaCo, 2 in PaCo. Defaults to 3.
        norm_cfg (dict, optional): Norm after each hidden layer: None in
            GPaCo, ``dict(type='BN1d')`` in PaCo. Defaults to None.
        act_cfg (dict, optional): Activation after each hidden layer.
            Defaults to ``dict(type='ReLU')``.
        init_cfg (dict, optional): Initialisation; ``override`` knows the
            last layer as ``last``. Defaults to None, that is PyTorch's own,
            as in the papers' code for all networks but ResNet-32.

    Raises:
        ValueError: If there is no layer.

    Example:
        >>> import torch
        >>> from mmpaco.registry import MODELS
        >>> cfg = dict(num_layers=2, norm_cfg=dict(type='BN1d'))
        >>> projector = MODELS.build(
        ...     dict(type='mmpaco.Projector', in_channels=64, **cfg))
        >>> rows = projector(torch.randn(8, 64))
        >>> rows.shape, round(rows[0].norm().item(), 4)
        (torch.Size([8, 128]), 1.0)
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: Optional[int] = None,
        out_channels: int = 128,
        num_layers: int = 3,
        norm_cfg: Optional[dict[str, Any]] = None,
        act_cfg: Optional[dict[str, Any]] = None,
        init_cfg: Optional[dict[str, Any]] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.out_channels = out_channels
        self.layers = projector_layers(
            in_channels,
            hidden_channels,
            out_channels,
            num_layers,
            lambda size: (
                None
                if norm_cfg is None
                else build_norm_layer(norm_cfg, size)[1]
            ),
            lambda: build_activation_layer(act_cfg or dict(type='ReLU')),
        )

    @property
    def last(self) -> nn.Module:
        """The layer that gives the embeddings."""
        return self.layers[-1]

    def forward(self, feats: Tensor) -> Tensor:
        """Embed features.

        Args:
            feats (Tensor): Features of shape (N, in_channels).

        Returns:
            Tensor: Unit rows of shape (N, D), in float32 under autocast.
        """
        return unit_rows(self.layers(feats))
