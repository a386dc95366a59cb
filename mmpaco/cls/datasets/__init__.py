"""Long-tailed datasets, those of robustness, and transforms of images.

A name is imported when it is asked for: mmpretrain's own datasets take
seconds and print, and what only reads a list does without them.
"""

from importlib import import_module
from typing import Any

_MODULES = {
    'CIFAR100LT': 'cifar_lt',
    'CIFAR10LT': 'cifar_lt',
    'Corrupt': 'corrupt',
    'CorruptedDataset': 'corrupted',
    'Cutout': 'transforms',
    'GaussianBlur': 'pillow_views',
    'INaturalist2018': 'inaturalist',
    'ImageListDataset': 'image_list',
    'ImageNetC': 'imagenet_robustness',
    'ImageNetLT': 'image_list',
    'ImageNetR': 'imagenet_robustness',
    'ImageNetSketch': 'imagenet_robustness',
    'LongTailedDataset': 'long_tailed',
    'PILToPlanes': 'pillow_views',
    'PillowOp': 'transforms',
    'PlacesLT': 'image_list',
    'RandAugment': 'transforms',
    'RandomResizedCropToPIL': 'pillow_views',
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_MODULES[name]}'), name)
