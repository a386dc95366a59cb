"""The MLP between the features and the contrast."""

from collections.abc import Callable
from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# mmcv's names of PyTorch's layers.
_SHORT = {
    'BN': 'BatchNorm1d',
    'BN1d': 'BatchNorm1d',
    'SyncBN': 'SyncBatchNorm',
    'LN': 'LayerNorm',
}


class _HiddenLayer(nn.Module):
    """A linear layer with its norm and activation, either of them None."""

    def __init__(
        self,
        fc: nn.Linear,
        norm: Optional[nn.Module],
        act: Optional[nn.Module],
    ) -> None:
        super().__init__()
        self.fc = fc
        self.norm = norm
        self.act = act

    def forward(self, feats: Tensor) -> Tensor:
        feats = self.fc(feats)
        if (
            len(feats) == 1
            and isinstance(self.norm, nn.BatchNorm1d)
            and self.norm.training
        ):
            raise ValueError(
                'batch norm in the projector needs more than one row, but got '
                'a batch of one image; set drop_last=True in '
                'train_dataloader, or another batch_size'
            )
        if self.norm is not None:
            feats = self.norm(feats)
        if self.act is not None:
            feats = self.act(feats)
        return feats


def projector_layers(
    in_channels: int,
    hidden_channels: Optional[int],
    out_channels: int,
    num_layers: int,
    norm: Callable[[int], Optional[nn.Module]],
    act: Callable[[], Optional[nn.Module]],
) -> nn.Sequential:
    """Make the layers of a projector.

    Args:
        in_channels (int): Feature size.
        hidden_channels (int, optional): Size of the hidden layers; None for
            ``in_channels``.
        out_channels (int): Embedding size D.
        num_layers (int): Linear layers.
        norm (Callable): Gives the norm of a hidden layer of a size, or None.
        act (Callable): Gives the activation of a hidden layer, or None.

    Returns:
        nn.Sequential: The layers.

    Raises:
        ValueError: If there is no layer.
    """
    if num_layers < 1:
        raise ValueError(
            'a projector needs at least one layer, but got '
            f'num_layers={num_layers}'
        )
    layers: list[nn.Module] = []
    for _ in range(num_layers - 1):
        hidden = hidden_channels or in_channels
        layers.append(
            _HiddenLayer(nn.Linear(in_channels, hidden), norm(hidden), act())
        )
        in_channels = hidden
    layers.append(nn.Linear(in_channels, out_channels))
    return nn.Sequential(*layers)


def unit_rows(embeddings: Tensor) -> Tensor:
    """Divide rows by their length, in float32 at least.

    In float16 a row of zeros becomes nan, and a long one zeros.

    Args:
        embeddings (Tensor): Rows of shape (N, D).

    Returns:
        Tensor: Rows of length one, of the same shape; a row of zeros stays.
    """
    dtype = torch.promote_types(embeddings.dtype, torch.float32)
    return F.normalize(embeddings.to(dtype), dim=1)


class Projector(nn.Module):
    """The MLP that embeds features for the contrast.

    In a config, ``mmpaco.Projector`` is its twin on mmcv's layers, with the
    same arguments and state dict.

    Args:
        in_channels (int): Feature size.
        hidden_channels (int, optional): Size of the hidden layers. Defaults
            to ``in_channels``.
        out_channels (int): Embedding size D. Defaults to 128.
        num_layers (int): Linear layers: 3 in GPaCo, 2 in PaCo. Defaults to 3.
        norm_cfg (dict, optional): Norm after each hidden layer, a class of
            ``torch.nn`` or mmcv's name of it: None in GPaCo,
            ``dict(type='BN1d')`` in PaCo. Defaults to None.
        act_cfg (dict, optional): Activation after each hidden layer.
            Defaults to ``dict(type='ReLU')``.

    Raises:
        ValueError: If there is no layer, or PyTorch has no such norm or
            activation.

    Example:
        >>> import torch
        >>> from mmpaco.losses import Projector
        >>> Projector(64)(torch.randn(8, 64)).shape
        torch.Size([8, 128])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: Optional[int] = None,
        out_channels: int = 128,
        num_layers: int = 3,
        norm_cfg: Optional[dict[str, Any]] = None,
        act_cfg: Optional[dict[str, Any]] = None,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.layers = projector_layers(
            in_channels,
            hidden_channels,
            out_channels,
            num_layers,
            lambda size: _layer(norm_cfg, size),
            lambda: _layer(act_cfg or dict(type='ReLU')),
        )

    def forward(self, feats: Tensor) -> Tensor:
        """Embed features.

        Args:
            feats (Tensor): Features of shape (N, in_channels).

        Returns:
            Tensor: Unit rows of shape (N, D), in float32 under autocast.
        """
        return unit_rows(self.layers(feats))


def _layer(cfg: Optional[dict[str, Any]], *args: Any) -> Optional[nn.Module]:
    if cfg is None:
        return None
    options = dict(cfg)
    name = options.pop('type', None)
    kind = getattr(nn, _SHORT.get(str(name), str(name)), None)
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise ValueError(
            f'type must be a class of torch.nn, such as BatchNorm1d or ReLU, '
            f'but got {name!r}; in a config, mmpaco.Projector takes any that '
            'mmcv knows'
        )
    made: nn.Module = kind(*args, **options)
    return made
