"""The MLP between the features and the contrast."""

from typing import Optional

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpretrain.models.heads.stacked_head import LinearBlock
from torch import Tensor, nn

from mmpaco.registry import MODELS


@MODELS.register_module()
class Projector(BaseModule):
    """The MLP that embeds features for the contrast.

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
        init_cfg (dict, optional): Initialisation. Defaults to None, that is
            PyTorch's own, as in the papers' code.

    Raises:
        ValueError: If there is no layer.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: Optional[int] = None,
        out_channels: int = 128,
        num_layers: int = 3,
        norm_cfg: Optional[dict] = None,
        act_cfg: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        if act_cfg is None:
            act_cfg = dict(type='ReLU')
        super().__init__(init_cfg=init_cfg)
        if num_layers < 1:
            raise ValueError(
                'a projector needs at least one layer, but got '
                f'num_layers={num_layers}'
            )
        self.out_channels = out_channels
        layers: list[nn.Module] = []
        for _ in range(num_layers - 1):
            hidden = hidden_channels or in_channels
            layers.append(
                LinearBlock(
                    in_channels, hidden, norm_cfg=norm_cfg, act_cfg=act_cfg
                )
            )
            in_channels = hidden
        layers.append(nn.Linear(in_channels, out_channels))
        self.layers = nn.Sequential(*layers)

    def forward(self, feats: Tensor) -> Tensor:
        """Embed features.

        Args:
            feats (Tensor): Features of shape (N, in_channels).

        Returns:
            Tensor: Unit rows of shape (N, D), in float32 under autocast.
        """
        embeddings = self.layers(feats)
        # In float16 a row of zeros becomes nan, and a long one zeros.
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        return F.normalize(embeddings.to(dtype), dim=1)
