"""GPaCo's head around a head of mmpretrain that has layers of its own."""

from collections.abc import Sequence
from typing import Any, Optional, Union

import torch
from mmpretrain.models.heads import ClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmpaco.registry import MODELS

from .gpaco_head import GPaCoHead


class InnerHead(nn.Module):
    """A stock head that tells what its classifier sees, and its scores.

    Args:
        head (ClsHead): The head.
        num_classes (int): Outputs of its classifier.

    Raises:
        TypeError: If it has no linear layer with so many outputs, or
            parameters of its own.
    """

    def __init__(self, head: ClsHead, num_classes: int) -> None:
        super().__init__()
        self.head = head
        self._names = [
            name
            for name, x in head.named_modules()
            if isinstance(x, nn.Linear) and x.out_features == num_classes
        ]
        if not self._names or any(
            True for _ in head.parameters(recurse=False)
        ):
            raise TypeError(
                f'{type(head).__name__} has no linear classifier of '
                f'{num_classes} classes, whose rows would be the centers; use '
                'a head that ends with one, such as LinearClsHead'
            )

    @property
    def classifiers(self) -> list[Any]:
        """Its layers of ``num_classes`` outputs."""
        return [self.head.get_submodule(name) for name in self._names]

    @property
    def last(self) -> list[Any]:
        """Those that give scores."""
        # A head on several features takes as many classifiers to the end.
        sizes = getattr(self.head, 'in_channels', None)
        used = len(sizes) if isinstance(sizes, Sequence) else 1
        return self.classifiers[-used:]

    @property
    def in_channels(self) -> int:
        """Size D of what the classifier sees."""
        return sum(x.in_features for x in self.last)

    def forward(self, feats: tuple[Any, ...]) -> tuple[Tensor, Tensor]:
        """Run the head.

        Args:
            feats (tuple): What a backbone or a neck gives.

        Returns:
            tuple[Tensor, Tensor]: The input of the classifier, of shape
            (N, D), and its scores, of shape (N, C). The sum of several
            classifiers is one, on their joined inputs.

        Raises:
            TypeError: If the scores are no output of the classifier.
        """
        seen: list[tuple[Tensor, Tensor]] = []
        hooks = [
            layer.register_forward_hook(
                lambda _, inputs, output: seen.append((inputs[0], output))
            )
            for layer in self.classifiers
        ]
        try:
            scores = self.head(feats)
        finally:
            for hook in hooks:
                hook.remove()
        if isinstance(scores, Tensor):
            scores = (scores,)
        # A hidden layer may have as many outputs as there are classes.
        features = [x for x, y in seen if any(y is score for score in scores)]
        if len(features) != len(scores):
            raise TypeError(
                f'the scores of {type(self.head).__name__} are not what its '
                'linear layers give, whose rows would be the centers; use a '
                'head that ends with one, such as LinearClsHead'
            )
        return torch.cat(features, 1), torch.stack(scores).sum(0)


@MODELS.register_module()
class GPaCoStockHead(GPaCoHead):
    """``mmpaco.GPaCoHead`` with the classifier of another head.

    For heads of mmpretrain that end with a linear layer, with what comes
    before it: ``VisionTransformerClsHead``, ``StackedLinearClsHead``,
    ``VigClsHead``, ``LeViTClsHead``, ``ConformerHead`` and others. The
    projector embeds the input of that layer. Weights keep the names that they
    have in the other head, so a checkpoint also loads in that; at inference
    it alone runs.

    Args:
        stock_head (dict): Config of the head. Its loss is not used.
        loss (dict | ContrastiveLoss, optional): As of ``mmpaco.GPaCoHead``.
        **kwargs: Other arguments of ``mmpaco.GPaCoHead``, without
            ``num_classes``, ``in_channels`` and ``init_cfg``, which are those
            of the other head.

    Raises:
        TypeError: If the head has no linear classifier, or is none of
            mmpretrain's.

    Example:
        >>> import torch
        >>> from mmpaco.registry import MODELS
        >>> from mmpretrain.structures import DataSample
        >>> head = MODELS.build(
        ...     dict(
        ...         type='mmpaco.GPaCoStockHead',
        ...         stock_head=dict(
        ...             type='mmpretrain.VisionTransformerClsHead',
        ...             num_classes=3,
        ...             in_channels=16,
        ...         ),
        ...         queue_length=64,
        ...     )
        ... )
        >>> head.prior.set_class_counts([50, 10, 2])
        >>> samples = [DataSample().set_gt_label(i) for i in (0, 2)]
        >>> list(head.loss((torch.randn(4, 16),), 2 * samples))
        ['loss']
        >>> [name for name in head.state_dict() if 'layers.head' in name]
        ['layers.head.weight', 'layers.head.bias']
    """

    def __init__(
        self,
        stock_head: dict[str, Any],
        loss: Optional[Any] = None,
        **kwargs: Any,
    ) -> None:
        head = MODELS.build(stock_head)
        if not isinstance(head, ClsHead):
            raise TypeError(
                'stock_head must be a head of mmpretrain that ends with a '
                f'linear layer, but got {type(head).__name__}'
            )
        num_classes = getattr(head, 'num_classes', None) or stock_head.get(
            'num_classes', 0
        )
        inner = InnerHead(head, num_classes)
        kwargs.setdefault('topk', head.topk)
        super().__init__(
            num_classes,
            inner.in_channels,
            loss=loss,
            **kwargs,
        )
        del self.fc
        # The layers are children of this head, under their own names.
        self._inner = (inner,)
        for name, child in head.named_children():
            if name != 'loss_module':
                self.add_module(name, child)
        if not self.loss_module.trains_centers:
            for layer in inner.last:
                layer.requires_grad_(False)

    @property
    def inner(self) -> InnerHead:
        """The other head."""
        return self._inner[0]

    def init_weights(self) -> None:
        """Initialise the other head as it does, and the projector."""
        head: Any = self.inner.head
        # Both note in one place what became of a weight.
        info = getattr(self, '_params_init_info', None)
        if info is not None:
            head._params_init_info = info
        head.init_weights()
        vars(head).pop('_params_init_info', None)
        self.init_cfg = None
        super().init_weights()

    def train(self, mode: bool = True) -> 'GPaCoStockHead':
        """Set the mode of the other head, too."""
        if hasattr(self, '_inner'):
            self.inner.head.training = mode
        super().train(mode)
        return self

    def features_and_logits(
        self, feats: tuple[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Give what the classifier sees, and its scores."""
        features, logits = self.inner(feats)
        return features, logits

    def pre_logits(self, feats: tuple[Tensor]) -> Tensor:
        """Give what the classifier sees."""
        return self.features_and_logits(feats)[0]

    def forward(
        self, feats: tuple[Tensor]
    ) -> Union[Tensor, tuple[Tensor, ...]]:
        """Give the scores as the other head does."""
        scores: Union[Tensor, tuple[Tensor, ...]] = self.inner.head(feats)
        return scores

    def predict(
        self,
        feats: tuple[Tensor],
        data_samples: Optional[list[Optional[DataSample]]] = None,
    ) -> list[DataSample]:
        """Predict as the other head does."""
        predicted: list[DataSample] = self.inner.head.predict(
            feats, data_samples
        )
        return predicted
