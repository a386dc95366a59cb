"""What a bug report must tell of an environment, in one short text.

``python -m mmpaco.compat`` prints it. This module imports torch, which
:mod:`mmpaco.compat` never does, but only if it can.
"""

import platform
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module, metadata, util
from pathlib import Path

import mmpaco
from mmpaco.compat import (
    check_stack,
    installed_stack,
    installed_version,
    release,
)
from mmpaco.stack_versions import TORCH_MINIMUM

__all__ = ['BugReport', 'bug_report']

_FAMILIES = {
    'onedl': "onedl, OneDL's forks",
    'openmmlab': "openmmlab, OpenMMLab's own",
    'mixed': 'MIXED, of both families',
    'none': 'none',
}
_BESIDE = ('torch', 'torchvision', 'triton', 'numpy', 'opencv-python')


@dataclass
class BugReport:
    """An environment, and what is wrong with it.

    Args:
        facts (list[tuple[str, str]]): What there is, by name.
        problems (list[str]): What keeps mmpaco from working.
        notes (list[str]): What may break something.
    """

    facts: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Return a table, and below it what is wrong."""
        width = max(len(name) for name, _ in self.facts)
        lines = [f'{name:{width}}  {value}' for name, value in self.facts]
        for kind, texts in (('note', self.notes), ('wrong', self.problems)):
            lines += (f'\n{kind}: {text}' for text in texts)
        return '\n'.join(lines)


def _versions() -> Iterator[tuple[str, str]]:
    stack = installed_stack()
    yield 'stack', _FAMILIES[stack.family]
    found = {**stack.versions}
    for name in _BESIDE:
        version = installed_version(name)
        if version is not None:
            found[name] = version
    # Those of the stack first, torch and what is beside it after them.
    for name in sorted(found, key=lambda name: name in _BESIDE):
        told = '' if _has_operators(name) else ', without compiled operators'
        yield f'  {name}', found[name] + told


def _has_operators(name: str) -> bool:
    if name not in ('mmcv', 'onedl-mmcv'):
        return True
    files = metadata.files(name) or ()
    return any(file.match('mmcv/_ext.*') for file in files)


def _device_facts() -> Iterator[tuple[str, str]]:
    import torch

    from mmpaco.losses.kernels import kernels_for, obstacle

    device = 'cpu'
    if torch.cuda.is_available():
        device = 'cuda'
        names = [
            '{}, {}.{}'.format(
                torch.cuda.get_device_name(i),
                *torch.cuda.get_device_capability(i),
            )
            for i in range(torch.cuda.device_count())
        ]
        of_torch = (
            f'ROCm {torch.version.hip}'
            if torch.version.hip
            else f'CUDA {torch.version.cuda}'
        )
        kinds = dict.fromkeys(names)
        told = '; '.join(f'{names.count(x)} x {x}' for x in kinds)
        yield 'device', f'{told} ({of_torch})'
    else:
        yield 'device', 'none (torch.cuda is not available)'
    rows = torch.ones(2, 16, device=device)
    taken = kernels_for(rows) is not None
    yield 'Triton path', 'on' if taken else f'off: {obstacle(rows)}'


def bug_report() -> BugReport:
    """Look at this environment, however broken it is.

    Returns:
        BugReport: What is found.

    Example:
        >>> from mmpaco.bug_report import bug_report
        >>> [name for name, _ in bug_report().facts][:3]
        ['mmpaco', 'Python', 'platform']
    """
    report = BugReport()
    report.facts += [
        ('mmpaco', f'{mmpaco.__version__} in {Path(mmpaco.__file__).parent}'),
        ('Python', f'{platform.python_version()} ({sys.executable})'),
        ('platform', platform.platform()),
        *_versions(),
    ]
    has_torch = _add_device(report)
    if has_torch:
        _check_torchvision(report)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        try:
            check_stack()
        except (ImportError, RuntimeError) as error:
            alone = has_torch and installed_stack().family == 'none'
            if alone:
                report.notes.append(f'mmpaco.losses works, but {error}')
            else:
                report.problems.append(str(error))
    report.notes += (str(warning.message) for warning in caught)
    return report


def _add_device(report: BugReport) -> bool:
    """Add the device, and tell whether torch can be used."""
    listed = installed_version('torch')
    if util.find_spec('torch') is None:
        report.facts.append(('device', 'unknown: torch is not installed'))
        # Where no metadata names it, the check of the stack says so.
        if listed is not None:
            report.problems.append(
                f'torch {listed} is listed as installed, but there is none; '
                'install it again'
            )
        return False
    if listed is not None and release(listed) < release(TORCH_MINIMUM):
        report.problems.append(
            f'mmpaco needs at least torch {TORCH_MINIMUM}, but {listed} is '
            'installed'
        )
        return False
    try:
        report.facts += _device_facts()
        return True
    # A torch that is broken raises what it likes.
    except Exception as error:
        told = f'torch cannot be used ({type(error).__name__}: {error})'
        missing = ''
        if isinstance(error, ModuleNotFoundError) and error.name:
            missing = error.name.split('.')[0]
        if missing in ('', 'torch', 'mmpaco'):
            missing = 'it again'
        report.problems.append(f'{told}; install {missing}')
    return False


def _check_torchvision(report: BugReport) -> None:
    """See whether it was built for this torch, which no metadata tells."""
    if util.find_spec('torchvision') is None:
        return
    try:
        import_module('torchvision')
    except Exception as error:
        report.problems.append(
            f'torchvision cannot be used ({type(error).__name__}: {error}); '
            'install torch and torchvision again, together and from one index'
        )
