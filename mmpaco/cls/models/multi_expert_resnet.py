"""Residual networks whose last layers each expert has of its own.

RIDE, Wang et al., ICLR 2021, https://arxiv.org/abs/2010.01809
BBN, Zhou et al., CVPR 2020, https://arxiv.org/abs/1912.02413
"""

from typing import Any

from mmpretrain.models.backbones import ResNet_CIFAR, ResNeXt
from torch import nn

from mmpaco.registry import MODELS

from .cifar_resnet import CIFARResNet
from .expert_stages import MultiExpertBase


@MODELS.register_module()
class MultiExpertResNet(MultiExpertBase):
    """mmpretrain's ``ResNet`` or ``ResNeXt`` with several experts.

    Experts share the first stages, and each has the last ones of its own. The
    output is a tuple of one map for each, of which ``GlobalAveragePooling``
    pools every one and ``mmpaco.MultiExpertClsHead`` classifies every one.
    With one expert and all channels it is the plain network, whose weights
    ``layer4.0...`` are called ``layer4.experts.0.0...``.

    Args:
        depth (int): 18, 34, 50, 101 or 152; of ResNeXt 50, 101 or 152.
        num_experts (int): Number of experts E. Defaults to 3.
        own_stages (int): Number of stages, the last ones, that each expert
            has of its own. Defaults to 2, as in RIDE.
        own_blocks (int, optional): In their place, number of blocks, the last
            ones of the last stage; 1 in BBN. Defaults to None:
            ``own_stages``.
        widths (Sequence[int], optional): Channels of each own stage, inside
            of its bottlenecks: of its output it is a fourth. RIDE has
            (192, 384), three fourths. Defaults to None: those of the plain
            network.
        joined (bool): Whether the maps are joined to one of all their
            channels, for any neck and head, as in BBN. Defaults to False.
        groups (int): Groups of the 3 x 3 convolutions; more than 1 make it a
            ResNeXt. Defaults to 1.
        width_per_group (int): Channels of each group in the first stage.
            Defaults to 4.
        **kwargs: Other arguments of mmpretrain's ``ResNet``: ``deep_stem``,
            ``frozen_stages``, ``norm_cfg``, ...

    Raises:
        KeyError: If there is no such depth.
        TypeError: If a number of experts, stages, blocks or channels is no
            integer.
        ValueError: If an argument is out of range, or ``out_indices`` are
            not the last stage.

    Example:
        >>> import torch
        >>> from mmpaco.registry import MODELS
        >>> net = dict(type='mmpaco.MultiExpertResNet', depth=50)
        >>> net = MODELS.build(dict(net, num_experts=2, widths=(192, 384)))
        >>> [tuple(x.shape) for x in net(torch.randn(1, 3, 64, 64))]
        [(1, 1536, 2, 2), (1, 1536, 2, 2)]
    """

    def __init__(
        self,
        depth: int,
        *args: Any,
        groups: int = 1,
        width_per_group: int = 4,
        **kwargs: Any,
    ) -> None:
        self.groups = groups
        self.width_per_group = width_per_group
        if groups > 1:
            self.arch_settings = ResNeXt.arch_settings
        super().__init__(depth, *args, **kwargs)

    def make_res_layer(self, **kwargs: Any) -> nn.Module:
        """Build a stage, of grouped convolutions if there are groups."""
        if self.groups > 1:
            kwargs.update(
                groups=self.groups,
                width_per_group=self.width_per_group,
                base_channels=self.base_channels,
            )
        return super().make_res_layer(**kwargs)


@MODELS.register_module()
class MultiExpertCIFARResNet(MultiExpertBase, CIFARResNet):
    """``mmpaco.CIFARResNet`` with several experts.

    As :class:`MultiExpertResNet`, of which this is the small one.

    Args:
        depth (int): 20, 32, 44, 56 or 110. Defaults to 32.
        num_experts (int): As of ``MultiExpertResNet``. Defaults to 3.
        own_stages (int): As there. Defaults to 2.
        own_blocks (int, optional): As there. Defaults to None.
        widths (Sequence[int], optional): Channels of each own stage, at
            least those of the stage before. RIDE has (24, 48). Defaults to
            None: those of the plain network.
        joined (bool): As there. Defaults to False.
        **kwargs: Other arguments of ``mmpaco.CIFARResNet``.

    Raises:
        KeyError: If there is no such depth.
        TypeError: If a number of experts, stages, blocks or channels is no
            integer.
        ValueError: If an argument is out of range, or ``out_indices`` are
            not the last stage.

    Example:
        >>> import torch
        >>> from mmpaco.registry import MODELS
        >>> net = dict(type='mmpaco.MultiExpertCIFARResNet', widths=(24, 48))
        >>> net = MODELS.build(net)
        >>> [tuple(x.shape) for x in net(torch.randn(4, 3, 32, 32))]
        [(4, 48, 8, 8), (4, 48, 8, 8), (4, 48, 8, 8)]
    """


@MODELS.register_module()
class MultiExpertResNetCIFAR(MultiExpertBase, ResNet_CIFAR):
    """mmpretrain's ``ResNet_CIFAR`` with several experts.

    As :class:`MultiExpertResNet`, with a stem of 3 x 3 pixels and no pooling
    after it.

    Args:
        depth (int): 18, 34, 50, 101 or 152.
        num_experts (int): As of ``MultiExpertResNet``. Defaults to 3.
        own_stages (int): As there. Defaults to 2.
        own_blocks (int, optional): As there. Defaults to None.
        widths (Sequence[int], optional): As there. Defaults to None.
        joined (bool): As there. Defaults to False.
        **kwargs: Other arguments of mmpretrain's ``ResNet_CIFAR``.

    Raises:
        KeyError: If there is no such depth.
        TypeError: If a number of experts, stages, blocks or channels is no
            integer.
        ValueError: If an argument is out of range, or ``out_indices`` are
            not the last stage.

    Example:
        >>> import torch
        >>> from mmpaco.registry import MODELS
        >>> net = dict(type='mmpaco.MultiExpertResNetCIFAR', depth=18)
        >>> net = MODELS.build(dict(net, num_experts=2, widths=(192, 384)))
        >>> [tuple(x.shape) for x in net(torch.randn(1, 3, 32, 32))]
        [(1, 384, 4, 4), (1, 384, 4, 4)]
    """
