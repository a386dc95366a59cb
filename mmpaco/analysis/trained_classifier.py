"""A trained classifier, and what it says of a config's images."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Optional

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner
from mmpretrain.models import ImageClassifier
from mmpretrain.models.heads import LinearClsHead
from torch import Tensor

from mmpaco.engine.class_accuracy import count_predictions
from mmpaco.files import PathLike
from mmpaco.registry import MODELS
from mmpaco.runner.checkpoint import load_checkpoint
from mmpaco.runner.loaded_runner import TRAINING_ONLY, fit_weights


def load_classifier(
    cfg: Config,
    checkpoint: PathLike,
    trust: bool = False,
    content: Optional[Mapping[str, Any]] = None,
    linear: bool = False,
) -> ImageClassifier:
    """Build the model of a config with the weights of a checkpoint.

    Args:
        cfg (Config): A config of mmpretrain.
        checkpoint (str | Path): What it has trained.
        trust (bool): Whether to read a checkpoint that may run code.
            Defaults to False.
        content (Mapping, optional): What is in the checkpoint, if it has
            been read. Defaults to None.
        linear (bool): Whether the head must be a ``LinearClsHead``, such as
            ``mmpaco.GPaCoHead``. Defaults to False.

    Returns:
        ImageClassifier: The model, to be tested.

    Raises:
        TypeError: If the head must be a ``LinearClsHead`` and is none.
        ValueError: If the checkpoint is unsafe or not of this model.
    """
    model_cfg = copy.deepcopy(cfg.model)
    if cfg.get('data_preprocessor') is not None:
        # As mmengine's runner does.
        model_cfg.setdefault('data_preprocessor', cfg.data_preprocessor)
    model = MODELS.build(model_cfg)
    head = getattr(model, 'head', None)
    if linear and not isinstance(head, LinearClsHead):
        raise TypeError(
            'expected a LinearClsHead, whose classifier is one linear layer, '
            f'but the config has {type(head).__name__}'
        )
    if content is None:
        content = load_checkpoint(checkpoint, trust)
    fit_weights(model, content, checkpoint, TRAINING_ONLY)
    return model.to(get_device()).eval()


@torch.no_grad()
def features_and_labels(
    model: ImageClassifier, cfg: Config, split: str
) -> tuple[Tensor, np.ndarray]:
    """Read the images of a split.

    Args:
        model (ImageClassifier): From :func:`load_classifier`, with a
            ``LinearClsHead``.
        cfg (Config): Its config.
        split (str): 'val' or 'test'.

    Returns:
        tuple[Tensor, np.ndarray]: What the classifier sees of each image, in
        float32 of shape (N, D), and the labels, of shape (N, ).

    Raises:
        ValueError: If the config has no such split.
    """
    features, labels = [], []
    for batch in _loader(cfg, split):
        data = model.data_preprocessor(batch, False)
        features.append(
            model.head.pre_logits(model.extract_feat(data['inputs'])).float()
        )
        labels += [int(sample.gt_label) for sample in data['data_samples']]
    return torch.cat(features), np.asarray(labels)


@torch.no_grad()
def scores_and_labels(
    model: ImageClassifier, cfg: Config, split: str
) -> tuple[Tensor, np.ndarray]:
    """Classify the images of a split.

    Args:
        model (ImageClassifier): From :func:`load_classifier`.
        cfg (Config): Its config.
        split (str): 'val' or 'test'.

    Returns:
        tuple[Tensor, np.ndarray]: The log of the probability of each class,
        in float64 of shape (N, C), and the labels, of shape (N, ).

    Raises:
        TypeError: If the model does not score each class.
        ValueError: If the config has no such split.
    """
    scores, labels = [], []
    for batch in _loader(cfg, split):
        for sample in model.test_step(batch):
            if 'pred_score' not in sample:
                raise TypeError(
                    f'{type(model).__name__} predicts no score for each '
                    'class; give the config of a classifier'
                )
            scores.append(sample.pred_score.double().log())
            labels.append(int(sample.gt_label))
    return torch.stack(scores), np.asarray(labels)


def _loader(cfg: Config, split: str) -> Iterable[Any]:
    loader = cfg.get(f'{split}_dataloader')
    if loader is None:
        raise ValueError(
            f'the images of the split {split!r} are needed, but the config '
            f'has no {split}_dataloader; add one'
        )
    batches: Iterable[Any] = Runner.build_dataloader(loader)
    return batches


def balanced_accuracy(scores: Tensor, labels: np.ndarray) -> float:
    """Average the accuracy over the classes that have an image.

    Args:
        scores (Tensor): Of shape (N, C).
        labels (np.ndarray): Of shape (N, ).

    Returns:
        float: The accuracy in percent.
    """
    predicted = scores.argmax(1).cpu().numpy()
    counts = count_predictions(labels, predicted, scores.shape[1])
    return float(np.nanmean(counts.accuracy))
