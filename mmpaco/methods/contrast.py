"""How long the queue and how strong the contrast of a classifier."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from mmengine.config import Config

from mmpaco.contrast_strength import IMAGES, class_strength

from .base import Facts, Options

__all__ = ['Contrast', 'contrast_of', 'is_balanced']

_QUEUE = 8192
_ALPHA = 0.05
# alpha x K of the head class.
_WANTED = IMAGES.aims[0]
# Full ImageNet, where the papers use no prior, has 732 to 1300 images.
_BALANCED = 2.0


class Contrast(NamedTuple):
    """Values for a contrastive loss, and why.

    Args:
        queue_length (int): Rows of the queue.
        alpha (float): Weight of a positive.
        queue_decision (str): Why the queue is so long.
        alpha_decision (str): Why alpha is what it is.
        comment (str): The same, in a line.
    """

    queue_length: int
    alpha: float
    queue_decision: str
    alpha_decision: str
    comment: str


def is_balanced(facts: Facts) -> Optional[bool]:
    """Tell whether classes have about as many images; None if unknown."""
    if facts.class_counts is None:
        return None
    counts = [count for count in facts.class_counts if count > 0]
    return max(counts) < _BALANCED * min(counts)


def contrast_of(cfg: Config, facts: Facts, options: Options) -> Contrast:
    """Choose queue and alpha for two views.

    K of the head class is its share of the queue and of both views of the
    batch but one row.

    Args:
        cfg (Config): The config, for its batch.
        facts (Facts): What is known of the data.
        options (Options): With ``alpha`` and ``queue_length`` if given.

    Returns:
        Contrast: The values. Where the counts are unknown, those that the
        papers have for ImageNet-LT.
    """
    queue, why = _queue(facts, options.given.get('queue_length'))
    loader: Any = cfg.get('train_dataloader') or {}
    batch = options.given.get(
        'train_dataloader.batch_size', loader.get('batch_size')
    )
    rows = queue + 2 * (batch or 1) - 1
    given = options.given.get('alpha')
    if facts.class_counts is None:
        if given is not None:
            told = f'alpha is {given}, as given.'
            return Contrast(queue, given, why, told, told)
        return Contrast(
            queue,
            _ALPHA,
            why,
            f"alpha is {_ALPHA}, the papers' for ImageNet-LT, since the class "
            f'counts are unknown: {facts.why_unknown}. With few classes it '
            'is too strong; run this again where the data are.',
            "alpha is the papers' for ImageNet-LT: the class counts were not "
            'known.',
        )
    counts = facts.class_counts
    share = max(counts) / sum(counts)
    alpha = float(f'{_WANTED / class_strength(1, share, rows).positives:.2g}')
    chosen = alpha if given is None else given
    strength = class_strength(chosen, share, rows)
    figures = (
        f'the head class has {max(counts):g} of {sum(counts):g} images, so '
        f'of queue {queue} + 2 views x batch {batch or "unknown"} - 1 rows K '
        f'= {strength.positives:.3g} are its own'
    )
    if given is None:
        decision = (
            f'alpha is {alpha} so that alpha x K of the head class is '
            f'{_WANTED}: {figures}. The batch is that of one GPU.'
        )
    else:
        decision = (
            f'alpha is {given}, as given; alpha x K of the head class is '
            f'{strength.alpha_k:.3g}: {figures}.'
        )
    return Contrast(
        queue,
        chosen,
        why,
        decision,
        f'alpha x K of the head class, {max(counts):g} of {sum(counts):g} '
        f'images, is {strength.alpha_k:.2g}.',
    )


def _queue(facts: Facts, given: Optional[int]) -> tuple[int, str]:
    if given is not None:
        return given, f'The queue holds {given} rows, as given.'
    if facts.num_samples is None or facts.num_samples >= _QUEUE:
        return _QUEUE, f"The queue holds {_QUEUE} rows, the papers'."
    return facts.num_samples, (
        f'The queue holds {facts.num_samples} rows and not {_QUEUE}, since '
        'there are no more training images.'
    )
