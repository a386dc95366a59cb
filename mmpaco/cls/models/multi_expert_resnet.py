"""Residual networks whose last layers each expert has of its own.

RIDE, Wang et al., ICLR 2021, https://arxiv.org/abs/2010.01809
"""

from collections.abc import Sequence
from typing import Any, Optional, Union, cast

from mmpretrain.models.backbones import ResNet, ResNeXt
from torch import Tensor, nn

from mmpaco.registry import MODELS

from .cifar_resnet import CIFARResNet


class ExpertStage(nn.Module):
    """A stage whose last blocks each expert has of its own.

    Args:
        shared (nn.Module, optional): The blocks before them, of all experts.
        experts (Sequence[nn.Module]): The blocks of each expert.
    """

    def __init__(
        self, shared: Optional[nn.Module], experts: Sequence[nn.Module]
    ) -> None:
        super().__init__()
        self.shared = shared
        self.experts = nn.ModuleList(experts)

    def __getitem__(self, index: int) -> nn.Module:
        """Give a block of the first expert: ResNet reads its channels."""
        first = cast(nn.Sequential, self.experts[0])
        return first[index]

    def forward(
        self, x: Union[Tensor, tuple[Tensor, ...]]
    ) -> tuple[Tensor, ...]:
        """Give the map of each expert.

        Args:
            x (Tensor | tuple[Tensor]): A map of all experts, or one of each.

        Returns:
            tuple[Tensor]: E maps.
        """
        if isinstance(x, Tensor):
            x = x if self.shared is None else self.shared(x)
            x = (x,) * len(self.experts)
        return tuple(blocks(y) for blocks, y in zip(self.experts, x))


class MultiExpertBase(ResNet):
    """What makes experts of the last stages, or blocks, of a ``ResNet``.

    The arguments are those of :class:`MultiExpertResNet`. Another network is
    named after it in the bases of a class.
    """

    def __init__(
        self,
        *args: Any,
        num_experts: int = 3,
        own_stages: int = 2,
        own_blocks: Optional[int] = None,
        widths: Optional[Sequence[int]] = None,
        **kwargs: Any,
    ) -> None:
        if num_experts < 1:
            raise ValueError(
                f'num_experts must be positive, but got {num_experts}'
            )
        if own_blocks is not None and widths is not None:
            raise ValueError(
                'widths are for own_stages, since blocks inside of a stage '
                f'have its channels; leave out widths={widths}, or '
                f'own_blocks={own_blocks}'
            )
        if widths is not None and (
            len(widths) != own_stages or min(widths) < 1
        ):
            raise ValueError(
                f'widths must be {own_stages} positive numbers, one for each '
                f'of own_stages, but got {widths}'
            )
        self.num_experts = num_experts
        self.own_stages = own_stages
        self.own_blocks = own_blocks
        self.widths = widths
        super().__init__(*args, **kwargs)
        if tuple(self.out_indices) != (self.num_stages - 1,):
            raise ValueError(
                'each expert gives its last map, so out_indices must be '
                f'({self.num_stages - 1},), but got {self.out_indices}'
            )

    def make_res_layer(self, **kwargs: Any) -> nn.Module:
        """Build a stage.

        Args:
            **kwargs: Arguments of mmpretrain's ``ResLayer``.

        Returns:
            nn.Module: Its blocks, or an :class:`ExpertStage`.
        """
        make, stage = super().make_res_layer, len(self.res_layers)
        blocks = kwargs['num_blocks']
        own = self._own_blocks(stage, blocks)
        if not own:
            layer: nn.Module = make(**kwargs)
            return layer
        self._narrow(stage, kwargs)
        shared, before = None, blocks - own
        rates = kwargs.pop('drop_path_rate')
        if before:
            kwargs['num_blocks'] = before
            shared = make(**kwargs, drop_path_rate=rates[:before])
            kwargs.update(
                num_blocks=own, in_channels=kwargs['out_channels'], stride=1
            )
        return ExpertStage(
            shared,
            [
                make(**kwargs, drop_path_rate=rates[before:])
                for _ in range(self.num_experts)
            ],
        )

    def _own_blocks(self, stage: int, blocks: int) -> int:
        """Tell how many blocks of a stage are each expert's own."""
        if self.own_blocks is None:
            if not 1 <= self.own_stages <= self.num_stages:
                raise ValueError(
                    f'own_stages must lie between 1 and {self.num_stages}, '
                    f'the stages, but got {self.own_stages}'
                )
            first = self.num_stages - self.own_stages
            return blocks if stage >= first else 0
        if stage < self.num_stages - 1:
            return 0
        if not 1 <= self.own_blocks <= blocks:
            raise ValueError(
                f'own_blocks must lie between 1 and {blocks}, the blocks of '
                f'the last stage, but got {self.own_blocks}'
            )
        return self.own_blocks

    def _narrow(self, stage: int, kwargs: dict[str, Any]) -> None:
        """Give an own stage its width."""
        if self.widths is None:
            return
        place = stage - (self.num_stages - self.own_stages)
        kwargs['out_channels'] = self.widths[place] * self.expansion
        if place:
            kwargs['in_channels'] = self.widths[place - 1] * self.expansion

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Give the last map of each expert.

        Args:
            x (Tensor): Images of shape (N, 3, H, W).

        Returns:
            tuple[Tensor]: E maps of shape (N, D, H', W').
        """
        maps: tuple[Tensor, ...]
        (maps,) = super().forward(x)
        return maps


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
            ones of the last stage. Defaults to None: ``own_stages``.
        widths (Sequence[int], optional): Channels of each own stage, inside
            of its bottlenecks: of its output it is a fourth. RIDE has
            (192, 384), three fourths. Defaults to None: those of the plain
            network.
        groups (int): Groups of the 3 x 3 convolutions; more than 1 make it a
            ResNeXt. Defaults to 1.
        width_per_group (int): Channels of each group in the first stage.
            Defaults to 4.
        **kwargs: Other arguments of mmpretrain's ``ResNet``: ``deep_stem``,
            ``frozen_stages``, ``norm_cfg``, ...

    Raises:
        KeyError: If there is no such depth.
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
        **kwargs: Other arguments of ``mmpaco.CIFARResNet``.

    Raises:
        KeyError: If there is no such depth.
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
