"""Which OpenMMLab stack is installed, and what to do if it cannot work.

Two families of distributions own the import names ``mmengine``, ``mmcv``,
``mmseg`` and ``mmpretrain``: the OneDL forks and OpenMMLab's own. Importing a
broken mixture of them fails in ways that do not name the cause, so this module
imports none of them and reads the metadata of the environment instead.

``python -m mmpaco.compat`` prints what a bug report must tell.
"""

from __future__ import annotations

import functools
import re
import sys
import warnings
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Optional

from mmpaco.stack_versions import FAMILIES, PYTHONS

__all__ = ['Stack', 'check_stack', 'installed_stack', 'require', 'stock_tool']


# mmcv without its compiled operators. It cannot stand beside mmcv, and
# mmpretrain is content with it while mmseg is not.
_MMCV_LITE = 'mmcv-lite'


@dataclass(frozen=True)
class Stack:
    """The OpenMMLab distributions of an environment.

    Args:
        family (str): ``'onedl'``, ``'openmmlab'``, ``'mixed'`` or ``'none'``.
        versions (dict[str, str]): Versions of the installed distributions of
            both families, and of torch, by the name of the distribution.
    """

    family: str
    versions: dict[str, str]

    def __str__(self) -> str:
        """Return one line for people."""
        found = ', '.join(f'{k} {v}' for k, v in self.versions.items())
        return f'{self.family}: {found or "nothing installed"}'


def installed_version(name: str) -> Optional[str]:
    """Give the version of a distribution, None if it is not installed.

    Nor is one of which an interrupted pip left a folder without metadata.
    """
    try:
        return metadata.version(name) or None
    except (metadata.PackageNotFoundError, KeyError):
        return None


def _names(family: str) -> list[str]:
    names = [
        distribution.name
        for package, distribution in FAMILIES[family].items()
        if package != 'torch'
    ]
    return names + [_MMCV_LITE] if family == 'openmmlab' else names


def installed_stack() -> Stack:
    """Look at the environment without importing anything of the stack.

    Returns:
        Stack: What is installed, be it usable or not.
    """
    versions: dict[str, str] = {}
    families = []
    for family in FAMILIES:
        for name in _names(family):
            version = installed_version(name)
            if version is not None:
                versions[name] = version
                families.append(family)
    torch = installed_version('torch')
    if torch is not None:
        versions['torch'] = torch
    if not families:
        return Stack('none', versions)
    return Stack(families[0] if len(set(families)) == 1 else 'mixed', versions)


def release(version: str) -> tuple[int, ...]:
    """Give the numbers of a version: '2.1.2+cu121' is (2, 1, 2)."""
    match = re.match(r'\d+(\.\d+)*', version)
    return tuple(int(x) for x in match.group().split('.')) if match else ()


def _install_command(family: str, *packages: str) -> str:
    """Return the pip command for import names; for the four if none given."""
    table = FAMILIES[family]
    packages = packages or ('mmengine', 'mmcv', 'mmseg', 'mmpretrain')
    pins = {p: f'"{table[p].name}~={table[p].tested}"' for p in packages}
    if family == 'onedl':
        torchvision = ' torchvision' if 'torch' in pins else ''
        return f'pip install {" ".join(pins.values())}{torchvision}'
    steps = []
    # In this order, since mmcv is compiled against the torch it finds.
    if 'torch' in pins:
        torch = pins.pop('torch')
        steps.append(f'pip install {torch} "torchvision~=0.16.2" "numpy<2"')
    if 'mmcv' in pins:
        steps.append('pip install "setuptools<70" wheel ninja psutil')
        steps.append(
            'MMCV_WITH_OPS=1 pip install --no-build-isolation '
            + pins.pop('mmcv')
        )
    if pins:
        steps.append(f'pip install {" ".join(pins.values())}')
    return ' && '.join(steps)


def _families_here() -> list[str]:
    minor = sys.version_info[1]
    # A Python newer than those tested is one for the maintained family.
    return [f for f in FAMILIES if minor in PYTHONS[f]] or ['onedl']


def _raise_mixture(stack: Stack) -> None:
    # Both families write into the same folders, so that removing one leaves
    # the other full of holes: all of them go, and one comes back.
    removal = ' '.join(name for name in stack.versions if name != 'torch')
    commands = '\n'.join(
        f'  pip uninstall -y {removal} && {_install_command(family)}'
        for family in _families_here()
    )
    raise RuntimeError(
        'mmpaco found distributions of OneDL and of OpenMMLab in one '
        f'environment ({stack}). They overwrite each other; keep one family, '
        f'with\n{commands}'
    )


@functools.cache
def check_stack() -> Stack:
    """Check, once in a process, that the installed stack can carry mmpaco.

    A version newer than those mmpaco was tested with is a warning, never an
    error. mmpretrain and mmseg may each be absent; :func:`require` asks for
    them.

    Returns:
        Stack: The stack, of family ``'onedl'`` or ``'openmmlab'``.

    Raises:
        ImportError: If torch, mmengine or mmcv is missing.
        RuntimeError: If two families are mixed, or a version is too old.
    """
    stack = installed_stack()
    if stack.family == 'mixed':
        _raise_mixture(stack)
    if stack.family == 'none':
        family = _families_here()[0]
        torch = release(stack.versions.get('torch', ''))
        _, least, most = map(release, FAMILIES[family]['torch'])
        # One that fits was chosen with its CUDA, and stays.
        fits = least <= torch and torch[:2] <= most[:2]
        needed = [x for x in FAMILIES[family] if not (fits and x == 'torch')]
        raise ImportError(
            'mmpaco needs mmengine and mmcv, and neither is installed. Run\n  '
            + _install_command(family, *needed)
        )
    lite = stack.versions.get(_MMCV_LITE)
    if lite is not None and 'mmcv' in stack.versions:
        raise RuntimeError(
            f'mmpaco found mmcv and mmcv-lite in one environment ({stack}). '
            f'They overwrite each other. Run\n  pip uninstall -y mmcv '
            f'mmcv-lite && {_install_command("openmmlab", "mmcv")}'
        )

    missing, old = [], []
    for package, distribution in FAMILIES[stack.family].items():
        version = stack.versions.get(distribution.name)
        if version is None and package == 'mmcv':
            version = lite
        if version is None:
            if package not in ('mmseg', 'mmpretrain'):
                missing.append(package)
            continue
        if release(version) < release(distribution.minimum):
            old.append(package)
        # A patch release is not news; a new minor release may break things.
        elif release(version)[:2] > release(distribution.tested)[:2]:
            warnings.warn(
                f'mmpaco was tested with {distribution.name} '
                f'{distribution.tested} and earlier, but {version} is '
                'installed. If something breaks, run\n  '
                + _install_command(stack.family, package),
                stacklevel=2,
            )
    if missing:
        raise ImportError(
            f'mmpaco needs {" and ".join(missing)}, missing from this '
            f'environment ({stack}). Run\n  '
            + _install_command(stack.family, *missing)
        )
    if old:
        wanted = ', '.join(
            f'{FAMILIES[stack.family][package].name} '
            f'{FAMILIES[stack.family][package].minimum}'
            for package in old
        )
        raise RuntimeError(
            f'mmpaco needs at least {wanted}, but found older ({stack}). '
            f'Run\n  {_install_command(stack.family, *old)}'
        )
    return stack


def require(package: str) -> Stack:
    """Demand one of the two packages which mmpaco extends.

    Args:
        package (str): ``'mmpretrain'`` or ``'mmseg'``.

    Returns:
        Stack: The stack that provides it.

    Raises:
        ImportError: If the package, or something it needs, is missing.
        RuntimeError: If the stack is mixed or too old.
        ValueError: If ``package`` is neither of the two.
    """
    if package not in ('mmpretrain', 'mmseg'):
        raise ValueError(
            f"package must be 'mmpretrain' or 'mmseg', but got {package!r}"
        )
    stack = check_stack()
    name = FAMILIES[stack.family][package].name
    if name not in stack.versions:
        raise ImportError(
            f'This part of mmpaco needs {package}, and {name} is not '
            f'installed ({stack}). Run\n  '
            + _install_command(stack.family, package)
        )
    if package == 'mmseg' and _MMCV_LITE in stack.versions:
        raise ImportError(
            f'mmseg needs the compiled operators of mmcv, but mmcv-lite is '
            f'installed ({stack}). Run\n  pip uninstall -y mmcv-lite && '
            + _install_command('openmmlab', 'mmcv')
        )
    return stack


def shipped_places(package: str) -> list[Path]:
    """Give the folders in which a package may have its configs and tools.

    Args:
        package (str): Its import name.

    Returns:
        list[Path]: Folders, which need not be there; none if the package is
        not installed.
    """
    spec = util.find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    # Beside the package: in the checkout of an editable install.
    return [
        place
        for folder in map(Path, folders or ())
        for place in (folder / '.mim', folder.parent)
    ]


def stock_tool(scope: str, name: str) -> Path:
    """Find a tool that the installed mmpretrain or mmseg ships.

    Args:
        scope (str): ``'mmpretrain'`` or ``'mmseg'``.
        name (str): The tool without ``.py``, such as ``'train'``.

    Returns:
        Path: The file of the tool.

    Raises:
        ImportError: If the package is missing, or was installed without its
            tools.
        RuntimeError: If the stack is mixed or too old.
        ValueError: If ``scope`` is neither of the two.
    """
    stack = require(scope)
    candidates = [
        place / 'tools' / f'{name}.py' for place in shipped_places(scope)
    ]
    for tool in candidates:
        if tool.is_file():
            return tool
    distribution = FAMILIES[stack.family][scope].name
    version = stack.versions[distribution]
    raise ImportError(
        f'{distribution} {version} is installed without its tool {name}.py '
        f'(looked for {", ".join(map(str, candidates))}). Run\n  pip install '
        f'--force-reinstall --no-deps "{distribution}=={version}"'
    )


def main() -> int:
    """Print the report of this environment; return 1 if it is broken."""
    # It imports torch, which this module must not.
    from mmpaco.bug_report import bug_report

    report = bug_report()
    print(report)
    return 1 if report.problems else 0


if __name__ == '__main__':
    sys.exit(main())
