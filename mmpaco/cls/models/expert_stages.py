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
        # Whose map is asked for, if not those of all. The network says it
        # anew before each forward pass.
        self.only: Optional[int] = None

    def __getitem__(self, index: int) -> nn.Module:
        """Give a block of the first expert: ResNet reads its channels."""
        first = cast(nn.Sequential, self.experts[0])
        return first[index]

    def forward(
        self, x: Union[Tensor, tuple[Tensor, ...]]
    ) -> tuple[Tensor, ...]:
        """Give the map of each expert that is asked.

        Args:
            x (Tensor | tuple[Tensor]): A map of all experts, or one of each.

        Returns:
            tuple[Tensor]: E maps, or one if ``only`` one expert is asked.
        """
        asked = list(self.experts)
        if self.only is not None:
            asked = [self.experts[self.only]]
        if isinstance(x, Tensor):
            x = x if self.shared is None else self.shared(x)
            x = (x,) * len(asked)
        return tuple(blocks(y) for blocks, y in zip(asked, x))


class MultiExpertBase(ResNet):
    """What makes experts of the last stages, or blocks, of a ``ResNet``.

    The arguments are those of ``mmpaco.MultiExpertResNet``. A network is named
    after it in the bases of a class.
    """

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
        self.joined = joined
        super().__init__(*args, **kwargs)
        if tuple(self.out_indices) != (self.num_stages - 1,):
            raise ValueError(
                'each expert gives its last map, so out_indices must be '
                f'({self.num_stages - 1},), but got {self.out_indices}'
            )
        if joined:
            self.feat_dim *= num_experts

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
        if isinstance(x, Tensor):
            maps = self._maps(x)
        elif len(x) == self.num_experts:
            maps = tuple(self._maps(y, k)[0] for k, y in enumerate(x))
        else:
            raise ValueError(
                'expected one batch of images for all experts, or one for '
                f'each of num_experts={self.num_experts}, but got {len(x)}'
            )
        return (torch.cat(maps, 1),) if self.joined else maps

    def _maps(
        self, x: Tensor, only: Optional[int] = None
    ) -> tuple[Tensor, ...]:
        """Give the last map of all experts, or of one."""
        for name in self.res_layers:
            layer = getattr(self, name)
            if isinstance(layer, ExpertStage):
                layer.only = only
        maps: tuple[Tensor, ...]
        (maps,) = super().forward(x)
        return maps
