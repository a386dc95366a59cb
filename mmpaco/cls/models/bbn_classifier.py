"""A classifier of two branches, for plain and for rare images.

BBN: Bilateral-Branch Network with Cumulative Learning for Long-Tailed Visual
Recognition, Zhou et al., CVPR 2020, https://arxiv.org/abs/1912.02413
"""

from typing import Any, Optional

import torch
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor

from mmpaco.registry import MODELS

from .data_preprocessor import MultiViewDataPreprocessor
from .expert_stages import MultiExpertBase


@MODELS.register_module()
class BBNClassifier(ImageClassifier):
    r"""``ImageClassifier`` that trains two branches on pairs of images.

    Branch 1 sees an image a as it comes, and branch 2 one b of a class that is
    drawn the more often the rarer it is, one batch after the other through
    what they share. In epoch t from 0, of E,

    .. math::
        l = 1 - (t / E)^2, \quad z = W \cdot 2 [l f_a; (1 - l) f_b] + w_0,
        \quad L = l \ell(z, y_a) + (1 - l) \ell(z, y_b)

    with the loss of the head. At test both branches see the image, and
    :math:`z = W [f_1; f_2] + w_0`: neck, head, metrics and tools are those of
    any classifier. The pairs are of ``mmpaco.PairedDataset`` with
    ``mmpaco.PairSampler``, and ``mmpaco.BBNProgressHook`` tells the progress.

    Args:
        backbone (dict): Config of a ``mmpaco.MultiExpertResNet``, or one of
            the other networks of experts, with ``num_experts=2`` and
            ``joined=True``; ``own_blocks=1`` as in the paper.
        neck (dict, optional): Config of the neck, which pools the map.
        head (dict, optional): Config of any head, of twice the channels, whose
            loss keeps no features of the batch: two are computed of each.
        data_preprocessor (dict, optional): Config of a
            ``mmpaco.MultiViewDataPreprocessor``, the type that it has if none
            is given.
        **kwargs: Other arguments of ``ImageClassifier``.

    Raises:
        ValueError: If the backbone has not two branches that are joined, the
            data preprocessor takes no pairs, or the head keeps features.

    Example:
        >>> import torch
        >>> from mmpaco.registry import MODELS
        >>> from mmpretrain.structures import DataSample
        >>> model = MODELS.build(
        ...     dict(
        ...         type='mmpaco.BBNClassifier',
        ...         backbone=dict(
        ...             type='mmpaco.MultiExpertCIFARResNet',
        ...             num_experts=2,
        ...             own_blocks=1,
        ...             joined=True,
        ...         ),
        ...         neck=dict(type='mmpretrain.GlobalAveragePooling'),
        ...         head=dict(
        ...             type='mmpretrain.LinearClsHead',
        ...             num_classes=3,
        ...             in_channels=128,
        ...         ),
        ...     )
        ... )
        >>> model.set_progress(0.5)  # as the hook does
        >>> pairs = torch.randn(4, 3, 32, 32)  # two plain, two rare ones
        >>> samples = [DataSample().set_gt_label(i) for i in (0, 0, 2, 1)]
        >>> model(pairs, samples, mode='loss')['loss'].backward()
        >>> model(pairs).shape
        torch.Size([4, 3])
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: Optional[dict[str, Any]] = None,
        head: Optional[dict[str, Any]] = None,
        data_preprocessor: Optional[dict[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            backbone=backbone,
            neck=neck,
            head=head,
            data_preprocessor={
                'type': 'mmpaco.MultiViewDataPreprocessor',
                **(data_preprocessor or {}),
            },
            **kwargs,
        )
        net, prep = self.backbone, self.data_preprocessor
        if (
            not isinstance(net, MultiExpertBase)
            or net.num_experts != 2
            or not net.joined
        ):
            raise ValueError(
                'BBNClassifier needs a backbone of two branches: '
                "dict(type='mmpaco.MultiExpertResNet', num_experts=2, "
                'own_blocks=1, joined=True), or another network of experts, '
                f'but got {type(net).__name__} with num_experts='
                f'{getattr(net, "num_experts", 1)} and joined='
                f'{getattr(net, "joined", False)}'
            )
        if (
            not isinstance(prep, MultiViewDataPreprocessor)
            or prep.num_views != 2
        ):
            raise ValueError(
                'BBNClassifier takes pairs of images: set data_preprocessor='
                "dict(type='mmpaco.MultiViewDataPreprocessor', num_views=2), "
                f'but got {type(prep).__name__}'
            )
        parts = self.head.modules() if self.with_head else ()
        if any(hasattr(part, 'take_staged') for part in parts):
            raise ValueError(
                'BBNClassifier computes two losses of the features of a '
                f'batch, and {type(self.head).__name__} would keep them twice '
                'for its queue or mean; use a head without, such as '
                'LinearClsHead'
            )
        self.progress: Optional[float] = None

    def set_progress(self, progress: float) -> None:
        """Tell how much of the training has gone.

        ``mmpaco.BBNProgressHook`` calls it; a loop of your own does before
        each epoch.

        Args:
            progress (float): t / E, from 0 to 1.

        Raises:
            ValueError: If it is outside of that.
        """
        if not 0 <= progress <= 1:
            raise ValueError(
                'progress is the share of the epochs that have gone, from 0 '
                f'to 1, but got {progress}'
            )
        self.progress = progress

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Compute the losses of a batch of pairs.

        Args:
            inputs (Tensor): Images of shape (2 N, C, H, W), first the N plain
                ones.
            data_samples (list[DataSample]): Their data samples.

        Returns:
            dict[str, Tensor]: The losses of the head, and what else it gives
            in training, of plain and of rare labels, mixed.

        Raises:
            RuntimeError: If the progress is not known.
            ValueError: If the batch is not one of pairs.
        """
        if self.progress is None:
            raise RuntimeError(
                'BBNClassifier does not know how much of the training has '
                "gone; add dict(type='mmpaco.BBNProgressHook') to "
                'custom_hooks, or in a loop of your own call set_progress '
                'before each epoch'
            )
        number = len(inputs) // 2
        plain, rare = data_samples[:number], data_samples[number:]
        # The preprocessor repeats the very samples of two views.
        if len(plain) != len(rare) or all(a is b for a, b in zip(plain, rare)):
            raise ValueError(
                'BBNClassifier needs pairs of images with a label each, but '
                f'got {len(inputs)} images, of {len(data_samples)} samples, '
                'that are none; wrap the training set in mmpaco.PairedDataset '
                'with the sampler mmpaco.PairSampler, and without MultiView'
            )
        share = 1 - self.progress**2
        # Each branch sees the images of its own.
        *_, joined = self.extract_feat(inputs.chunk(2))
        first, second = joined.chunk(2, 1)
        feats = (torch.cat([2 * share * first, 2 * (1 - share) * second], 1),)
        of_plain = self.head.loss(feats, plain)
        of_rare = self.head.loss(feats, rare)
        return {
            name: _mixed(share, value, of_rare[name])
            for name, value in of_plain.items()
        }


def _mixed(share: float, first: Any, second: Any) -> Any:
    """Mix what a head gives of two label sets: tensors, or lists of them."""
    if isinstance(first, Tensor):
        return share * first + (1 - share) * second
    return [_mixed(share, a, b) for a, b in zip(first, second)]
