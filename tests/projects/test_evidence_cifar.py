"""The configs and grids of docs/evidence_cifar100-lt.md."""

import json
import runpy
from dataclasses import replace

import numpy as np
import pytest
from evidence_description import Description
from evidence_grid import Grid
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from PIL import Image
from support.paths import CONFIGS, PROJECTS, TOOLS
from support.scope import enter_scope

HERE = PROJECTS / 'evidence'
FOLDER = HERE / 'cifar100_lt'
METHODS = (
    'gpaco/',
    'paco/',
    'baselines/balanced-softmax_',
    'baselines/multi-task-balanced-softmax_',
    'baselines/cross-entropy_',
)
NAMES = ('cifar100_lt', 'cifar100_lt_200e', 'cifar100_lt_reduced')


def method(name):
    return f'{name}resnet32_cifar100-lt-if100'


def config(name, **env):
    with pytest.MonkeyPatch.context() as patch:
        for key, value in env.items():
            patch.setenv(key, value)
        return Config.fromfile(FOLDER / f'{name}.py')


@pytest.fixture
def grids(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE / 'grids'))
    return {
        name: runpy.run_path(str(HERE / 'grids' / f'{name}.py'))['GRID']
        for name in NAMES
    }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with small lists of images."""
    root = tmp_path / 'data' / 'cifar100_lt'
    rng = np.random.default_rng(0)
    for name, folder, per_class in (
        ('train_if100', 'train', 3),
        ('val', 'train', 1),
        ('test', 'test', 1),
    ):
        lines = []
        for label in range(100):
            for i in range(per_class):
                path = root / folder / str(label) / f'{name}_{i}.png'
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(path)
                lines.append(f'{path.relative_to(root).as_posix()} {label}')
        (root / f'{name}.txt').write_text('\n'.join(lines))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize('name', METHODS)
def test_the_dataset_alone_is_swapped(name):
    shipped = Config.fromfile(CONFIGS / f'{method(name)}.py').to_dict()
    swapped = config('lists', METHOD=method(name)).to_dict()
    added = {'held_out', 'lists', 'read_rgb', 'trained_on'}
    assert set(swapped) - set(shipped) == added
    read = swapped['read_rgb']
    for part, ann_file in (
        ('train', 'train_if100'),
        ('val', 'val'),
        ('test', 'test'),
    ):
        before = shipped[f'{part}_dataloader'].pop('dataset')
        after = swapped[f'{part}_dataloader'].pop('dataset')
        assert after['type'] == 'mmpaco.ImageListDataset'
        assert after['ann_file'] == f'{ann_file}.txt'
        assert after['pipeline'] == [*read, *before['pipeline']]
        assert bool(after.get('test_mode')) == (part != 'train')
    same = set(shipped) - {'train_dataset', 'val_evaluator', 'test_evaluator'}
    assert {k: swapped[k] for k in same} == {k: shipped[k] for k in same}
    evaluator = swapped['val_evaluator']
    assert evaluator['type'] == shipped['val_evaluator']['type']
    assert evaluator['train_dataset']['ann_file'] == 'train_if100.txt'


@pytest.mark.parametrize('split', ['val', 'test'])
def test_classes_are_grouped_by_the_training_list(split, folder):
    enter_scope('mmpretrain')
    evaluator = Evaluator(config('lists')[f'{split}_evaluator'])
    np.testing.assert_array_equal(evaluator.metrics[0].class_counts, [3] * 100)


def test_an_image_is_read_as_cifar_gives_it(folder):
    enter_scope('mmpretrain')
    read = Compose(config('lists').read_rgb)
    path = next((folder / 'data').rglob('*.png'))
    found = read(dict(img_path=str(path)))['img']
    np.testing.assert_array_equal(found, np.asarray(Image.open(path)))


@pytest.mark.parametrize(
    ('epochs', 'steps'), [(120, [96, 108]), (400, [320, 360])]
)
def test_a_short_training_has_the_same_course(epochs, steps):
    short = config('short', EPOCHS=str(epochs))
    shipped = config('lists')
    assert short.train_cfg.max_epochs == epochs
    assert short.param_scheduler[-1].milestones == steps
    assert short.param_scheduler[:-1] == shipped.param_scheduler[:-1]
    for key in ('model', 'train_dataloader', 'optim_wrapper', 'custom_hooks'):
        assert short[key] == shipped[key]


@pytest.mark.parametrize('name', METHODS)
def test_a_reduced_training_differs_in_what_a_step_costs(name):
    env = dict(METHOD=method(name))
    short, reduced = config('short', **env), config('reduced', **env)
    kind = reduced.optim_wrapper.pop('type')
    assert kind == 'mmpaco.BFloat16OptimWrapper'
    assert short.optim_wrapper.pop('type') == 'OptimWrapper'
    hooks = short.get('custom_hooks', [])
    assert reduced.custom_hooks[: len(hooks)] == hooks
    assert [x.type for x in reduced.custom_hooks[len(hooks) :]] == [
        'mmpaco.ChannelsLastHook',
        'mmpaco.CompileHook',
    ]
    for part in ('train', 'val', 'test'):
        loader = f'{part}_dataloader'
        for cfg in (short, reduced):
            cfg[loader].update(num_workers=0, persistent_workers=False)
        assert reduced[loader] == short[loader]
    for key in ('model', 'optim_wrapper', 'param_scheduler', 'train_cfg'):
        assert reduced[key] == short[key]


@pytest.mark.parametrize('name', METHODS)
def test_they_train(name, folder):
    cfg = config('lists', METHOD=method(name))
    cfg.work_dir = str(folder / 'work')
    cfg.experiment_name = f'lists-{name}'.replace('/', '-')
    cfg.train_cfg.max_epochs = 1
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.train_dataloader.update(
        batch_size=100, num_workers=0, persistent_workers=False
    )
    cfg.default_hooks.checkpoint = None
    cfg.default_hooks.pop('whole_checkpoint')
    runner = Runner.from_cfg(cfg)
    before = runner.model.backbone.conv1.weight.clone()
    runner.train()
    after = runner.model.backbone.conv1.weight
    assert runner.iter == 3
    assert after.isfinite().all() and not after.equal(before)


def test_grids_name_the_shipped_methods(grids):
    for name, grid in grids.items():
        assert isinstance(grid, Description) and grid.name == name
        (full,) = {x.env['METHOD'] for x in grid.methods if x.label == 'GPaCo'}
        assert full == method('gpaco/')
    everything = {x.env['METHOD'] for x in grids['cifar100_lt'].methods}
    assert everything == {method(name) for name in METHODS}
    for name, epochs in (('cifar100_lt_200e', 200), ('cifar100_lt', 400)):
        told = grids[name]
        grid = Grid(PROJECTS.parent / told.configs, TOOLS, 'w', 'records')
        runs = [grid.run(job) for job in told.trials()]
        assert {x.cfg.train_cfg.max_epochs for x in runs} == {epochs}
        assert len({x.config_sha256 for x in runs}) == len(runs)


@pytest.mark.slow
def test_a_reduced_grid_trains_and_leaves_records(folder, grids):
    told = grids['cifar100_lt_reduced']
    records = folder / 'records'
    grid = Grid(PROJECTS.parent / told.configs, TOOLS, 'work', records, 1)
    jobs = [
        replace(job, env={**job.env, 'EPOCHS': '1'}) for job in told.trials()
    ]
    grid.train(jobs)
    for job in jobs:
        text = (records / f'{job.name}.json').read_text(encoding='utf-8')
        record = json.loads(text)
        assert record['label'] == job.label and record['epochs'] == 1
        assert len(record['test']['classes']) == 100
        assert len(record['gradient_norm']) == 100
        assert 'strength' in record['adjusted']
