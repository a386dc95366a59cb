"""Which metrics the table of a comparison shows, and under which names."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mmengine.config import Config

from mmpaco.methods import toolbox_of
from mmpaco.methods.training_data import type_name

__all__ = [
    'Columns',
    'columns_of',
    'in_words',
    'main_metric',
    'shot_bounds',
]


class Columns(NamedTuple):
    """What a table shows.

    Args:
        groups (dict[str, str]): Metric by heading, of the groups of classes.
        own (dict[str, str]): The same of the config's own metrics.
        main (str): The metric by which methods are compared.
        title (str): What the groups are.
    """

    groups: dict[str, str]
    own: dict[str, str]
    main: str
    title: str

    @property
    def all(self) -> dict[str, str]:
        """All columns."""
        return {**self.groups, **self.own}

    @property
    def main_name(self) -> str:
        """The metric by which methods are compared, in words."""
        return in_words(self.main)


_SHOTS = ('many', 'medium', 'few', 'all')
_IOUS = {'mIoU': 'mIoU', 'rare': 'rare_mIoU'}


def main_metric(cfg: Config) -> str:
    """Give the metric by which methods are compared on a config."""
    return 'mIoU' if toolbox_of(cfg) == 'mmseg' else 'shot/all'


def in_words(metric: str) -> str:
    """Name the metric by which methods are compared."""
    return 'mIoU' if metric == 'mIoU' else 'mean accuracy of all classes'


def shot_bounds(cfg: Config) -> tuple[int, int]:
    """Give the bounds of few- and many-shot classes of a config's test."""
    there = cfg.get('test_evaluator') or ()
    metrics = there if isinstance(there, (list, tuple)) else [there]
    shots: Mapping[str, Any] = next(
        (x for x in metrics if type_name(x) == 'ShotAccuracy'), {}
    )
    return int(shots.get('few_shot', 20)), int(shots.get('many_shot', 100))


def columns_of(
    results: Mapping[str, Any], cfg: Config, split: str = 'test set'
) -> Columns:
    """Choose the columns for what was measured.

    Args:
        results: From :func:`~mmpaco.comparison.results.summarise`.
        cfg (Config): The config of a method.
        split (str): What was measured on. Defaults to 'test set'.

    Returns:
        Columns: The groups of classes come first, then all else.
    """
    known = dict.fromkeys(
        key for method in results['methods'].values() for key in method['mean']
    )
    if toolbox_of(cfg) == 'mmseg':
        wanted = _IOUS
        title = (
            f'On the {split}, in %: mean IoU of all classes, and of those '
            'with the fewest training pixels (rare).'
        )
    else:
        few, many = shot_bounds(cfg)
        wanted = {name: f'shot/{name}' for name in _SHOTS}
        title = (
            f'Accuracy on the {split} in %, mean over the classes with more '
            f'than {many} (many), {few} to {many} (medium), fewer than {few} '
            '(few) training images.'
        )
    groups = {name: key for name, key in wanted.items() if key in known}
    own = {key: key for key in known if key not in groups.values()}
    return Columns(groups, own, main_metric(cfg), title)
