"""Views of an image, by the config's own transforms or the papers'."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from .base import Refusal
from .training_data import (
    leaf_datasets,
    split_pipeline,
    type_name,
    with_pipelines,
)

__all__ = ['Views', 'own_views', 'papers_views', 'shipped_configs']

_SETS = {
    # Arrays in RGB.
    'cifar': {
        'cifar_autoaug-cutout.py': 'autoaug_cutout',
        'cifar_sim.py': 'cifar_sim',
    },
    'images': {'randaug_n2-m10_224.py': 'randaug', 'sim_224.py': 'sim'},
}


class Views(NamedTuple):
    """Two views of each image.

    Args:
        settings (dict): What changes in the training dataset.
        decision (str): What they are.
        comment (str): The same, in a line.
        bases (tuple[str, ...]): Files of ``configs/`` that they stand on.
    """

    settings: dict[str, Any]
    decision: str
    comment: str
    bases: tuple[str, ...] = ()


def own_views(dataset: Mapping[str, Any]) -> Views:
    """Let the transforms of a dataset, twice at random, give two views.

    Args:
        dataset (dict): The training dataset.

    Returns:
        Views: The views.

    Raises:
        Refusal: If a pipeline cannot be split.
    """

    def change(steps: list[Any]) -> list[Any]:
        parts = split_pipeline(steps)
        views = dict(type='MultiView', num_views=2, transforms=[parts.views])
        return [*parts.loading, views, *parts.packing]

    settings = with_pipelines(dataset, change)
    names = dict.fromkeys(
        type_name(step)
        for leaf in leaf_datasets(dataset)
        for step in split_pipeline(list(leaf.get('pipeline') or ())).views
    )
    return Views(
        settings,
        "Both views are by the config's own transforms "
        f'({", ".join(names) or "none, so that they are equal"}); --views '
        "papers takes the papers'.",
        "Two views, each by the config's own transforms.",
    )


def papers_views(dataset: Mapping[str, Any]) -> Views:
    """Let the transforms of the papers give two views, of the same size.

    Args:
        dataset (dict): The training dataset.

    Returns:
        Views: Those of CIFAR (AutoAugment and Cutout, and SimAugment), or
        those of ImageNet-LT (RandAugment, and SimAugment).

    Raises:
        Refusal: If a pipeline cannot be split, or its size is not known.
    """
    leaf = next(leaf_datasets(dataset))
    kind = 'cifar' if 'CIFAR' in type_name(leaf) else 'images'
    size = _size(list(leaf.get('pipeline') or ()))
    if kind == 'cifar' and size != 32:
        kind = 'images'
    files = {f'_base_/pipelines/{x}': name for x, name in _SETS[kind].items()}
    transforms = [
        _of_size(_shipped(file)[name], size) for file, name in files.items()
    ]

    def change(steps: list[Any]) -> list[Any]:
        parts = split_pipeline(steps)
        views = dict(type='MultiView', num_views=[1, 1], transforms=transforms)
        return [*parts.loading, views, *parts.packing]

    return Views(
        with_pipelines(dataset, change),
        f"The views are the papers', of {size} pixels: "
        + (
            'AutoAugment with Cutout, and SimAugment.'
            if kind == 'cifar'
            else 'RandAugment, and SimAugment.'
        ),
        "The papers' two views.",
        tuple(files),
    )


def shipped_configs() -> Path:
    """Give the folder of this package's own configs.

    Returns:
        Path: That of a wheel, or else of a checkout.

    Raises:
        Refusal: If neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / '.mim' / 'configs', package.parent / 'configs'):
        if (folder / '_base_').is_dir():
            return folder
    raise Refusal(
        'the configs of mmpaco are not installed, of which the views of the '
        'papers are a part; install it from its wheel, or take --views own'
    )


@functools.cache
def _shipped(file: str) -> dict[str, Any]:
    found: dict[str, Any] = Config.fromfile(shipped_configs() / file).to_dict()
    return found


def _of_size(steps: list[Any], size: int) -> list[Any]:
    return [
        {**step, 'size': size} if step.get('size') else step for step in steps
    ]


def _size(steps: list[Any]) -> int:
    """Give the side of the images that a pipeline makes."""
    for step in reversed(steps):
        for key in ('scale', 'crop_size', 'size'):
            value = step.get(key)
            if isinstance(value, (list, tuple)):
                value = value[0] if value else None
            if isinstance(value, int):
                return value
    raise Refusal(
        'no transform of the training pipeline says how large its images '
        'are, which the views of the papers need; add one that does, such '
        'as RandomResizedCrop, or take --views own'
    )
