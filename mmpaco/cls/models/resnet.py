"""What the papers' ResNets have and mmpretrain's have not."""

from typing import Any

from mmengine.model import kaiming_init
from mmpretrain.models.backbones import ResNet
from mmpretrain.models.backbones.resnet import Bottleneck
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmpaco.registry import MODELS


@MODELS.register_module()
class ResNet200(ResNet):
    """mmpretrain's ``ResNet`` with 3, 24, 36 and 3 bottlenecks.

    Args:
        depth (int): Defaults to 200, and cannot be another.
        **kwargs: Other arguments of mmpretrain's ``ResNet``.

    Raises:
        KeyError: If the depth is not 200.

    Example:
        >>> import torch
        >>> from mmpaco.registry import MODELS
        >>> net = MODELS.build(dict(type='mmpaco.ResNet200'))
        >>> net(torch.randn(1, 3, 64, 64))[0].shape
        torch.Size([1, 2048, 2, 2])
        >>> f'{sum(x.numel() for x in net.parameters()) / 1e6:.1f}M'
        '62.6M'
    """

    arch_settings = {200: (Bottleneck, (3, 24, 36, 3))}

    def __init__(self, depth: int = 200, **kwargs: Any) -> None:
        super().__init__(depth, **kwargs)


@MODELS.register_module()
class FrozenConvResNet(ResNet):
    """mmpretrain's ``ResNet`` whose convolutions are frozen but the last.

    Of the convolutions, those of the last blocks of the last stage alone are
    trained. Batch norm is trained everywhere, with statistics of the batch,
    which ``frozen_stages`` would prevent. PaCo and GPaCo train ResNet-152 on
    Places-LT like this, from the weights of ImageNet. MiSLAS (Zhong et al.,
    CVPR 2021, https://arxiv.org/abs/2104.00466) freezes batch norm there,
    too, and puts a new block in the place of the last one.

    Weights are frozen when the network is built, so before a model is
    distributed.

    Args:
        depth (int): 18, 34, 50, 101 or 152.
        trained_blocks (int): Blocks at the end of the last stage whose
            convolutions are trained. Defaults to 1.
        frozen_norm (bool): Whether batch norm of the other blocks and of the
            stem is frozen, with its statistics. Defaults to False.
        fresh_blocks (bool): Whether those blocks start from random weights
            and not from those of a checkpoint in ``init_cfg``. Defaults to
            False.
        **kwargs: Other arguments of mmpretrain's ``ResNet``.

    Raises:
        ValueError: If the last stage has not so many blocks.

    Example:
        >>> from mmpaco.registry import MODELS
        >>> net = MODELS.build(dict(type='mmpaco.FrozenConvResNet', depth=18))
        >>> weights = net.named_parameters()
        >>> [x for x, w in weights if w.dim() == 4 and w.requires_grad]
        ['layer4.1.conv1.weight', 'layer4.1.conv2.weight']
    """

    def __init__(
        self,
        depth: int,
        trained_blocks: int = 1,
        frozen_norm: bool = False,
        fresh_blocks: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(depth, **kwargs)
        self.frozen_norm = frozen_norm
        self.fresh_blocks = fresh_blocks
        blocks = list(getattr(self, self.res_layers[-1]))
        if not 0 <= trained_blocks <= len(blocks):
            raise ValueError(
                f'trained_blocks must lie between 0 and {len(blocks)}, the '
                f'blocks of the last stage, but got {trained_blocks}'
            )
        self.trained_blocks = trained_blocks
        kinds = (nn.Conv2d, _BatchNorm) if frozen_norm else nn.Conv2d
        trained = self._trained_modules()
        for module in self.modules():
            if isinstance(module, kinds) and module not in trained:
                module.requires_grad_(False)

    def _trained_modules(self) -> set[nn.Module]:
        blocks = list(getattr(self, self.res_layers[-1]))
        trained = blocks[len(blocks) - self.trained_blocks :]
        return {module for block in trained for module in block.modules()}

    def init_weights(self) -> None:
        """Initialise, and the trained blocks last if they are to be new."""
        super().init_weights()
        for module in self._trained_modules() if self.fresh_blocks else ():
            if isinstance(module, nn.Conv2d):
                kaiming_init(module)
            elif isinstance(module, _BatchNorm):
                module.reset_parameters()

    def train(self, mode: bool = True) -> 'FrozenConvResNet':
        """Set the mode, but of batch norm that is frozen."""
        super().train(mode)
        trained = self._trained_modules() if self.frozen_norm else ()
        for module in self.modules() if self.frozen_norm else ():
            if isinstance(module, _BatchNorm) and module not in trained:
                module.training = False
        return self
