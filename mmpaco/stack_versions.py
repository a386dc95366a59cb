"""The versions that mmpaco works with: the one place where they are written.

``setup.py`` makes the extras ``onedl`` and ``openmmlab`` of it, and
:mod:`mmpaco.compat` judges an environment by it. It imports nothing, so that
a build needs neither torch nor mmpaco.
"""

from typing import NamedTuple

__all__ = [
    'FAMILIES',
    'PYTHONS',
    'TORCH_MINIMUM',
    'Distribution',
    'stack_requirements',
]


class Distribution(NamedTuple):
    """A distribution on PyPI.

    Args:
        name (str): Its name there.
        minimum (str): The first version that mmpaco works with.
        tested (str): The last version that it was tested with.
    """

    name: str
    minimum: str
    tested: str


# The Pythons that each family was tested on, 11 for 3.11.
PYTHONS = {'onedl': range(10, 14), 'openmmlab': range(9, 12)}
# Of mmpaco.losses, which need no stack.
TORCH_MINIMUM = '2.1'
FAMILIES = {
    'onedl': {
        'torch': Distribution('torch', '2.4', '2.14.1'),
        'mmengine': Distribution('onedl-mmengine', '0.10.8', '0.10.12'),
        'mmcv': Distribution('onedl-mmcv', '2.3.0', '2.3.6'),
        'mmseg': Distribution('onedl-mmsegmentation', '1.4.0', '1.4.2'),
        'mmpretrain': Distribution('onedl-mmpretrain', '1.3.0', '1.3.6'),
    },
    'openmmlab': {
        'torch': Distribution('torch', TORCH_MINIMUM, '2.1.2'),
        'mmengine': Distribution('mmengine', '0.10.0', '0.10.7'),
        'mmcv': Distribution('mmcv', '2.0.0', '2.1.0'),
        'mmseg': Distribution('mmsegmentation', '1.2.0', '1.2.2'),
        'mmpretrain': Distribution('mmpretrain', '1.2.0', '1.2.0'),
    },
}
_COMPANIONS = {
    'onedl': ('torchvision',),
    'openmmlab': (
        'torch<2.2',
        'torchvision<0.17',
        'numpy<2',
        'opencv-python<4.11',
        'setuptools<70',
        # Imported by mmsegmentation, declared only as optional.
        'ftfy',
        'regex',
    ),
}


def stack_requirements(family: str) -> list[str]:
    """Give what pip needs for a family.

    Args:
        family (str): ``'onedl'`` or ``'openmmlab'``.

    Returns:
        list[str]: Requirements of the distributions, at the tested versions
        or newer patch releases, and of what must be there beside them. Of
        torch any that mmpaco works with: the user chose it, with its CUDA.
    """
    torch, *packages = FAMILIES[family].values()
    return [
        f'{torch.name}>={torch.minimum}',
        *_COMPANIONS[family],
        *(f'{package.name}~={package.tested}' for package in packages),
    ]
