"""What a run was made with."""

import contextlib
from importlib import metadata

_STACK = (
    'torch',
    'numpy',
    'mmengine',
    'onedl-mmengine',
    'mmcv',
    'onedl-mmcv',
    'mmpretrain',
    'onedl-mmpretrain',
    'mmsegmentation',
    'onedl-mmsegmentation',
    'mmpaco',
)


def installed_versions() -> dict[str, str]:
    """Give the versions of the stack and of this package, by name."""
    versions = {}
    for name in _STACK:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
