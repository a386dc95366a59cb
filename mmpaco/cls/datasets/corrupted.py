"""A test set of any classifier, under every corruption."""

from collections.abc import Sequence
from typing import Any, Optional

import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmpaco.cls.corruptions import (
    SEVERITIES,
    chosen_corruptions,
    chosen_severities,
)
from mmpaco.registry import DATASETS

from .corrupt import Corrupt

__all__ = ['CorruptedDataset']


@DATASETS.register_module()
class CorruptedDataset(Dataset[Any]):
    """Every image of a dataset under every corruption, in one pass.

    The images are corrupted behind the pipeline, as the network sees them
    before they are normalised. The data sample of each has ``corruption`` and
    ``severity``, by which ``mmpaco.CorruptionError`` measures.

    Args:
        dataset (dict | Dataset): A dataset of mmpretrain, or a wrapper of
            one, whose pipeline ends in ``PackInputs``, or its config.
        corruptions (Sequence[str], optional): Which of the 15. Defaults to
            all.
        severities (Sequence[int]): Which. Defaults to 1 to 5.
        seed (int): Of what is random. Defaults to 0.
        channel_order (str): That of the images behind the pipeline, as in
            :class:`Corrupt`. Defaults to ``'bgr'``.

    Raises:
        ImportError: If imagecorruptions-imaug is not installed.
        ValueError: If an argument is unknown.

    Example:
        >>> import numpy as np
        >>> from mmengine.dataset import BaseDataset
        >>> from mmpaco.registry import DATASETS
        >>> class Grey(BaseDataset):
        ...     def load_data_list(self):
        ...         image = np.full((32, 32), 90, np.uint8)
        ...         return [dict(img=image, gt_label=i) for i in range(2)]
        >>> grey = Grey(pipeline=[dict(type='mmpretrain.PackInputs')])
        >>> dataset = DATASETS.build(dict(
        ...     type='mmpaco.CorruptedDataset', dataset=grey,
        ...     corruptions=['fog', 'brightness']))
        >>> last = dataset[19]['data_samples']
        >>> len(dataset), int(last.gt_label), last.corruption, last.severity
        (20, 1, 'brightness', 5)
    """

    def __init__(
        self,
        dataset: Any,
        corruptions: Optional[Sequence[str]] = None,
        severities: Sequence[int] = SEVERITIES,
        seed: int = 0,
        channel_order: str = 'bgr',
    ) -> None:
        self.steps = [
            Corrupt(corruption, severity, seed, channel_order)
            for corruption in chosen_corruptions(corruptions)
            for severity in chosen_severities(severities)
        ]
        self.dataset = (
            DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        )

    @property
    def metainfo(self) -> Any:
        """Meta information of the dataset."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Read the dataset."""
        self.dataset.full_init()

    def __len__(self) -> int:
        return len(self.steps) * len(self.dataset)

    def __getitem__(self, idx: int) -> Any:
        which, index = divmod(idx, len(self.dataset))
        if not 0 <= which < len(self.steps):
            raise IndexError(f'{idx} is not in [0, {len(self)})')
        step, data = self.steps[which], self.dataset[index]
        image = data.get('inputs') if isinstance(data, dict) else None
        if not isinstance(image, Tensor) or image.dim() != 3:
            raise TypeError(
                'expected a pipeline that ends in PackInputs and packs one '
                'image of shape (C, H, W), but it gives '
                f'{getattr(image, "shape", type(image).__name__)}'
            )
        results = step(dict(img=image.permute(1, 2, 0).numpy()))
        changed = torch.from_numpy(results['img']).permute(2, 0, 1)
        sample = data['data_samples']
        sample.set_metainfo(
            {key: results[key] for key in ('corruption', 'severity')}
        )
        return {**data, 'inputs': changed.contiguous()}
