"""The datasets and pipelines of a config, through wrappers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Callable, NamedTuple

from .base import Refusal

__all__ = [
    'Pipeline',
    'as_list',
    'leaf_datasets',
    'split_pipeline',
    'type_name',
    'with_pipelines',
]

Step = Mapping[str, Any]


class Pipeline(NamedTuple):
    """A training pipeline in three parts.

    Args:
        loading (list[dict]): Steps that read the image and its annotations.
        views (list[dict]): Steps that change the image.
        packing (list[dict]): Steps that pack it for the model.
    """

    loading: list[Any]
    views: list[Any]
    packing: list[Any]


def type_name(cfg: Any) -> str:
    """Give the name of a component without its scope, or '' if none."""
    name = cfg.get('type') if isinstance(cfg, Mapping) else None
    return str(getattr(name, '__name__', name) or '').split('.')[-1]


def as_list(value: Any) -> list[Any]:
    """Give a list of what a config may give alone, in a list or not at all."""
    return [value] if isinstance(value, Mapping) else list(value or ())


def leaf_datasets(dataset: Step) -> Iterator[Step]:
    """Give the datasets that read images, inside of those that wrap them.

    Args:
        dataset (dict): Config of a dataset: ``RepeatDataset``,
            ``ClassBalancedDataset``, ``KFoldDataset`` and whatever else has
            a ``dataset``, ``ConcatDataset`` with its ``datasets``, or one
            that is no wrapper.

    Yields:
        dict: Their configs, parts of what was given.

    Raises:
        Refusal: If one is no dict, as a list of annotation files is in other
            toolboxes.
    """
    if not isinstance(dataset, Mapping):
        raise Refusal(
            'a training set must be a dict with a type, but got '
            f'{type(dataset).__name__}; give several as the datasets of a '
            'ConcatDataset'
        )
    if isinstance(dataset.get('dataset'), Mapping):
        yield from leaf_datasets(dataset['dataset'])
    elif isinstance(dataset.get('datasets'), (list, tuple)):
        for part in dataset['datasets']:
            yield from leaf_datasets(part)
    else:
        yield dataset


def with_pipelines(
    dataset: Step, change: Callable[[list[Any]], list[Any]]
) -> dict[str, Any]:
    """Give the settings that change the pipelines of a dataset.

    Args:
        dataset (dict): Config of a dataset, wrapped or not.
        change (Callable): Gives the new pipeline for that of each dataset
            that reads images.

    Returns:
        dict: What to merge over the config. mmengine does not merge lists,
        so ``datasets`` are whole.
    """
    if isinstance(dataset.get('dataset'), Mapping):
        return dict(dataset=with_pipelines(dataset['dataset'], change))
    if isinstance(dataset.get('datasets'), (list, tuple)):
        return dict(
            datasets=[
                {**part, **_inner(part, with_pipelines(part, change))}
                for part in dataset['datasets']
            ]
        )
    return dict(pipeline=change(list(dataset.get('pipeline') or ())))


def _inner(part: Step, settings: dict[str, Any]) -> dict[str, Any]:
    """Merge settings of a wrapper in a list into the dataset it wraps."""
    if 'dataset' not in settings:
        return settings
    inner = part['dataset']
    return dict(dataset={**inner, **_inner(inner, settings['dataset'])})


def split_pipeline(steps: list[Any]) -> Pipeline:
    """Split a training pipeline.

    Args:
        steps (list[dict]): Its steps.

    Returns:
        Pipeline: Loading, views and packing. Loading ends with the last of
        the first steps whose type begins with ``Load``; packing begins with
        the first whose type begins with ``Pack``.

    Raises:
        Refusal: If nothing packs.
    """
    names = [type_name(step) for step in steps]
    first = 0
    while first < len(names) and names[first].startswith('Load'):
        first += 1
    last = next(
        (i for i, name in enumerate(names) if name.startswith('Pack')), None
    )
    if last is None:
        raise Refusal(
            'the training pipeline has no step that packs, such as '
            f'PackInputs, but {", ".join(names) or "no step at all"}; add one '
            'at its end'
        )
    return Pipeline(
        list(steps[:first]), list(steps[first:last]), list(steps[last:])
    )
