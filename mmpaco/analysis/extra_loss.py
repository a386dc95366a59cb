"""Where contrast pulls the probability of the right center.

Parametric Contrastive Learning, Cui et al., ICCV 2021, section 3; TPAMI 2023,
section 3.4, equation 6 and figure 3 (b).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from mmengine.registry import MODELS

from mmpaco.contrast_strength import class_strength, optimal_probability
from mmpaco.files import PathLike
from mmpaco.runner.config_files import ConfigLike, read_config
from mmpaco.runner.loaded_runner import training_counts

from .pictures import COLOURS, legend, new_figure, save

__all__ = [
    'ClassStrength',
    'class_strengths',
    'extra_loss',
    'plot_extra_loss',
]


def extra_loss(probability: Any, alpha_k: float) -> Any:
    """Compute ``L_extra(P) = -log P - alpha K log(1 - P)``.

    Args:
        probability (float | np.ndarray): P, the probability of the right
            center, in (0, 1).
        alpha_k (float): alpha times the positives K of an anchor.

    Returns:
        float | np.ndarray: The loss, in nats.

    Raises:
        ValueError: If ``probability`` is outside of (0, 1) or ``alpha_k`` is
            negative.
    """
    probability = np.asarray(probability, dtype=float)
    if not ((probability > 0) & (probability < 1)).all():
        raise ValueError(
            'probability must lie between 0 and 1, without them, but got '
            f'{probability.min()} to {probability.max()}'
        )
    optimal_probability(alpha_k)
    return -np.log(probability) - alpha_k * np.log1p(-probability)


class ClassStrength(NamedTuple):
    """How strong contrast is for a class.

    Args:
        name: Which class.
        images: Its training images.
        positives: K, the positives of an anchor of the class.
        alpha_k: alpha times K.
    """

    name: str
    images: int
    positives: float
    alpha_k: float


def class_strengths(config: ConfigLike) -> list[ClassStrength]:
    """Tell how strong contrast is in a config, from head to tail.

    K = q (queue + views x batch - 1), where q is the share of the class in
    the training set and batch that of one process (TPAMI 2023, section 3.4).
    A config with ``gather=True`` has more.

    Args:
        config (str | PathLike | Config): A config with a
            ``mmpaco.GPaCoHead``.

    Returns:
        list[ClassStrength]: The most frequent, the median and the rarest
        class.

    Raises:
        TypeError: If the config is not one of mmpretrain.
        ValueError: If the head is another, or there is no training set.
    """
    cfg = read_config(config, 'mmpretrain', ('model.head', 'train_dataloader'))
    head = MODELS.build(cfg.model.head)
    alpha = getattr(getattr(head, 'loss_module', None), 'alpha', None)
    if alpha is None:
        raise ValueError(
            'expected a config whose head is mmpaco.GPaCoHead with '
            f"loss=dict(type='mmpaco.PaCoLoss', ...), but got "
            f'{type(head).__name__}'
        )
    contrasts = head.num_views * cfg.train_dataloader.batch_size - 1
    if head.queue is not None:
        contrasts += head.queue.length
    counts = np.sort(training_counts(cfg))[::-1]
    shares = counts / counts.sum()
    found = []
    for name, i in (
        ('most frequent', 0),
        ('median', len(counts) // 2),
        ('rarest', -1),
    ):
        strength = class_strength(alpha, float(shares[i]), contrasts)
        found.append(
            ClassStrength(
                name, int(counts[i]), strength.positives, strength.alpha_k
            )
        )
    return found


def plot_extra_loss(alpha_ks: Mapping[str, float], path: PathLike) -> None:
    """Draw the loss against the probability, and its minimum.

    Args:
        alpha_ks: alpha K for each name of the legend.
        path: PNG to write.
    """
    figure, ax = new_figure()
    x = np.linspace(0.001, 0.999, 999)
    for i, (name, alpha_k) in enumerate(alpha_ks.items()):
        colour = COLOURS[i % len(COLOURS)]
        best = optimal_probability(alpha_k)
        label = f'{name}, minimum at {best:.2f}'
        ax.plot(x, extra_loss(x, alpha_k), color=colour, label=label)
        if best < 1:
            ax.plot(best, extra_loss(best, alpha_k), 'o', color=colour)
    ax.set_ylim(0, 6)
    ax.set_xlim(0, 1)
    ax.set_xlabel('probability P of the right center')
    ax.set_ylabel(r'$L_{extra} = -\log\,P - \alpha K\,\log(1 - P)$')
    legend(figure, ax)
    save(figure, path)
