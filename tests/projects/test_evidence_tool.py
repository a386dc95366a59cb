"""The grid of docs/evidence.md: what is compared, and how it is reported."""

import argparse
import importlib.util
import json
import shutil
import sys

import pytest
from evidence_grid import Grid
from matplotlib.image import imread
from support.paths import CONFIGS, DOCS, PROJECTS, ROOT, TOOLS

PAGES = ('evidence.md', 'evidence_cifar100-lt.md')
PICTURES = tuple(
    f'evidence_{name}.png'
    for name in ('classes', 'compared', 'gradients', 'overview')
)
SECOND_STAGES = {
    'SupCon': 20,
    'SupCon, batch norm in the projector': 20,
    'cRT': 10,
    'LWS': 5,
    'MiSLAS': 10,
}


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """The module of the tool, with an empty page and a list of its own."""
    spec = importlib.util.spec_from_file_location(
        'evidence_tool', PROJECTS / 'evidence' / 'evidence.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ('configs', 'tools'):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / 'docs' / 'images').mkdir(parents=True)
    for page in PAGES:
        shutil.copy(DOCS / page, tmp_path / 'docs')
    module.ROOT = tmp_path
    module.RECORDS = tmp_path / 'records'
    data = tmp_path / 'data' / 'tiny_imagenet100'
    (data / 'images').mkdir(parents=True)
    lines = []
    for label in range(100):
        for i in range(3 - label // 40):
            path = f'images/{label}_{i}.JPEG'
            (data / path).touch()
            lines.append(f'{path} {label}')
    (data / 'train_if100.txt').write_text('\n'.join(lines))
    monkeypatch.chdir(tmp_path)
    return module


@pytest.fixture
def told(tool):
    return tool.description('tiny_imagenet100')


@pytest.fixture
def grid(tool, told):
    return Grid(CONFIGS, TOOLS, 'work_dirs/evidence', tool.RECORDS / told.name)


def first_trials(told):
    return {job.label: job for job in reversed(told.trials())}


def write_records(grid, jobs):
    """Records as after the training, of made-up figures."""
    stages = [grid._first(job) for job in jobs if job.after]
    for i, job in enumerate([*jobs, *stages]):
        record = {
            'label': job.label,
            'seed': job.seed,
            'setting': dict(job.setting),
            'config_sha256': grid.run(job).config_sha256,
            'cpu_seconds': 600.0,
            'validation': {'100': 50.0 - i / 10},
            'gradient_norm': [0.1] * 100,
            'adjusted': {'strength': 0.1, 'all': 40 + i / 2},
            'test': dict.fromkeys(('all', 'many', 'medium', 'few'), 40 + i)
            | {'classes': [40.0 + i] * 100},
        }
        path = grid.records / f'{job.name}.json'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record))


def report(tool, monkeypatch, *options, name='tiny_imagenet100'):
    argv = ['evidence.py', name, '--report', *options]
    monkeypatch.setattr(sys, 'argv', argv)
    tool.main()
    page = tool.description(name).page
    return (tool.ROOT / page).read_text(encoding='utf-8')


def rows(table):
    lines = table.split('<!-- /')[0].strip().splitlines()[2:]
    return [line for line in lines if line]


def test_every_training_is_another_one(told, grid):
    chosen = first_trials(told)
    jobs = told.finals(chosen, 3)
    jobs += [job for job in told.trials() if job not in jobs]
    assert len(jobs) == 6 * 3 + 10 + 10 + 6
    assert len({job.name for job in jobs}) == len(jobs)
    runs = [grid.run(job) for job in jobs]
    assert len({run.config_sha256 for run in runs}) == len(runs)
    for job, run in zip(jobs, runs):
        cfg = run.cfg
        # The same budget for all but the second stage, which comes on top.
        epochs = SECOND_STAGES[job.label] if job.after else 100
        assert cfg.train_cfg.max_epochs == epochs
        assert cfg.test_dataloader.dataset.ann_file == 'test.txt'
        assert cfg.val_dataloader.dataset.ann_file == 'val.txt'
        factor = job.setting.get('IMBALANCE', '100')
        data = cfg.train_dataloader.dataset
        # Mixup has views that are images of their own.
        repeats = data.get('times', 1)
        assert cfg.train_dataloader.batch_size == 128 * repeats
        while 'dataset' in data:
            data = data.dataset
        assert data.ann_file == f'train_if{factor}.txt'
        assert cfg.randomness.seed == job.seed


def test_ablations_change_what_they_say(told, grid):
    jobs = told.finals(first_trials(told), 1)
    jobs = {job.label: job for job in jobs if ', ' in job.label}
    cfgs = {label: grid.run(job).cfg for label, job in jobs.items()}
    heads = {label: cfg.model.head for label, cfg in cfgs.items()}
    assert heads['GPaCo, no queue'].queue_length == 0
    assert heads['GPaCo, queue 4096'].queue_length == 4096
    for alpha in ('0.05', '0.2'):
        assert heads[f'GPaCo, alpha {alpha}'].loss.alpha == float(alpha)
    norm = heads['GPaCo, batch norm in the projector'].projector.norm_cfg
    assert norm.type == 'BN1d'
    (job,) = (job for job in jobs.values() if job.after)
    first = grid.run(grid._first(job))
    assert first.cfg.model.head.projector.norm_cfg.type == 'BN1d'
    assert cfgs[job.label].model.pretrained.startswith(first.dir.as_posix())
    pipeline = cfgs['GPaCo, one view'].train_dataloader.dataset.pipeline
    views = [x.get('num_views', 1) for x in pipeline]
    assert views == [1] * len(views)


@pytest.mark.parametrize('name', ['tiny_imagenet100', 'cifar100_lt_reduced'])
def test_the_records_are_those_of_the_configs(tool, name):
    """After a change of a config its figures would be those of another."""
    told = tool.description(name)
    records = PROJECTS / 'evidence' / 'records' / name
    grid = Grid(ROOT / told.configs, TOOLS, told.work_dir, records)
    chosen = grid.choose(told.trials())
    jobs = told.trials() + told.finals(chosen, told.seeds)
    jobs += told.again(grid.best(told.contest()), told.seeds)
    known = {job.name: job for job in jobs if grid.record(job) is not None}
    stages = {grid._first(job).name for job in known.values() if job.after}
    normalised = {
        grid.normalised(job).name for job in known.values() if job.normalised
    }
    files = {path.stem for path in records.glob('*.json')} - {'class_counts'}
    assert files == {*known, *stages, *normalised}


def test_a_grid_without_trials_chooses_nothing(tool, monkeypatch):
    with pytest.raises(RuntimeError, match='no trial of GPaCo'):
        report(tool, monkeypatch)


def test_the_report_says_what_has_not_been_run(tool, told, grid, monkeypatch):
    write_records(grid, told.trials())
    page = report(tool, monkeypatch)
    # The first trial of each is the better one here.
    trials = page.split('<!-- trials -->')[1].split('<!-- /trials -->')[0]
    assert trials.count('**') == 2 * 6
    assert '| GPaCo | alpha 0.01, temperature 0.07 | **50.00** |' in page
    better = '| GPaCo is better than PaCo | not decided |'
    assert f'{better} -4.00 (one seed) |' in page
    # The difference is halved by the adjustment.
    assert f'{better} -2.00 (one seed) |' in page
    assert '| two views are better than one | not run yet | – |' in page
    for name in PICTURES:
        assert imread(tool.ROOT / 'docs' / 'images' / name).shape[2] >= 3
    # The class counts are kept, so another machine needs no images.
    shutil.rmtree('data')
    assert report(tool, monkeypatch, '--work-dir', '/elsewhere') == page


def test_the_whole_grid_leaves_nothing_open(tool, told, grid, monkeypatch):
    write_records(grid, told.trials())
    chosen = grid.choose(told.trials())
    jobs = told.finals(chosen, 3)
    normalised = [grid.normalised(j) for j in jobs if j.normalised]
    write_records(grid, jobs + normalised)
    repeated = told.again(grid.best(told.contest()), 3)
    # What was written first has the best validation.
    best = [job.label for job in told.contest()[:3]]
    assert [job.label for job in repeated] == 2 * best
    assert [job.seed for job in repeated] == 3 * [1] + 3 * [2]
    write_records(grid, [*jobs, *normalised, *repeated])
    page = report(tool, monkeypatch)
    assert 'not run yet' not in page
    compared = page.split('<!-- compared -->')[1]
    assert [line.split('|')[-3].strip() for line in rows(compared)] == (
        3 * ['3'] + 3 * ['3'] + 7 * ['1']
    )
    assert page.count('(3 seeds)') == 4 + 4 + 1
    assert page.count('(one seed)') == 4 + 4


def test_a_grid_is_a_name_or_a_file(tool, tmp_path):
    own = tmp_path / 'own.py'
    own.write_text(
        'from beside import METHODS\n'
        'from evidence_description import Description\n'
        "GRID = Description('own', 'own.md', 'configs', 'w', METHODS, {})"
    )
    (tmp_path / 'beside.py').write_text(
        "from evidence_description import Method\nMETHODS = [Method('a', 'x')]"
    )
    assert [m.label for m in tool.description(str(own)).methods] == ['a']
    own.write_text('GRID = {}')
    with pytest.raises(argparse.ArgumentTypeError, match='must set GRID'):
        tool.description(str(own))
    own.write_text(
        'from evidence_description import Description\n'
        "GRID = Description('own', 'own.md', 'configs', 'w', [], {})"
    )
    with pytest.raises(
        argparse.ArgumentTypeError, match='own.py: a grid has one method'
    ):
        tool.description(str(own))
    with pytest.raises(argparse.ArgumentTypeError, match='no grid .nothing'):
        tool.description('nothing')


def test_a_page_without_marks_is_told_before_the_training(
    tool, tmp_path, monkeypatch
):
    own = tmp_path / 'own.py'
    own.write_text(
        'from evidence_description import Description, Method\n'
        "GRID = Description('own', 'docs/own.md', 'configs', 'w', "
        "[Method('a', 'x')], {'methods': []})"
    )
    monkeypatch.setattr(sys, 'argv', ['evidence.py', str(own)])
    with pytest.raises(ValueError, match=r'no page .*own\.md'):
        tool.main()
    (tmp_path / 'docs' / 'own.md').write_text('# Mine')
    with pytest.raises(ValueError, match='no marks <!-- methods -->'):
        tool.main()
