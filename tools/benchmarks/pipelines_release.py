"""The views of the papers' release, of torchvision and timm, and images."""

import random
from collections.abc import Sequence
from functools import partial
from typing import Any, Callable, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageFilter
from torchvision import transforms as tv

View = list[tuple[str, Callable[[Any], Any]]]

_STATISTICS = {
    32: ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    224: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


class Pair(NamedTuple):
    """Two views of the release, by the name of their file in the configs.

    Args:
        size: Side of a view.
        views: Name and arguments of each, see :func:`release_view`.
    """

    size: int
    views: tuple[tuple[Any, ...], tuple[Any, ...]]


PAIRS = {
    'randaug_randaug-stack_n2-m10': Pair(
        224, (('randaug', 2), ('randaug_stack', 2))
    ),
    'randaug_n2-m10_sim': Pair(224, (('randaug', 2), ('sim',))),
    'sim_sim': Pair(224, (('sim',), ('sim',))),
    'cifar_autoaug-cutout_sim': Pair(
        32, (('autoaug_cutout',), ('cifar_sim', 0.5))
    ),
    'cifar_autoaug-cutout_sim-blur0.2': Pair(
        32, (('autoaug_cutout',), ('cifar_sim', 0.2))
    ),
    'cifar_sim_sim': Pair(32, (('cifar_sim', 0.5), ('cifar_sim', 0.5))),
}


class PillowBlur:
    """Pillow's Gaussian blur, with a radius uniform in 0.1 to 2."""

    def __call__(self, image: Image.Image) -> Image.Image:
        radius = random.uniform(0.1, 2.0)
        return image.filter(ImageFilter.GaussianBlur(radius))


class TensorCutout:
    """Zeros in a square whose centre is uniform over the image."""

    def __init__(self, length: int) -> None:
        self.half = length // 2

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        height, width = image.shape[1:]
        y, x = np.random.randint(height), np.random.randint(width)
        mask = torch.ones(height, width)
        mask[
            max(y - self.half, 0) : y + self.half,
            max(x - self.half, 0) : x + self.half,
        ] = 0
        return image * mask


def rand_augment(num_ops: int) -> Callable[[Image.Image], Image.Image]:
    """Give timm's RandAugment with the options of the release."""
    try:
        from timm.data.auto_augment import rand_augment_transform
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'the pipelines of the release need timm, which is not installed; '
            'run: pip install "timm>=1.0,<2"'
        ) from error
    return rand_augment_transform(
        f'rand-n{num_ops}-m10-mstd0.5',
        dict(translate_const=100, img_mean=(124, 116, 104)),
    )


def release_view(size: int, name: str, *args: Any) -> View:
    """Give a view of the release, from a Pillow image to a tensor.

    AutoAugment is torchvision's, with the same policy: that of the release is
    not published as a package.

    Args:
        size: Side of the view.
        name: Of the list in the configs.
        *args: Operations of RandAugment, or probability of the blur.

    Returns:
        list: Each step, after the part of the table that it belongs to.
    """
    if size == 32:
        crop: Any = tv.RandomResizedCrop(32, (0.2, 1.0))
        jitter: Any = tv.RandomApply([tv.ColorJitter(0.4, 0.4, 0.4, 0.1)], 0.8)
    else:
        crop = tv.RandomResizedCrop(224)
        jitter = tv.ColorJitter(0.4, 0.4, 0.4, 0)
    flip = ('flip', tv.RandomHorizontalFlip())
    gray = ('grayscale', tv.RandomGrayscale(0.2))
    blur = partial(tv.RandomApply, [PillowBlur()])
    tensor = ('packing', tv.ToTensor())
    normalize = ('preprocessor', tv.Normalize(*_STATISTICS[size]))
    start = [('crop', crop), flip, ('jitter', jitter)]
    if name == 'sim':
        steps = [*start[::2], gray, ('blur', blur(0.5)), flip, tensor]
    elif name == 'randaug':
        steps = [*start, ('RandAugment', rand_augment(*args)), tensor]
    elif name == 'randaug_stack':
        augment = ('RandAugment', rand_augment(*args))
        steps = [*start, gray, ('blur', blur(0.5)), augment, tensor]
    elif name == 'cifar_sim':
        steps = [*start, gray, ('blur', blur(*args)), tensor]
    else:
        policy = tv.AutoAugment(
            tv.AutoAugmentPolicy.CIFAR10, fill=[128, 128, 128]
        )
        steps = [
            *(('crop', tv.RandomCrop(32, 4)), flip),
            *(('AutoAugment', policy), tensor),
            ('Cutout', TensorCutout(16)),
        ]
    return [*steps, normalize]


def stack_views(samples: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
    """Make a batch, first view 1 of all images, then view 2 of all."""
    return torch.cat([torch.stack(view) for view in zip(*samples)])


def photographs() -> list[np.ndarray]:
    """Give the two photographs that come with scikit-learn."""
    try:
        from sklearn.datasets import load_sample_images
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'the photographs come with scikit-learn, which is not installed; '
            'run: pip install scikit-learn, or give --images'
        ) from error
    return load_sample_images().images
