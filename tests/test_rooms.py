"""Who may import whom, and each side without the other's package."""

import ast
import subprocess
import sys

import pytest
from support.paths import PROJECTS, ROOT, TOOLS

PACKAGE = ROOT / 'mmpaco'
STACK = {'mmcv', 'mmengine', 'mmpretrain', 'mmseg'}
TOP = {'compat', 'contrast_strength', 'files', 'registry'}
LIGHT = {'__init__', 'contrast_strength', 'files', 'stack_versions'}
LEAVES = {'analysis', 'comparison', 'converters'}
ROOMS = {
    *LEAVES,
    *('cls', 'engine', 'losses', 'methods', 'runner', 'seg'),
}


class Rule:
    """What a room may import of mmpaco and of the stack.

    Of other packages it may import any, or only some if they are given.
    """

    def __init__(self, rooms=(), stack=(), others=None):
        self.rooms = {*rooms}
        self.stack = {*stack}
        self.others = others

    def forbids(self, module):
        parts = module.split('.')
        if parts[0] == 'mmpaco':
            inside = '.'.join(parts[1:])
            return bool(inside) and not any(
                inside == x or inside.startswith(f'{x}.') for x in self.rooms
            )
        if parts[0] == 'projects':
            return True
        if parts[0] in STACK:
            return parts[0] not in self.stack
        return (
            self.others is not None
            and parts[0] not in sys.stdlib_module_names
            and parts[0] not in self.others
        )


BASE = {*TOP, 'losses', 'engine'}
RULES = {
    'losses': Rule({'losses'}, others={'torch', 'triton'}),
    'engine': Rule(BASE, {'mmengine'}),
    'cls': Rule({*BASE, 'cls'}, STACK - {'mmseg'}),
    'seg': Rule({*BASE, 'seg'}, STACK - {'mmpretrain'}),
    'methods': Rule({'contrast_strength', 'methods'}, {'mmengine'}, set()),
    'runner': Rule({*BASE, 'runner', 'methods'}, {'mmengine'}),
    # The leaves import what is below them, and not each other.
    'comparison': Rule(
        {
            *BASE,
            'comparison',
            'methods',
            'runner',
            'analysis.pictures',
            'analysis.class_values_picture',
        },
        {'mmengine'},
    ),
    'analysis': Rule({*TOP, *ROOMS} - {'comparison', 'converters'}, STACK),
    'converters': Rule({*TOP, *ROOMS} - {'comparison', 'analysis'}, STACK),
    # The modules beside the rooms.
    **{name: Rule(others=set()) for name in LIGHT},
    # Its command prints the report, which alone imports torch.
    'compat': Rule({'stack_versions', 'bug_report'}, others=set()),
    'bug_report': Rule(
        {'compat', 'losses', 'stack_versions'}, others={'torch'}
    ),
    'registry': Rule({'compat', 'losses'}, {'mmengine'}),
}


def imported_modules(source, package):
    """What a module of a package imports, inside of functions, too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split('.')
            above = above[: len(above) + 1 - node.level] if node.level else []
            module = '.'.join([*above, *filter(None, [node.module])])
            # A name may be a module, whose package is then the same.
            if module == 'mmpaco':
                yield from (f'{module}.{alias.name}' for alias in node.names)
            else:
                yield module


def violations(source, package):
    """What a module imports against the rule of its room."""
    rule = RULES[package.split('.')[1]]
    return [
        module
        for module in imported_modules(source, package)
        if rule.forbids(module)
    ]


def package_of(path):
    """The package of a file; that of a module beside the rooms is itself."""
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if len(parts) > 2 else parts)


def test_each_room_imports_what_it_may():
    files = sorted(
        path for path in PACKAGE.rglob('*.py') if '.mim' not in path.parts
    )
    found = {package_of(path).split('.')[1] for path in files}
    assert found == set(RULES) - (
        set() if (PACKAGE / 'methods').is_dir() else {'methods'}
    )
    for path in files:
        wrong = violations(path.read_text(), package_of(path))
        assert not wrong, f'{path} imports {wrong}'


@pytest.mark.parametrize(
    'package, source',
    [
        ('mmpaco.losses', 'import numpy'),
        ('mmpaco.losses', 'from mmengine import Config'),
        ('mmpaco.losses', 'from ..engine import class_counts'),
        ('mmpaco.losses', 'def f():\n    import mmcv.ops'),
        ('mmpaco.losses', 'from mmpaco.registry import MODELS'),
        ('mmpaco.engine', 'import mmpretrain'),
        ('mmpaco.engine.hooks', 'from ...runner.checkpoint import x'),
        ('mmpaco.engine.hooks', 'from mmpaco.cls.models import GPaCoHead'),
        ('mmpaco.cls.models', 'from mmseg.models import x'),
        ('mmpaco.cls.models', 'from mmpaco.seg.models import x'),
        ('mmpaco.cls.datasets', 'from mmpaco import converters'),
        ('mmpaco.seg.models', 'import mmpretrain.models'),
        ('mmpaco.seg.models', 'from mmpaco.cls import models'),
        ('mmpaco.seg.evaluation', 'import mmpaco.analysis.pictures'),
        ('mmpaco.methods', 'import torch'),
        ('mmpaco.methods', 'from mmpaco.engine.class_counts import x'),
        ('mmpaco.methods', 'from mmpaco.runner.config_files import x'),
        ('mmpaco.runner', 'import mmseg'),
        ('mmpaco.runner', 'from mmpaco.analysis import pictures'),
        ('mmpaco.comparison', 'from mmpaco.analysis.ensemble import x'),
        ('mmpaco.comparison', 'from mmpaco.cls.datasets import x'),
        ('mmpaco.analysis', 'from mmpaco.comparison import runs'),
        ('mmpaco.converters', 'from mmpaco.analysis import pictures'),
        ('mmpaco.compat', 'import torch'),
        ('mmpaco.compat', 'from mmpaco.losses import kernels'),
        ('mmpaco.bug_report', 'import mmengine'),
        ('mmpaco.stack_versions', 'from mmpaco.compat import x'),
        ('mmpaco.files', 'from mmpaco.losses import x'),
        ('mmpaco.contrast_strength', 'import numpy'),
        ('mmpaco.registry', 'import mmpretrain'),
        ('mmpaco.analysis', 'import projects.evidence'),
    ],
)
def test_what_a_room_may_not_import_is_seen(package, source):
    assert violations(source, package)


def test_nothing_imports_projects():
    """Their modules are beside each other, and no package."""
    theirs = {path.stem for path in PROJECTS.rglob('*.py')}
    assert theirs
    for folder in (PACKAGE, TOOLS):
        for path in folder.rglob('*.py'):
            package = package_of(path)
            for module in imported_modules(path.read_text(), package):
                assert module.split('.')[0] not in {*theirs, 'projects'}, path


def run_process(code):
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        capture_output=True,
        text=True,
        timeout=300,
    )


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
    return run_process(guard + code)


def test_a_plain_training_loop_needs_torch_alone():
    """Projector, queue, prior and loss, over a checkpoint."""
    out = run_without(
        [*STACK, 'numpy'],
        """
import io
import torch
from mmpaco.losses import ClassPrior, EmbeddingQueue, PaCoLoss, Projector

torch.manual_seed(0)
centers = torch.randn(3, 8)

def parts():
    return torch.nn.ModuleDict(dict(
        net=torch.nn.Linear(8, 16), fc=torch.nn.Linear(16, 3),
        projector=Projector(16, out_channels=8, norm_cfg=dict(type='BN1d')),
        queue=EmbeddingQueue(64, 8), prior=ClassPrior(3, [60, 30, 10])))

model, loss = parts(), PaCoLoss(alpha=.05, temperature=.2)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
shares = model['prior']().float() / 100
losses = []
for step in range(60):
    labels = torch.multinomial(shares, 32, replacement=True)
    feats = model['net'](centers[labels] + torch.randn(32, 8)).relu()
    rows = model['projector'](feats)
    value = loss(rows, labels, model['fc'](feats),
                 *model['queue'].contents(), class_counts=model['prior']())
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    model['queue'].append(rows.detach(), labels)
    losses.append(value.item())
assert sum(losses[-10:]) < 0.9 * sum(losses[5:15]), losses
file = io.BytesIO()
torch.save(model.state_dict(), file)
file.seek(0)
other = parts()
other.load_state_dict(torch.load(file, weights_only=True))
assert torch.equal(other['queue'].contents()[0], model['queue'].contents()[0])
print('trained')
""",
    )
    assert out.stdout == 'trained\n', out.stderr


def test_classification_works_without_mmseg():
    pytest.importorskip('mmpretrain')
    out = run_without(
        ['mmseg'],
        """
from mmengine.registry import MODELS
head = MODELS.build(dict(type='mmpaco.GPaCoHead', num_classes=3,
                         in_channels=4))
print(type(head).__name__)
""",
    )
    assert out.stdout.endswith('GPaCoHead\n'), out.stderr


def test_segmentation_works_without_mmpretrain():
    pytest.importorskip('mmseg')
    out = run_without(
        ['mmpretrain'],
        """
from mmengine.registry import METRICS, MODELS, DefaultScope
DefaultScope.get_instance('test', scope_name='mmseg')
head = MODELS.build(dict(type='mmpaco.GPaCoAuxHead', num_classes=3,
                         in_channels=4, norm_cfg=dict(type='BN')))
print(type(head).__name__, METRICS.get('mmpaco.RareIoUMetric').__name__)
""",
    )
    assert out.stdout.endswith('GPaCoAuxHead RareIoUMetric\n'), out.stderr


def test_losses_and_hooks_work_without_either():
    out = run_without(
        ['mmpretrain', 'mmseg'],
        """
from mmengine.registry import HOOKS, MODELS
loss = MODELS.build(dict(type='mmpaco.PaCoLoss', alpha=.05, temperature=.2))
hook = HOOKS.build(dict(type='mmpaco.PaCoQueueHook'))
print(type(loss).__name__, type(hook).__name__)
""",
    )
    assert out.stdout.endswith('PaCoLoss PaCoQueueHook\n'), out.stderr


@pytest.mark.parametrize(
    'registry, name, absent',
    [
        ('HOOKS', 'PaCoQueueHook', ('mmpaco.cls', 'mmpaco.seg')),
        ('HOOKS', 'WholeCheckpointHook', ('mmpretrain', 'mmseg')),
        (
            'MODELS',
            'PaCoLoss',
            ('mmpaco.cls.datasets', 'mmpaco.seg.datasets'),
        ),
        (
            'MODEL_WRAPPERS',
            'CPUDistributedDataParallel',
            ('mmpaco.cls', 'mmpaco.seg'),
        ),
    ],
)
def test_a_look_up_imports_the_rooms_of_its_kind_alone(registry, name, absent):
    out = run_process(
        f"""
import sys
from mmengine.registry import {registry}
print({registry}.get('mmpaco.{name}').__name__)
print([x for x in {absent!r} if x in sys.modules])
"""
    )
    assert out.stdout.splitlines()[-2:] == [name, '[]'], out.stderr


@pytest.mark.parametrize('scope', ('mmengine', 'mmpretrain', 'mmseg'))
def test_types_resolve_from_any_scope_without_custom_imports(scope):
    if scope != 'mmengine':
        pytest.importorskip(scope)
    out = run_process(
        f"""
from mmengine.registry import DefaultScope
import {scope}.registry as registry
DefaultScope.get_instance('test', scope_name={scope!r})
for root, name in ((registry.MODELS, 'PaCoLoss'),
                   (registry.MODELS, 'BalancedSoftmaxLoss'),
                   (registry.HOOKS, 'PaCoQueueHook'),
                   (registry.HOOKS, 'ClassPriorHook')):
    print(root.get(f'mmpaco.{{name}}').__name__)
"""
    )
    # What the stack itself prints comes before.
    assert out.stdout.split()[-4:] == [
        'PaCoLoss',
        'BalancedSoftmaxLoss',
        'PaCoQueueHook',
        'ClassPriorHook',
    ], out.stderr
