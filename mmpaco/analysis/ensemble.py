"""Testing the sum of several classifiers' scores."""

from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

import torch
from mmengine.dist import get_world_size
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmpaco.files import PathLike
from mmpaco.runner.config_files import ConfigLike, read_config
from mmpaco.runner.loaded_runner import TRAINING_ONLY, loaded_runner

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ['Ensemble', 'ensemble_table', 'evaluate_ensemble']

_SHOTS = ('many', 'medium', 'few', 'all')


class _RecordHook(Hook):
    """Keeps the raw scores of a test, and whose they are."""

    def __init__(self, head: nn.Module) -> None:
        self.scores: list[Tensor] = []
        self.labels: list[Tensor] = []
        self.images: list[Optional[str]] = []
        self._last: Any = None
        head.register_forward_hook(self._note)

    def _note(
        self, head: nn.Module, inputs: tuple[Any, ...], output: Any
    ) -> None:
        self._last = output

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        scores, self._last = self._last, None
        if (
            not isinstance(scores, Tensor)
            or scores.dim() != 2
            or len(scores) != len(outputs)
        ):
            raise ValueError(
                f'{type(runner.model.head).__name__} gave no scores of shape '
                f'(N, C) for {len(outputs)} images, so that there is nothing '
                'to sum; an ensemble takes single-label classifiers without '
                'test-time augmentation'
            )
        self.scores.append(scores.float().cpu())
        for sample in outputs:
            self.labels.append(sample.gt_label.cpu().clone())
            path = sample.get('img_path')
            self.images.append(None if path is None else Path(path).name)


class Ensemble(NamedTuple):
    """What was measured of an ensemble.

    Args:
        metrics (dict[str, Any]): Of the sum.
        of_members (list[dict[str, Any]]): Of each classifier.
        samples (list[DataSample]): Of the sum, with ``pred_score`` and
            ``pred_label``.
    """

    metrics: dict[str, Any]
    of_members: list[dict[str, Any]]
    samples: list[DataSample]


def evaluate_ensemble(
    members: Sequence[tuple[ConfigLike, PathLike]],
    trust: bool = False,
) -> Ensemble:
    """Test classifiers by the sum of their logits.

    Each is tested by the loop of its own config, with its own pipeline; the
    evaluator of the first config measures each and the sum. The order of the
    test images must be the same in all configs.

    Generalized Parametric Contrastive Learning, Cui et al., TPAMI 2023,
    table 15.

    Args:
        members (Sequence[tuple]): Config (or its path) and checkpoint of
            each classifier.
        trust (bool): Whether to read checkpoints that could run code.
            Defaults to False.

    Returns:
        Ensemble: What was measured.

    Raises:
        TypeError: If a config is not one of mmpretrain.
        ValueError: If there is no member, or they differ in classes or test
            images.
        RuntimeError: If there are several processes.
    """
    if not members:
        raise ValueError(
            'an ensemble needs at least one config and checkpoint'
        )
    if get_world_size() > 1:
        raise RuntimeError(
            'an ensemble is tested in one process, but this is one of '
            f'{get_world_size()}; start it without a launcher'
        )
    first, evaluator = _test(*members[0], trust)
    total = torch.cat(first.scores)
    each = [_samples(total, first.labels)]
    for config, checkpoint in members[1:]:
        record, _ = _test(config, checkpoint, trust)
        scores = torch.cat(record.scores)
        _check_same(first, total, record, scores, checkpoint)
        each.append(_samples(scores, first.labels))
        total += scores
    samples = _samples(total, first.labels)
    return Ensemble(
        _measured(evaluator, samples),
        [_measured(evaluator, one) for one in each],
        samples,
    )


def ensemble_table(found: Ensemble, names: Sequence[str]) -> 'Table':
    """Make a table of an ensemble for a terminal.

    Args:
        found (Ensemble): From :func:`evaluate_ensemble`.
        names (Sequence[str]): Of the classifiers.

    Returns:
        A table to be printed by rich: a row for each classifier and for the
        sum; first the groups of classes of ``mmpaco.ShotAccuracy``. What is
        no number, as the accuracy of each class, is named below it.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shots = [f'shot/{name}' for name in _SHOTS]
    keys = [key for key in shots if key in found.metrics]
    keys += [
        key
        for key, value in found.metrics.items()
        if key not in shots and isinstance(value, Real)
    ]
    others = [key for key in found.metrics if key not in keys]
    left_out = 'Measured, but no number: ' + ', '.join(others)
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        caption=Text(left_out) if others else None,
        caption_justify='left',
    )
    table.add_column('classifier', overflow='fold')
    for key in keys:
        heading = Text(key.replace('shot/', ''))
        table.add_column(heading, justify='right', overflow='fold')
    rows = [*zip(names, found.of_members)]
    rows.append((f'sum of the {len(names)}', found.metrics))
    for name, metrics in rows:
        table.add_row(Text(name), *(f'{metrics[key]:.1f}' for key in keys))
    return table


def _samples(scores: Tensor, labels: Sequence[Tensor]) -> list[DataSample]:
    # Copied: a row that is written to a file would take all others along.
    return [
        DataSample()
        .set_gt_label(label)
        .set_pred_score(score.clone())
        .set_pred_label(score.argmax(keepdim=True))
        for label, score in zip(labels, scores.softmax(dim=1))
    ]


def _measured(
    evaluator: Evaluator, samples: list[DataSample]
) -> dict[str, Any]:
    found: dict[str, Any] = evaluator.offline_evaluate(
        samples, chunk_size=1000
    )
    return found


def _test(
    config: ConfigLike, checkpoint: PathLike, trust: bool
) -> tuple[_RecordHook, Evaluator]:
    cfg = read_config(config, 'mmpretrain', ('model', 'test_dataloader'))
    with loaded_runner(cfg, checkpoint, trust, TRAINING_ONLY) as runner:
        record = _RecordHook(_head(runner.model))
        runner.register_hook(record)
        runner.test()
    return record, runner.test_evaluator


def _head(model: nn.Module) -> nn.Module:
    head = getattr(model, 'head', None)
    if not isinstance(head, nn.Module):
        raise ValueError(
            f'{type(model).__name__} has no head whose scores could be '
            'summed; an ensemble takes image classifiers'
        )
    return head


def _check_same(
    first: _RecordHook,
    total: Tensor,
    record: _RecordHook,
    scores: Tensor,
    checkpoint: PathLike,
) -> None:
    """Raise a ``ValueError`` if two members saw other test images."""
    if total.shape != scores.shape:
        raise ValueError(
            f'{checkpoint} scores (images, classes) = {tuple(scores.shape)}, '
            f'but the first classifier {tuple(total.shape)}; all configs must '
            'test the same images and classes'
        )
    for i, (mine, theirs) in enumerate(zip(record.labels, first.labels)):
        if not torch.equal(mine, theirs):
            raise ValueError(
                f'test image {i} of {checkpoint} has the label '
                f'{mine.tolist()}, but {theirs.tolist()} in the first config; '
                'all configs must test the same images in the same order'
            )
    for i, (image, other) in enumerate(zip(record.images, first.images)):
        if None not in (image, other) and image != other:
            raise ValueError(
                f'test image {i} of {checkpoint} is {image}, but {other} in '
                'the first config; all configs must test the same images in '
                'the same order'
            )
