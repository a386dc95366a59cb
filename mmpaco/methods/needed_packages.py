"""What a config needs that is not installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .base import Refusal
from .training_data import type_name

__all__ = ['check_packages', 'parts']

# Components of the two toolboxes that import another package when built.
_PACKAGES = {
    'MaskFormerHead': 'mmdet',
    'Mask2FormerHead': 'mmdet',
    'DSDLClsDataset': 'dsdl',
    'DSDLSegDataset': 'dsdl',
    'TIMMBackbone': 'timm',
    'VPD': 'ldm',
}
# And those that need an operator of mmcv which must be compiled.
_OPERATORS = {
    'CCHead': 'CrissCrossAttention',
    'DCN': 'deform_conv2d',
    'DCNv2': 'modulated_deform_conv2d',
    'PointHead': 'point_sample',
    'PSAHead': 'PSAMask',
}


def parts(node: Any) -> Iterator[Mapping[str, Any]]:
    """Give every dict in a config that has a type.

    Args:
        node: A config, or a part of one.

    Yields:
        Mapping: The dicts, outer ones first.
    """
    if isinstance(node, Mapping):
        if 'type' in node:
            yield node
        node = node.values()
    elif not isinstance(node, (list, tuple)):
        return
    for value in node:
        yield from parts(value)


def check_packages(cfg: Config) -> None:
    """Check that what a training needs is installed.

    Args:
        cfg (Config): A parsed config.

    Raises:
        Refusal: If a package is missing, or mmcv's compiled operators are.
    """
    imports = cfg.get('custom_imports') or {}
    if not imports.get('allow_failed_imports', False):
        names = imports.get('imports') or ()
        for name in [names] if isinstance(names, str) else names:
            _require(name, f'custom_imports={names!r}')
    for key in ('model', 'train_dataloader'):
        for part in parts(dict(cfg.get(key) or {})):
            name = type_name(part)
            written = str(part['type'])
            if isinstance(part['type'], str) and '.' in written:
                _require(written, f'type={written!r}')
            if name in _PACKAGES:
                _require(_PACKAGES[name], name)
            if name in _OPERATORS and not _has_operators():
                raise Refusal(
                    f"{name} needs mmcv's operator {_OPERATORS[name]}, which "
                    'must be compiled, and the installed mmcv has none; '
                    'install one that was built with its operators, or take '
                    'a config without it'
                )


def _require(module: str, what: str) -> None:
    package = module.split('.')[0]
    if find_spec(package) is None:
        raise Refusal(
            f'{what} needs the package {package}, which is not installed; '
            'install it, or take a config without it'
        )


def _has_operators() -> bool:
    # mmcv itself is not imported, since it imports torch.
    spec = find_spec('mmcv')
    folders = (spec.submodule_search_locations or ()) if spec else ()
    return any(any(Path(x).glob('_ext.*')) for x in folders)
