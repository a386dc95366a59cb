"""What makes experts of the last stages of a residual network.

RIDE, Wang et al., ICLR 2021, https://arxiv.org/abs/2010.01809
BBN, Zhou et al., CVPR 2020, https://arxiv.org/abs/1912.02413
"""

from collections.abc import Sequence
from typing import Any, Optional, Union, cast

import torch
from mmpretrain.models.backbones import ResNet
from torch import Tensor, nn


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

    def forward(self, *maps: Tensor) -> tuple[Tensor, ...]:
        """Give the map of each expert.

        All is told by arguments, and each map is one of its own, so that a
        pass that is recomputed (activation checkpointing) is the same.

        Args:
            *maps (Tensor): A map for all experts, or one for each, which go
                one after the other through what they share.

        Returns:
            tuple[Tensor]: E maps.
        """
        if self.shared is not None:
            maps = tuple(self.shared(x) for x in maps)
        if len(maps) == 1:
            maps *= len(self.experts)
        return tuple(blocks(x) for blocks, x in zip(self.experts, maps))


class MultiExpertBase(ResNet):
    """What makes experts of the last stages, or blocks, of a ``ResNet``.

    The arguments are those of ``mmpaco.MultiExpertResNet``. A network is named
    after it in the bases of a class.
    """

    res_layers: list[str]
    out_indices: tuple[int, ...]

    def __init__(
        self,
        *args: Any,
        num_experts: int = 3,
        own_stages: int = 2,
        own_blocks: Optional[int] = None,
        widths: Optional[Sequence[int]] = None,
        joined: bool = False,
        **kwargs: Any,
    ) -> None:
        _check_experts(num_experts, own_stages, own_blocks, widths)
        self.num_experts = num_experts
        self.own_stages = own_stages
        self.own_blocks = own_blocks
        self.widths = widths
        self.joined = joined
        super().__init__(*args, **kwargs)
        if tuple(self.out_indices) != (self.num_stages - 1,):
            raise ValueError(
                'each expert gives its last map, so out_indices must be '
                f'({self.num_stages - 1},), but got {self.out_indices}'
            )
        if joined:
            self.feat_dim *= num_experts
        # The own pass of a ResNet is that of what comes before the experts:
        # a tuple of maps is for stages of experts alone.
        self.expert_layers = [
            name
            for name in self.res_layers
            if isinstance(getattr(self, name), ExpertStage)
        ]
        self.res_layers = self.res_layers[: -len(self.expert_layers)]
        if not self.res_layers:
            self.stem_alone = nn.Identity()
            self.res_layers = ['stem_alone']
        self.out_indices = (len(self.res_layers) - 1,)

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

    def forward(
        self, x: Union[Tensor, Sequence[Tensor]]
    ) -> tuple[Tensor, ...]:
        """Give the last map of each expert.

        Args:
            x (Tensor | Sequence[Tensor]): Images of shape (N, 3, H, W) for
                all experts, or those of each of the E, which go one after the
                other through what the experts share.

        Returns:
            tuple[Tensor]: E maps of shape (N, D, H', W'), or the one of shape
            (N, E * D, H', W') that they are ``joined`` to.

        Raises:
            ValueError: If there are images for another number of experts.
        """
        maps: tuple[Tensor, ...]
        if isinstance(x, Tensor):
            maps = (self.shared_map(x),)
        elif len(x) == self.num_experts:
            maps = tuple(self.shared_map(y) for y in x)
        else:
            raise ValueError(
                'expected one batch of images for all experts, or one for '
                f'each of num_experts={self.num_experts}, but got {len(x)}'
            )
        for name in self.expert_layers:
            maps = getattr(self, name)(*maps)
        return (torch.cat(maps, 1),) if self.joined else maps

    def shared_map(self, x: Tensor) -> Tensor:
        """Give the last map of the stages that are of no expert.

        Args:
            x (Tensor): Images of shape (N, 3, H, W).

        Returns:
            Tensor: Shape (N, D, H', W').
        """
        (found,) = super().forward(x)
        shared: Tensor = found
        return shared


def _check_experts(
    num_experts: int,
    own_stages: int,
    own_blocks: Optional[int],
    widths: Optional[Sequence[int]],
) -> None:
    """Raise a ``ValueError`` or ``TypeError`` for what makes no experts."""
    for name, value in (
        ('num_experts', num_experts),
        ('own_stages', own_stages),
        ('own_blocks', own_blocks),
        *(('widths', width) for width in widths or ()),
    ):
        if value is not None and type(value) is not int:
            raise TypeError(f'{name} must be of integers, but got {value!r}')
    if num_experts < 1:
        raise ValueError(
            f'num_experts must be positive, but got {num_experts}'
        )
    if widths is None:
        return
    if own_blocks is not None:
        raise ValueError(
            'widths are for own_stages, since blocks inside of a stage have '
            f'its channels; leave out widths={widths}, or '
            f'own_blocks={own_blocks}'
        )
    if len(widths) != own_stages or min(widths, default=0) < 1:
        raise ValueError(
            f'widths must be {own_stages} positive numbers, one for each of '
            f'own_stages, but got {widths}'
        )
