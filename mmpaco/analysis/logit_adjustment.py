"""Class scores shifted by the log prior, after training.

Long-tail learning via logit adjustment, Menon et al., ICLR 2021,
https://arxiv.org/abs/2007.07314 (post-hoc, section 4.1)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mmpaco.files import PathLike
from mmpaco.losses import log_class_prior
from mmpaco.runner.config_files import ConfigLike, read_config
from mmpaco.runner.loaded_runner import training_counts

from .trained_classifier import (
    balanced_accuracy,
    load_classifier,
    scores_and_labels,
)

# 0 is the classifier as trained; 1 suits one trained by plain cross-entropy.
STRENGTHS = tuple(round(0.1 * i, 1) for i in range(-10, 16))


@dataclass(frozen=True)
class Adjustment:
    """What :func:`best_adjustment` found.

    Args:
        strength (float): The strength that was chosen.
        validation (dict[float, float]): Balanced accuracy on the validation
            set in percent, by strength.
        test (float): That on the test set, of the chosen strength.
    """

    strength: float
    validation: dict[float, float]
    test: float


@torch.no_grad()
def best_adjustment(
    config: ConfigLike,
    checkpoint: PathLike,
    strengths: Sequence[float] = STRENGTHS,
    trust: bool = False,
) -> Adjustment:
    """Test a classifier with the best balance of frequent and rare classes.

    From the score of each class a multiple of its log prior is subtracted:
    the more, the more often rare classes are predicted. The multiple, the
    strength, is the one of the best balanced accuracy on the config's
    validation set; of several, the one closest to 0. Two methods that differ
    before and not after it have features that are as good, and differ only
    in how they share out accuracy among frequent and rare classes.

    Args:
        config (str | Path | Config): A config of mmpretrain that trains a
            classifier of one class for each image.
        checkpoint (str | Path): What it has trained.
        strengths (Sequence[float]): Those to try. Defaults to -1, -0.9, ...
            1.5.
        trust (bool): Whether to read a checkpoint that may run code.
            Defaults to False.

    Returns:
        Adjustment: The strength, and what it reaches.

    Raises:
        TypeError: If the config is not one of mmpretrain, or its model does
            not score each class.
        ValueError: If the checkpoint is unsafe or not of this model, there
            is no validation or test set, or no strength.
    """
    if not strengths:
        raise ValueError('strengths must be one or more numbers, but are none')
    cfg = read_config(config, 'mmpretrain', ('model',))
    model = load_classifier(cfg, checkpoint, trust)
    log_prior = log_class_prior(torch.as_tensor(training_counts(cfg)))

    def accuracies(split: str, tried: Sequence[float]) -> dict[float, float]:
        scores, labels = scores_and_labels(model, cfg, split)
        shift = log_prior.to(scores)
        return {
            float(s): balanced_accuracy(scores - s * shift, labels)
            for s in tried
        }

    validation = accuracies('val', strengths)
    best = max(validation, key=lambda s: (validation[s], -abs(s)))
    return Adjustment(best, validation, accuracies('test', [best])[best])
