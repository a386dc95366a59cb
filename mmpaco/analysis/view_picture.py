"""Pictures of what a config's training pipeline makes of images."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional

import cv2
import numpy as np
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.runner import set_random_seed

from mmpaco.files import PathLike, check_apart
from mmpaco.registry import DATASETS
from mmpaco.runner.config_files import read_config

from .pictures import blank_figure, save

__all__ = ['draw_views']


class Views(NamedTuple):
    """What makes views of an image.

    Args:
        transforms: For each view its name and its transforms.
        rgb: Whether images go in and come out as RGB, and not as BGR.
        load: Transforms that load an image of the dataset.
        dataset: Config of the dataset; a pipeline alone has none.
    """

    transforms: dict[str, Sequence[Any]]
    rgb: bool
    load: list[Any]
    dataset: Optional[dict[str, Any]]


def draw_views(
    config: PathLike,
    path: PathLike,
    images: Sequence[PathLike] = (),
    num_images: int = 3,
    draws: int = 3,
    size: Optional[int] = None,
    seed: int = 0,
) -> None:
    """Draw images and random views of them.

    Args:
        config: A config of mmpretrain, or a file of ``_base_/pipelines``.
            Of several training sets that are joined, the first is shown.
        path: PNG or JPEG to write.
        images: Image files. Defaults to some of the training set.
        num_images: How many of the training set, if no files are given.
        draws: Draws of each view.
        size: Side in pixels to which the middle square of each file is
            resized first, for pipelines of small images. Defaults to none.
        seed: Seed of the draws.

    Raises:
        FileNotFoundError: If an image cannot be read.
        TypeError: If the config is not one of mmpretrain.
        ValueError: If a number is out of range, the config has no training
            pipeline, a pipeline alone gets no images, or ``path`` is no
            picture or one of the images.
    """
    numbers = dict(num_images=num_images, draws=draws, size=size)
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise ValueError(f'{name} must be positive, but got {number}')
    if not 0 <= seed < 2**32:
        raise ValueError(
            f'seed must be a number from 0 to 2**32 - 1, but got {seed}'
        )
    check_apart(path, config, *images)
    cfg = read_config(config, 'mmpretrain')
    views = _views(cfg, config)
    set_random_seed(seed)
    if images:
        samples = [_read(image, size, views.rgb) for image in images]
    elif views.dataset is not None:
        samples = list(_samples(views, num_images))
    else:
        raise ValueError(
            f'{config} is a pipeline without a dataset; give images'
        )
    names = ['image']
    rows = [[_show(sample['img'], views.rgb)] for sample in samples]
    for name, transforms in views.transforms.items():
        view = Compose(transforms)
        names += [name, *[''] * (draws - 1)]
        for row, sample in zip(rows, samples):
            for _ in range(draws):
                out = view(dict(sample, img=sample['img'].copy()))['img']
                row.append(_show(np.asarray(out), views.rgb))
    _draw(rows, names, path)


def _views(cfg: Config, config: PathLike) -> Views:
    if 'train_dataloader' not in cfg:
        found: dict[str, Sequence[Any]] = {
            name: value
            for name, value in cfg.items()
            if isinstance(value, (list, tuple))
            and value
            and all(isinstance(step, dict) for step in value)
        }
        if not found:
            raise ValueError(
                f'{config} has neither a train_dataloader nor a list of '
                'transforms; give a config to train with, or a file of '
                'configs/_base_/pipelines'
            )
        converters = [
            step
            for steps in found.values()
            for step in steps
            if _kind(step) in ('NumpyToPIL', 'ToPIL', 'RandomResizedCropToPIL')
        ]
        rgb = bool(converters) and not converters[0].get('to_rgb')
        return Views(found, rgb, [], None)
    dataset = inner = cfg.train_dataloader.dataset
    while 'pipeline' not in inner and {'dataset', 'datasets'} & set(inner):
        if 'datasets' in inner:
            # Each of these has a pipeline of its own.
            dataset = inner = inner.datasets[0]
        else:
            inner = inner.dataset
    steps = inner.get('pipeline')
    if not steps:
        raise ValueError(
            f'{config} has no pipeline in the dataset of its '
            'train_dataloader; set one, or show a file of '
            'configs/_base_/pipelines with images'
        )
    load = [step for step in steps if _kind(step).startswith('LoadImage')]
    steps = [
        step
        for step in steps
        if step not in load and not _kind(step).startswith('Pack')
    ]
    kinds = [_kind(step) for step in steps]
    transforms: dict[str, Sequence[Any]] = {'view': steps}
    if 'MultiView' in kinds:
        i = kinds.index('MultiView')
        counts = steps[i]['num_views']
        counts = [counts] if isinstance(counts, int) else counts
        each = [
            view
            for count, view in zip(counts, steps[i]['transforms'])
            for _ in range(count)
        ]
        transforms = {
            f'view {k + 1}': [*steps[:i], *view, *steps[i + 1 :]]
            for k, view in enumerate(each)
        }
    # A preprocessor that turns its input to RGB gets BGR.
    preprocessor = dict(cfg.get('data_preprocessor') or {})
    preprocessor.update(cfg.get('model', {}).get('data_preprocessor') or {})
    return Views(transforms, not preprocessor.get('to_rgb'), load, dataset)


def _kind(step: dict[str, Any]) -> str:
    kind = step['type']
    name: str = kind if isinstance(kind, str) else kind.__name__
    return name.rpartition('.')[-1]


def _samples(views: Views, num_images: int) -> Iterator[dict[str, Any]]:
    dataset = DATASETS.build(views.dataset)
    dataset.full_init()
    load = Compose(views.load)
    # Many datasets are sorted by class.
    count = min(num_images, len(dataset))
    for i in np.linspace(0, len(dataset) - 1, count).astype(int):
        yield load(dataset.get_data_info(int(i)))


def _read(path: PathLike, size: Optional[int], rgb: bool) -> dict[str, Any]:
    image = cv2.imread(str(path))
    if image is None:
        raise FileNotFoundError(f'{path} is missing or is not an image')
    if size is not None:
        side = min(image.shape[:2])
        top, left = ((x - side) // 2 for x in image.shape[:2])
        image = image[top : top + side, left : left + side]
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return dict(
        img=np.ascontiguousarray(image[..., ::-1] if rgb else image),
        img_path=str(path),
        gt_label=0,
    )


def _show(image: np.ndarray, rgb: bool) -> np.ndarray:
    return image if rgb or image.ndim == 2 else image[..., ::-1]


def _draw(rows: list[list[Any]], names: list[str], path: PathLike) -> None:
    widths = [
        max(row[i].shape[1] / row[i].shape[0] for row in rows)
        for i in range(len(names))
    ]
    figure = blank_figure(1.3 * sum(widths), 0.3 + 1.3 * len(rows), 100)
    layout: Any = figure.get_layout_engine()
    layout.set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    grid = figure.subplots(
        len(rows), len(names), squeeze=False, width_ratios=widths
    )
    for axes, row in zip(grid, rows):
        for ax, image in zip(axes, row):
            small = max(image.shape[:2]) < 100
            ax.imshow(
                image.squeeze(),
                cmap='gray',
                vmin=0,
                vmax=255,
                interpolation='nearest' if small else 'antialiased',
            )
            ax.set(xticks=(), yticks=())
            # A white view on white paper would not be seen.
            ax.spines[:].set_color('0.7')
    for ax, name in zip(grid[0], names):
        ax.set_title(name, fontsize=9, loc='left')
    save(figure, path)
