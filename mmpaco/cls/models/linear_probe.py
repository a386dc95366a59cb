"""The second stage of SupCon: a classifier on a frozen network."""

from typing import Any

from mmengine.runner import CheckpointLoader
from mmpretrain.models import ImageClassifier

from mmpaco.registry import MODELS


@MODELS.register_module()
class LinearProbeClassifier(ImageClassifier):
    """``ImageClassifier`` of which the head alone is trained.

    Backbone and neck are frozen, batch norm with its statistics, whatever
    network they are. So a classifier is trained on what SupCon has learnt
    (Khosla et al., NeurIPS 2020, https://arxiv.org/abs/2004.11362).

    Args:
        *args: Arguments of ``ImageClassifier``, such as ``pretrained`` for
            the checkpoint of the first stage.
        **kwargs: Likewise.

    Raises:
        RuntimeError: By ``init_weights``, if the checkpoint that it is given
            lacks a weight of the backbone.

    Example:
        >>> from mmpaco.registry import MODELS
        >>> model = MODELS.build(
        ...     dict(
        ...         type='mmpaco.LinearProbeClassifier',
        ...         backbone=dict(type='mmpretrain.ResNet', depth=18),
        ...         neck=dict(type='mmpretrain.GlobalAveragePooling'),
        ...         head=dict(
        ...             type='mmpretrain.LinearClsHead',
        ...             num_classes=3,
        ...             in_channels=512,
        ...         ),
        ...     )
        ... )
        >>> [x for x, p in model.named_parameters() if p.requires_grad]
        ['head.fc.weight', 'head.fc.bias']
        >>> model.train().backbone.training
        False
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Here, since what distributes the model asks which weights train.
        for part in (self.backbone, self.neck):
            if part is not None:
                part.requires_grad_(False)

    def init_weights(self) -> None:
        """Load the network of the first stage, if it is given."""
        super().init_weights()
        source = self.init_cfg if isinstance(self.init_cfg, dict) else {}
        if source.get('type') != 'Pretrained':
            return
        path = source['checkpoint']
        # Weights that are not there, mmengine logs, and goes on.
        found = CheckpointLoader.load_checkpoint(path, map_location='cpu')
        names = set(found.get('state_dict', found))
        missing = [
            name
            for name, _ in self.backbone.named_parameters()
            if f'backbone.{name}' not in names
        ]
        if missing:
            raise RuntimeError(
                f'{path} lacks {len(missing)} weights of the backbone, such '
                f'as backbone.{missing[0]}, which would stay random and '
                'frozen; give the checkpoint of the first stage'
            )

    def train(self, mode: bool = True) -> 'LinearProbeClassifier':
        """Set the mode of the head alone."""
        super().train(mode)
        for part in (self.backbone, self.neck):
            if part is not None:
                part.eval()
        return self
