"""Several views of each image in one batch."""

from typing import Any, Optional

import torch
from mmpretrain.models import ClsDataPreprocessor

from mmpaco.losses import check_labels
from mmpaco.registry import MODELS

from .batch_checks import sample_labels


@MODELS.register_module()
class MultiViewDataPreprocessor(ClsDataPreprocessor):
    """Make one batch of the views that mmpretrain's ``MultiView`` gives.

    In training the batch is view-major: first view 1 of all images, then
    view 2 of all images, and so on; the data samples are repeated in that
    order. The two images of a pair (``mmpaco.PairedDataset``) are such views,
    too, with data samples of their own. In test it does what
    ``ClsDataPreprocessor`` does, but joins the views of a training batch that
    is used there (``PreciseBNHook``). Labels are checked here, while they are
    on the host.

    Args:
        num_views (int): Views of each image in training. Defaults to 2.
        num_classes (int, optional): The class count, to check labels with.
        **kwargs: Other arguments of ``ClsDataPreprocessor``, without
            ``batch_augments``.

    Raises:
        ValueError: If ``num_views`` is not positive or batch augmentations
            are asked for, which mix labels.

    Example:
        >>> import torch
        >>> from mmpretrain.structures import DataSample
        >>> from mmpaco.registry import MODELS
        >>> preprocessor = MODELS.build(
        ...     dict(type='mmpaco.MultiViewDataPreprocessor', num_classes=10))
        >>> views = [torch.rand(3, 3, 32, 32), torch.rand(3, 3, 32, 32)]
        >>> samples = [DataSample().set_gt_label(label) for label in (7, 1, 4)]
        >>> data = dict(inputs=views, data_samples=samples)
        >>> batch = preprocessor(data, training=True)
        >>> batch['inputs'].shape
        torch.Size([6, 3, 32, 32])
        >>> [int(sample.gt_label) for sample in batch['data_samples']]
        [7, 1, 4, 7, 1, 4]
    """

    # What mmpretrain's sets, and a joined batch does without for a while.
    to_rgb: bool
    _enable_normalize: bool

    def __init__(
        self,
        num_views: int = 2,
        num_classes: Optional[int] = None,
        **kwargs: Any,
    ) -> None:
        if num_views < 1:
            raise ValueError(
                f'num_views must be positive, but got {num_views}'
            )
        if kwargs.get('batch_augments'):
            raise ValueError(
                'views and pairs need one class for each image, so '
                'batch_augments (Mixup, CutMix) cannot be used; remove them'
            )
        super().__init__(num_classes=num_classes, **kwargs)
        self.num_views = num_views

    def forward(
        self, data: dict[str, Any], training: bool = False
    ) -> dict[str, Any]:
        """Normalise a batch, and in training join its views.

        Args:
            data (dict): A collated batch. In training its ``inputs`` are the
                views, each of shape (N, C, H, W) or a list of N images.
            training (bool): Whether it is a training batch.

        Returns:
            dict: ``inputs`` of shape (num_views * N, C, H, W) and
            ``data_samples``.

        Raises:
            ValueError: If the batch does not have the views, or has them in
                validation or test, an image has not one class, or a label is
                out of range.
        """
        batch: dict[str, Any]
        inputs, samples = data['inputs'], data.get('data_samples')
        if not training and not _are_views(inputs):
            batch = super().forward(data, training)
            return batch
        if not training and not self.training:
            raise ValueError(
                f'the batch has {len(inputs)} views of each image, but the '
                'model is not being trained; remove MultiView from the '
                'pipelines of validation and test'
            )
        if samples is not None:
            has_own = isinstance(samples[0], (list, tuple))
            views = samples if has_own else [samples] * self.num_views
            samples = [sample for view in views for sample in view]
            check_labels(sample_labels(samples), self.num_classes)
        if self.num_views > 1 or _are_views(inputs):
            inputs = self._join_views(inputs)
        batch = super().forward(
            dict(inputs=inputs, data_samples=samples), training
        )
        return batch

    def _join_views(self, inputs: Any) -> Any:
        """Join what either collate function gives: one item for each view."""
        num_views = len(inputs) if _are_views(inputs) else 1
        if num_views != self.num_views:
            raise ValueError(
                f'expected {self.num_views} views of each image, but the '
                f'batch has {num_views}; set num_views={self.num_views} in '
                'MultiView of train_dataloader.dataset.pipeline, or '
                f'num_views={num_views} in the data preprocessor and the '
                'head; for pairs (mmpaco.PairedDataset), the sampler '
                'mmpaco.PairSampler'
            )
        images = [image for view in inputs for image in view]
        if any(getattr(image, 'ndim', None) != 3 for image in images):
            raise ValueError(
                'the images of pairs (mmpaco.PairedDataset) must be single '
                'ones, but each has views; give their pipeline without '
                'MultiView'
            )
        sizes = {tuple(image.shape) for image in images}
        if len(sizes) > 1:
            raise ValueError(
                'the images of a batch must have one size, but got '
                f'{sorted(sizes)}; let each view of MultiView end with the '
                'same crop or resize'
            )
        if isinstance(inputs[0], torch.Tensor):
            return torch.cat(tuple(inputs))
        return images


def _are_views(inputs: Any) -> bool:
    """Whether a collated batch is a list of views, and not of images."""
    return not isinstance(inputs, torch.Tensor) and all(
        not isinstance(view, torch.Tensor) or view.dim() == 4
        for view in inputs
    )
