"""A classifier that forwards the views one after the other."""

from typing import Any, Optional

import torch
from mmengine.dist import get_world_size
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmpaco.engine.distributed import shuffle_rows, unshuffle_rows
from mmpaco.registry import MODELS

from .gpaco_head import GPaCoHead
from .momentum_encoder import MomentumEncoder


class _Encoder(nn.Module):
    """Backbone, neck and projector in a row: an image to a unit row.

    Where a head has layers before its classifier, they come before the
    projector.
    """

    def __init__(
        self,
        backbone: nn.Module,
        neck: Optional[nn.Module],
        head: GPaCoHead,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = nn.Identity() if neck is None else neck
        self.projector = head.projector
        self.inner_head = getattr(head, 'inner', None)

    def forward(self, images: Tensor) -> Tensor:
        feats = self.neck(self.backbone(images))
        feat = (
            feats[-1] if self.inner_head is None else self.inner_head(feats)[0]
        )
        rows: Tensor = self.projector(feat)
        return rows


def _join(parts: list[Any]) -> Any:
    """Join what an encoder gives for each view: tensors, or lists of them."""
    if isinstance(parts[0], Tensor):
        return torch.cat(parts)
    return [_join(list(tensors)) for tensors in zip(*parts)]


@MODELS.register_module()
class PaCoClassifier(ImageClassifier):
    """``ImageClassifier`` with batch norm per view, as the papers train.

    With a momentum it is PaCo: view 1 gives the anchors, and view 2 goes
    through a momentum encoder and gives keys. ``mmpaco.PaCoQueueHook`` lets
    that encoder follow the optimizer. Without it is GPaCo: one encoder sees
    the views one after the other. (In the stock ``ImageClassifier`` GPaCo's
    views share the statistics of batch norm.)

    Args:
        backbone (dict): Config of the backbone.
        neck (dict, optional): Config of the neck.
        head (dict): Config of a ``mmpaco.GPaCoHead``.
        momentum (float, optional): Share of the old weights that the
            momentum encoder keeps in a step, 0.999 in PaCo. Defaults to
            None, that is no momentum encoder.
        **kwargs: Other arguments of ``ImageClassifier``.

    Raises:
        TypeError: If the head is not a ``mmpaco.GPaCoHead``.
        ValueError: If the momentum is outside of (0, 1), or is given for a
            head that has not two views.

    Example:
        >>> import torch
        >>> from mmpaco.registry import MODELS
        >>> from mmpretrain.structures import DataSample
        >>> model = MODELS.build(
        ...     dict(
        ...         type='mmpaco.PaCoClassifier',
        ...         momentum=0.999,
        ...         backbone=dict(type='mmpretrain.ResNet', depth=18),
        ...         neck=dict(type='mmpretrain.GlobalAveragePooling'),
        ...         head=dict(
        ...             type='mmpaco.GPaCoHead',
        ...             num_classes=3,
        ...             in_channels=512,
        ...             queue_length=64,
        ...         ),
        ...     )
        ... )
        >>> model.head.prior.set_class_counts([50, 10, 2])
        >>> views = torch.randn(4, 3, 32, 32)
        >>> samples = 2 * [DataSample().set_gt_label(i) for i in (0, 2)]
        >>> model(views, samples, mode='loss')['loss'].backward()
        >>> model.head.queue.append(*model.head.queue.take_staged())
        >>> model.end_iteration()
        >>> int(model.momentum_encoder.steps)
        2
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: Optional[dict[str, Any]] = None,
        head: Optional[dict[str, Any]] = None,
        momentum: Optional[float] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone=backbone, neck=neck, head=head, **kwargs)
        if not isinstance(getattr(self, 'head', None), GPaCoHead):
            raise TypeError(
                "PaCoClassifier needs head=dict(type='mmpaco."
                "GPaCoHead', ...), but got "
                f'{type(getattr(self, "head", None)).__name__}'
            )
        self.momentum_encoder: Optional[MomentumEncoder] = None
        # Whether an iteration has ended that nobody has told of.
        self._is_pending = False
        if momentum is None:
            return
        if not 0 < momentum < 1:
            raise ValueError(
                'momentum must lie between 0 and 1 (0.999 in '
                f'PaCo), or be None, but got {momentum}'
            )
        if self.head.num_views != 2:
            raise ValueError(
                'a momentum encoder needs a head with '
                'num_views=2, one for the anchors and one for '
                f'the keys, but got {self.head.num_views}'
            )
        # mmengine's momentum is the share of the new weights.
        self.momentum_encoder = MomentumEncoder(
            self._encoder(), momentum=1 - momentum
        )

    def _encoder(self) -> _Encoder:
        return _Encoder(
            self.backbone,
            self.neck if self.with_neck else None,
            self.head,
        )

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Compute the losses of a batch of joined views.

        Args:
            inputs (Tensor): Images of shape (num_views * N, C, H, W),
                view-major.
            data_samples (list[DataSample]): Their data samples.

        Returns:
            dict[str, Tensor]: The losses of the head.

        Raises:
            RuntimeError: If nothing moves the momentum encoder, or as by
                ``mmpaco.GPaCoHead``.
            ValueError: If the batch does not divide by the number of views.
        """
        losses: dict[str, Tensor]
        num_views = self.head.num_views
        if len(inputs) % num_views:
            raise ValueError(
                f'expected {num_views} views of each image, but the batch '
                f'has {len(inputs)} images; use the data preprocessor '
                'mmpaco.MultiViewDataPreprocessor'
            )
        views = inputs.chunk(num_views)
        if self.momentum_encoder is None:
            feats = [self.extract_feat(view)[-1] for view in views]
            losses = self.head.loss((_join(feats),), data_samples)
            return losses
        self.head.check_views(data_samples)
        keys = self._keys(views[1])
        feats = self.extract_feat(views[0])
        losses = self.head.loss(
            feats, data_samples[: len(views[0])], keys=keys
        )
        return losses

    @torch.no_grad()
    def _keys(self, images: Tensor) -> Tensor:
        encoder: Any = self.momentum_encoder
        if self.training:
            if self._is_pending:
                raise RuntimeError(
                    'the momentum encoder does not follow the model; add '
                    "dict(type='mmpaco.PaCoQueueHook') to custom_hooks, or "
                    'in a loop of your own call end_iteration after each '
                    'backward'
                )
            self._is_pending = True
            encoder.begin(self._encoder())
        if get_world_size() == 1:
            keys: Tensor = encoder(images)
            return keys
        # Else batch norm would tell an anchor which keys shared its batch.
        images, order, sizes = shuffle_rows(images)
        return unshuffle_rows(encoder(images), order, sizes)

    def end_iteration(self, is_step: bool = True) -> None:
        """Let the momentum encoder follow a step of the optimizer.

        ``mmpaco.PaCoQueueHook`` calls it; a loop of your own does after each
        iteration.

        Args:
            is_step (bool): Whether the optimizer has taken a step, and not
                only gathered gradients. Defaults to True.
        """
        self._is_pending = False
        if self.momentum_encoder is not None and is_step:
            self.momentum_encoder.begin(self._encoder())
            self.momentum_encoder.update_parameters(self._encoder())
