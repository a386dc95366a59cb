"""The small ResNet of CIFAR experiments."""

from typing import Any, Optional

import torch.nn.functional as F
from mmpretrain.models.backbones import ResNet_CIFAR
from mmpretrain.models.backbones.resnet import BasicBlock
from torch import Tensor, nn

from mmpaco.registry import MODELS


class _PaddedShortcut(nn.Module):
    """A shortcut without parameters: take every other pixel, add zeros."""

    def __init__(self, stride: int, added_channels: int) -> None:
        super().__init__()
        if added_channels < 0:
            raise ValueError(
                'a shortcut without parameters adds channels, but a stage has '
                f'{-added_channels} less than the one before; give widths '
                'that do not fall'
            )
        self.stride = stride
        self.before = added_channels // 2
        self.after = added_channels - self.before

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, self.before, self.after))


@MODELS.register_module()
class CIFARResNet(ResNet_CIFAR):
    """The ResNet of 16, 32 and 64 channels for images of 32 x 32 pixels.

    A 3 x 3 stem and three stages of basic blocks. Where the size changes, the
    shortcut has no parameters: every other pixel, and zeros for the new
    channels (He et al., CVPR 2016, section 4.2, option A). PaCo's results on
    long-tailed CIFAR-100 are those of depth 32.

    Args:
        depth (int): 20, 32, 44, 56 or 110. Defaults to 32.
        stem_channels (int): Channels of the stem. Defaults to 16.
        base_channels (int): Channels of the first stage. Defaults to 16.
        num_stages (int): Number of stages. Defaults to 3.
        strides (tuple[int]): Stride of each stage. Defaults to (1, 2, 2).
        dilations (tuple[int]): Dilation of each stage. Defaults to
            (1, 1, 1).
        out_indices (tuple[int]): Stages whose output is returned. Defaults
            to (2, ), the last.
        zero_init_residual (bool): Whether blocks start as the identity.
            Defaults to False.
        init_cfg (dict | list[dict], optional): Initialisation. Defaults to
            Kaiming-normal convolutions by their inputs.
        **kwargs: Other arguments of mmpretrain's ``ResNet``:
            ``in_channels``, ``frozen_stages``, ``norm_cfg``, ``norm_eval``,
            ``with_cp``, ...

    Raises:
        KeyError: If there is no such depth.

    Example:
        >>> import torch
        >>> from mmpaco.registry import MODELS
        >>> net = MODELS.build(dict(type='mmpaco.CIFARResNet', depth=32))
        >>> net(torch.randn(4, 3, 32, 32))[0].shape
        torch.Size([4, 64, 8, 8])
        >>> sum(x.numel() for x in net.parameters())
        463504
    """

    arch_settings = {
        6 * blocks + 2: (BasicBlock, (blocks,) * 3)
        for blocks in (3, 5, 7, 9, 18)
    }

    def __init__(
        self,
        depth: int = 32,
        stem_channels: int = 16,
        base_channels: int = 16,
        num_stages: int = 3,
        strides: tuple[int, ...] = (1, 2, 2),
        dilations: tuple[int, ...] = (1, 1, 1),
        out_indices: tuple[int, ...] = (2,),
        zero_init_residual: bool = False,
        init_cfg: Optional[Any] = None,
        **kwargs: Any,
    ) -> None:
        if init_cfg is None:
            init_cfg = [
                dict(type='Kaiming', layer='Conv2d', mode='fan_in'),
                dict(type='Constant', val=1, layer='_BatchNorm'),
            ]
        super().__init__(
            depth,
            stem_channels=stem_channels,
            base_channels=base_channels,
            num_stages=num_stages,
            strides=strides,
            dilations=dilations,
            out_indices=out_indices,
            zero_init_residual=zero_init_residual,
            init_cfg=init_cfg,
            **kwargs,
        )

    def make_res_layer(self, **kwargs: Any) -> nn.Module:
        """Build a stage.

        Args:
            **kwargs: Arguments of mmpretrain's ``ResLayer``.

        Returns:
            nn.Module: Its blocks.
        """
        layer: nn.Sequential = super().make_res_layer(**kwargs)
        first: BasicBlock = layer[0]
        if first.downsample is not None:
            first.downsample = _PaddedShortcut(
                first.stride, first.out_channels - first.in_channels
            )
        return layer
