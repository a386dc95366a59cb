"""The second of two stages: a classifier on a frozen network."""

from collections.abc import Iterator
from typing import Any

from mmengine.logging import MessageHub
from mmengine.runner import CheckpointLoader
from mmpretrain.models import ImageClassifier
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from mmpaco.engine.hooks.frozen_weights_hook import pretrained_modules
from mmpaco.registry import MODELS

from .scaled_head import ScaledClsHead


@MODELS.register_module()
class LinearProbeClassifier(ImageClassifier):
    """``ImageClassifier`` of which the head alone is trained.

    Backbone and neck are frozen, whatever network they are, and no gradient
    is taken of them. So a classifier is trained on what SupCon has learnt
    (Khosla et al., NeurIPS 2020, https://arxiv.org/abs/2004.11362), and in
    the second stage of cRT, LWS (Decoupling, Kang et al., ICLR 2020,
    https://arxiv.org/abs/1910.09217) and MiSLAS (Zhong et al., CVPR 2021,
    https://arxiv.org/abs/2104.00466).

    Args:
        *args: Arguments of ``ImageClassifier``, such as ``pretrained`` for
            the checkpoint of the first stage.
        moving_statistics (bool): Whether batch norm normalises by the batch
            and moves its statistics, as in the releases of cRT, LWS and
            MiSLAS. What a backbone itself keeps in eval mode stays so.
            Defaults to False.
        fresh_head (bool): Whether the head is left out of the checkpoint that
            ``pretrained`` names, so that it starts as it is initialised, as
            in cRT. Defaults to False.
        **kwargs: As ``*args``.

    Raises:
        ValueError: By ``init_weights``, if ``fresh_head`` has no checkpoint.
        RuntimeError: By ``init_weights``, if the checkpoint that it is given
            lacks a weight that is frozen, a statistic of batch norm, or the
            classifier that ``mmpaco.ScaledClsHead`` scales, or has one of
            another shape. By the first loss, if no checkpoint gave the
            network its weights, or the ``load_from`` of a runner those of a
            head that was to be fresh.

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

    init_cfg: Any

    def __init__(
        self,
        *args: Any,
        moving_statistics: bool = False,
        fresh_head: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.moving_statistics = moving_statistics
        self.fresh_head = fresh_head
        # What a backbone has loaded when it was built is known to itself.
        self._is_given = bool(getattr(self.backbone, '_is_init', False))
        self._is_fresh = False
        self._has_begun = False
        self.backbone._register_load_state_dict_pre_hook(self._note_network)
        self.head._register_load_state_dict_pre_hook(self._note_head)
        # Here, since what distributes the model asks which weights train.
        for part in (self.backbone, self.neck):
            if part is not None:
                part.requires_grad_(False)

    def init_weights(self) -> None:
        """Load the first stage, if it is given."""
        source = self.init_cfg if isinstance(self.init_cfg, dict) else {}
        if source.get('type') != 'Pretrained':
            if self.fresh_head:
                raise ValueError(
                    'fresh_head=True leaves the head out of the checkpoint '
                    'that pretrained names, but none is given; give '
                    'pretrained=... (load_from would load the head, too)'
                )
            super().init_weights()
            named = pretrained_modules(self.backbone)
            self._is_given |= next(named, None) is not None
            return
        # mmengine would load all of it, and go on without what is missing.
        self.init_cfg = None
        super().init_weights()
        self.init_cfg = source
        self._load(source['checkpoint'])
        self._is_fresh = self.fresh_head

    def loss(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Compute the loss of a batch, as ``ImageClassifier`` does."""
        if not self._has_begun:
            self._check_begin()
            self._has_begun = True
        loss: dict[str, Tensor] = super().loss(*args, **kwargs)
        return loss

    def _check_begin(self) -> None:
        """See what was loaded after the weights were initialised."""
        if not self._is_given:
            raise RuntimeError(
                'the network is frozen, but no checkpoint gave its weights, '
                'so the head would be trained on random features; give '
                'pretrained=... (the checkpoint of the first stage), init_cfg '
                'of the backbone, or load_from'
            )
        # A run that is resumed goes on with its head, after iteration 0.
        begins = MessageHub.get_current_instance().get_info('iter') == 0
        if self.fresh_head and not self._is_fresh and begins:
            raise RuntimeError(
                'fresh_head=True is for a head that begins anew, but '
                'load_from gave it that of a checkpoint; leave out load_from, '
                'since pretrained gives the network, or set fresh_head=False'
            )

    def _note_network(
        self, state: dict[str, Any], prefix: str, *args: Any
    ) -> None:
        self._is_given |= any(name.startswith(prefix) for name in state)

    def _note_head(
        self, state: dict[str, Any], prefix: str, *args: Any
    ) -> None:
        self._is_fresh &= not any(name.startswith(prefix) for name in state)

    def _load(self, path: str) -> None:
        found = CheckpointLoader.load_checkpoint(path, map_location='cpu')
        state = {
            name: value
            for name, value in found.get('state_dict', found).items()
            if not (self.fresh_head and name.startswith('head.'))
        }
        missing = [name for name in self._expected() if name not in state]
        if missing:
            raise RuntimeError(
                f'{path} lacks {len(missing)} weights that are of the first '
                f'stage, such as {missing[0]}, which would be those of a new '
                'network; give the checkpoint of the first stage'
                + (', and fresh_head=False' if self.fresh_head else '')
            )
        self.load_state_dict(state, strict=False)

    def _expected(self) -> Iterator[str]:
        """Name what the first stage has learnt, and this one goes on from."""
        goes_on = isinstance(self.head, ScaledClsHead) and not self.fresh_head
        for name, weight in self.named_parameters():
            if not weight.requires_grad or (
                goes_on and name.startswith('head.fc.')
            ):
                yield name
        for name, _ in self.named_buffers():
            if name.endswith(('running_mean', 'running_var')) and not (
                name.startswith('head.')
            ):
                yield name

    def train(self, mode: bool = True) -> 'LinearProbeClassifier':
        """Set the mode of the head, and of batch norm if that moves."""
        super().train(mode)
        for part in (self.backbone, self.neck):
            for module in part.modules() if part is not None else ():
                moves = isinstance(module, _BatchNorm)
                if not (self.moving_statistics and moves):
                    module.training = False
        return self
