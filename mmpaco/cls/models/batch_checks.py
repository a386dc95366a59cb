"""Checks of a classification batch, its loss, and what is right in it."""

from collections.abc import Sequence
from typing import Any

import torch
from mmpretrain.evaluation.metrics import Accuracy
from mmpretrain.models.heads import ClsHead
from mmpretrain.structures import DataSample
from torch import Tensor


def sample_labels(data_samples: Sequence[DataSample]) -> Tensor:
    """Join the labels of data samples.

    Args:
        data_samples (Sequence[DataSample]): N data samples.

    Returns:
        Tensor: Labels of shape (N, ).

    Raises:
        ValueError: If a sample has not exactly one class.
    """
    for sample in data_samples:
        label = sample.get('gt_label')
        count = label.numel() if isinstance(label, Tensor) else 0
        if count != 1:
            raise ValueError(
                'the loss needs one class for each image, but gt_label of a '
                f'{type(sample).__name__} has {count}; use a dataset of one '
                'label each, and no set of several labels or tasks'
            )
    return torch.cat([sample.gt_label for sample in data_samples])


def check_pooled(pre_logits: Tensor, in_channels: int) -> None:
    """Check that the features of a batch are pooled.

    Args:
        pre_logits (Tensor): Features, of shape (N, in_channels).
        in_channels (int): Size of the features that is expected.

    Raises:
        ValueError: If they are not.
    """
    if pre_logits.shape[1:] != (in_channels,):
        raise ValueError(
            f'expected pooled features of shape (N, {in_channels}) '
            f'(in_channels), but got {tuple(pre_logits.shape)}; add '
            "neck=dict(type='GlobalAveragePooling'), or set in_channels"
        )


def batch_labels(
    pre_logits: Tensor, data_samples: Sequence[DataSample]
) -> Tensor:
    """Give the class of each image of a batch.

    Args:
        pre_logits (Tensor): Features of shape (N, D).
        data_samples (Sequence[DataSample]): The N data samples.

    Returns:
        Tensor: Labels of shape (N, ).

    Raises:
        ValueError: If an image has not exactly one class.
    """
    if 'gt_score' in data_samples[0]:
        raise ValueError(
            'the loss needs one class for each image, but the data '
            'samples have gt_score; remove batch_augments and to_onehot '
            'from the data preprocessor'
        )
    labels = sample_labels(data_samples)
    if labels.shape != pre_logits.shape[:1]:
        raise ValueError(
            f'got {len(pre_logits)} features for '
            f'{len(labels)} labels; expected one class for '
            'each image of the batch'
        )
    return labels


def count_images(data_samples: Sequence[DataSample], num_views: int) -> int:
    """Count the images of a batch of views, view-major.

    Args:
        data_samples (Sequence[DataSample]): The samples of the batch.
        num_views (int): Views of each image.

    Returns:
        int: The number of images.

    Raises:
        ValueError: If the batch is not made of views of the same images.
    """
    num_rows = len(data_samples)
    per_view, rest = divmod(num_rows, num_views)
    # The preprocessor repeats the very objects, which costs nothing to
    # check, where equal labels would have to be read from the device.
    if rest or any(
        sample is not data_samples[i % per_view]
        for i, sample in enumerate(data_samples)
    ):
        raise ValueError(
            f'expected {num_views} views of each image, view-major, '
            f'but got a batch of {num_rows} other images; use '
            "data_preprocessor=dict(type='mmpaco."
            f"MultiViewDataPreprocessor', num_views={num_views}) "
            'and the MultiView transform, or set num_views=1'
        )
    return per_view


def accuracies(
    scores: Tensor, labels: Tensor, topk: Sequence[int]
) -> dict[str, Tensor]:
    """Give the accuracies of a batch as mmpretrain's heads name them.

    Args:
        scores (Tensor): Of shape (N, C). They need be no probabilities: a
            right class below zero is right, too.
        labels (Tensor): Class indices of shape (N, ).
        topk (Sequence[int]): The ranks up to which a class is found.

    Returns:
        dict[str, Tensor]: ``accuracy_top-K`` for each.
    """
    found = Accuracy.calculate(scores, labels, topk=topk, thrs=(None,))
    return {f'accuracy_top-{k}': value for k, (value,) in zip(topk, found)}


def loss_of_several(
    head: ClsHead,
    scores: Tensor,
    output: Tensor,
    data_samples: Sequence[DataSample],
    **kwargs: Any,
) -> dict[str, Tensor]:
    """Compute the loss of several scores of each image.

    Args:
        head (ClsHead): The head, whose loss takes scores (E, N, C).
        scores (Tensor): Those of E branches or experts, (E, N, C).
        output (Tensor): What the head makes of them, of shape (N, C).
        data_samples (Sequence[DataSample]): The N data samples.
        **kwargs: Other arguments of the loss.

    Returns:
        dict[str, Tensor]: ``loss``, and the accuracies of the output if the
        head has ``cal_acc``.

    Raises:
        ValueError: If an image has not exactly one class.
    """
    labels = batch_labels(output, data_samples)
    loss = head.loss_module(scores, labels, avg_factor=len(labels), **kwargs)
    losses = dict(loss=loss)
    if head.cal_acc:
        losses.update(accuracies(output, labels, head.topk))
    return losses
