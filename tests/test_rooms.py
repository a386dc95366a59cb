"""Who may import whom, and each side without the other's package."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'mmpaco'
STACK = ('mmcv', 'mmengine', 'mmpretrain', 'mmseg')
# The rooms and what they must not import.
FORBIDDEN = {
    'losses': (
        *STACK,
        'mmpaco.engine',
        'mmpaco.cls',
        'mmpaco.seg',
        'mmpaco.registry',
        'mmpaco.compat',
        'numpy',
    ),
    'engine': ('mmpretrain', 'mmseg', 'mmpaco.cls', 'mmpaco.seg'),
    'cls': ('mmseg', 'mmpaco.seg'),
    'seg': ('mmpretrain', 'mmpaco.cls'),
}


def imported_names(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f'{node.module}.{a.name}' for a in node.names)


@pytest.mark.parametrize('room', FORBIDDEN)
def test_nothing_imports_upward(room):
    files = list((PACKAGE / room).rglob('*.py'))
    assert files
    for path in files:
        for name in imported_names(path):
            for forbidden in FORBIDDEN[room]:
                assert name != forbidden and not name.startswith(
                    f'{forbidden}.'
                ), f'{path} imports {name}'


def run_without(missing, code):
    """Run code where some packages cannot be imported or found."""
    guard = f"""
import importlib.abc, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {missing!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}',
                                      name=name)

sys.meta_path.insert(0, Missing())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: (
    None if name.split('.')[0] in {missing!r} else found(name, package))
"""
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', guard + code],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_losses_need_torch_alone():
    out = run_without(
        STACK,
        """
import torch
from mmpaco.losses import PaCoLoss
loss = PaCoLoss(alpha=.05, temperature=.2)
rows = torch.nn.functional.normalize(torch.randn(6, 4), dim=1)
print(loss(rows, torch.arange(6) % 3, torch.randn(6, 3)).item() > 0)
""",
    )
    assert out.stdout == 'True\n', out.stderr


def test_classification_works_without_mmseg():
    pytest.importorskip('mmpretrain')
    out = run_without(
        ('mmseg',),
        """
from mmengine.registry import MODELS
head = MODELS.build(dict(type='mmpaco.GPaCoHead', num_classes=3,
                         in_channels=4))
print(type(head).__name__)
""",
    )
    assert out.stdout.endswith('GPaCoHead\n'), out.stderr


def test_losses_and_hooks_work_without_mmpretrain():
    out = run_without(
        ('mmpretrain',),
        """
from mmengine.registry import HOOKS, MODELS
loss = MODELS.build(dict(type='mmpaco.PaCoLoss', alpha=.05, temperature=.2))
hook = HOOKS.build(dict(type='mmpaco.PaCoQueueHook'))
print(type(loss).__name__, type(hook).__name__)
""",
    )
    assert out.stdout.endswith('PaCoLoss PaCoQueueHook\n'), out.stderr


@pytest.mark.parametrize('scope', ('mmengine', 'mmpretrain', 'mmseg'))
def test_types_resolve_from_any_scope_without_custom_imports(scope):
    if scope != 'mmengine':
        pytest.importorskip(scope)
    out = subprocess.run(
        [
            sys.executable,
            '-W',
            'ignore',
            '-c',
            f"""
from mmengine.registry import DefaultScope
import {scope}.registry as registry
DefaultScope.get_instance('test', scope_name={scope!r})
for root, name in ((registry.MODELS, 'PaCoLoss'),
                   (registry.MODELS, 'BalancedSoftmaxLoss'),
                   (registry.HOOKS, 'PaCoQueueHook'),
                   (registry.HOOKS, 'ClassPriorHook')):
    print(root.get(f'mmpaco.{{name}}').__name__)
""",
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    # What the stack itself prints comes before.
    assert out.stdout.split()[-4:] == [
        'PaCoLoss',
        'BalancedSoftmaxLoss',
        'PaCoQueueHook',
        'ClassPriorHook',
    ], out.stderr
