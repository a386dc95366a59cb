"""Label maps: whether they are right, and smaller ones."""

from collections.abc import Sequence
from typing import Any, Optional

import torch
from mmseg.utils import SampleList
from torch import Tensor

from mmpaco.losses import check_labels


def check_label_maps(
    data_samples: SampleList,
    num_classes: int,
    ignore_index: Optional[int],
    image_size: Optional[Sequence[int]] = None,
) -> None:
    """Check that label maps fit their images and the classes.

    Values are read on the host alone, since a device would be waited for;
    there, indexing stops at labels that are out of range.

    Args:
        data_samples (list[SegDataSample]): The data samples.
        num_classes (int): The class count C.
        ignore_index (int, optional): The label that is ignored.
        image_size (Sequence[int], optional): Height and width of the images.
            Defaults to what the data preprocessor noted in the data samples,
            if it did.

    Raises:
        TypeError: If the labels are not integers.
        ValueError: If a label map is larger or smaller than its image, or a
            label is not a class and is not the ignore label.
    """
    for sample in data_samples:
        labels = sample.gt_sem_seg.data
        size = image_size or _padded_size(sample.metainfo)
        expected = labels.shape[-2:] if size is None else tuple(size)
        if labels.shape != (1, *expected):
            raise ValueError(
                f'the label map of an image of {expected[0]} x '
                f'{expected[1]} must have shape {(1, *expected)}, but got '
                f'{tuple(labels.shape)}{_path(sample.metainfo)}; the '
                'transforms of the pipeline must change image and labels '
                'alike'
            )
        if labels.is_cpu:
            try:
                check_labels(labels, num_classes, ignore_index)
            except (TypeError, ValueError) as error:
                raise type(error)(
                    f'label map{_path(sample.metainfo)}: {error}'
                ) from error


def nearest_labels(labels: Tensor, size: Sequence[int]) -> Tensor:
    """Scale label maps to the size of a feature map.

    Position i of h takes the label at ``floor(i * H / h)``, the first of the
    pixels it stands for, like PyTorch's 'nearest' and unlike its
    'nearest-exact'. The papers' figures were made so.

    Args:
        labels (Tensor): Labels of shape (B, H, W).
        size (Sequence[int]): Height h and width w.

    Returns:
        Tensor: Labels of shape (B, h, w).
    """
    rows, columns = (
        torch.arange(new, device=labels.device) * old // new
        for old, new in zip(labels.shape[-2:], size)
    )
    return labels[:, rows[:, None], columns]


def _padded_size(metainfo: dict[str, Any]) -> Optional[tuple[int, int]]:
    """Size of an image of the batch, from the notes of mmseg's stack_batch."""
    if 'img_shape' not in metainfo or 'padding_size' not in metainfo:
        return None
    height, width = metainfo['img_shape'][:2]
    left, right, top, bottom = metainfo['padding_size']
    return height + top + bottom, width + left + right


def _path(metainfo: dict[str, Any]) -> str:
    path = metainfo.get('seg_map_path')
    return f' from {path}' if path else ''
