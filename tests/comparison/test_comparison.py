"""Comparisons of tiny trainings, run by the real tools."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.device import get_device
from support.paths import ROOT, TOOLS
from support.planned import plan_runs
from support.processes import living, wait_until

from mmpaco.cls.datasets.idx import write_idx
from mmpaco.comparison.overview_picture import plot_overview
from mmpaco.comparison.pictures import plot_classes, plot_curves
from mmpaco.comparison.report import markdown, table, write_report
from mmpaco.comparison.results import summarise
from mmpaco.comparison.scheduling import run_all

ITERATIONS = 14
COUNTS = np.arange(6, 36, 3)
ACCURACY = 'accuracy/top1'
RECALL = 'single-label/recall_classwise'
COLUMNS = {
    'all': ACCURACY,
    **{name: ACCURACY for name in ('many', 'medium', 'few')},
}

BASE = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(type='LeNet5', num_classes=10),
    head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss')))
data_preprocessor = dict(mean=[33.], std=[79.], num_classes=10)
pipeline = [dict(type='Resize', scale=32), dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=32, num_workers=0, persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='MNIST', data_root='{{$DATA:data}}', split='train',
        pipeline=pipeline))
val_dataloader = dict(
    batch_size=32, num_workers=0, persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='MNIST', data_root='{{$DATA:data}}', split='test',
        pipeline=pipeline))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='Accuracy', topk=1),
    dict(type='SingleLabelMetric', items=['recall'], average=None)]
test_evaluator = val_evaluator
train_cfg = dict(by_epoch=True, max_epochs=2)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9))
default_hooks = dict(logger=dict(type='LoggerHook', interval=2))
randomness = dict(seed={{'$SEED:0'}})
"""
CONFIGS = {
    'plain.py': "_base_ = 'base.py'\n",
    'smooth.py': """
_base_ = 'base.py'
model = dict(head=dict(loss=dict(
    _delete_=True, type='LabelSmoothLoss', label_smooth_val=0.2)))
""",
    'broken.py': """
_base_ = 'base.py'
model = dict(backbone=dict(type='NoSuchNet'))
""",
    'long.py': """
_base_ = 'base.py'
train_cfg = dict(max_epochs=90, val_interval=90)
""",
}


@pytest.fixture(scope='module')
def here(tmp_path_factory):
    """Configs, and images whose class is where they are bright."""
    root = tmp_path_factory.mktemp('comparison')
    (root / 'data').mkdir()
    random = np.random.RandomState(0)
    for name, counts in (('train', COUNTS), ('t10k', [8] * 10)):
        labels = np.repeat(np.arange(10, dtype=np.uint8), counts)
        images = random.randint(0, 90, (len(labels), 28, 28), dtype=np.uint8)
        for image, label in zip(images, labels):
            image[:, 2 * label : 2 * label + 4] += 120
        write_idx(root / f'data/{name}-images-idx3-ubyte', images)
        write_idx(root / f'data/{name}-labels-idx1-ubyte', labels)
    (root / 'base.py').write_text(BASE)
    for name, text in CONFIGS.items():
        (root / name).write_text(text)
    return root


def plan(here, seeds=(0, 1), work='work', **methods):
    configs = {label: here / f'{name}.py' for label, name in methods.items()}
    return plan_runs(configs, seeds, here / work, {'DATA': f'{here}/data'})


@pytest.fixture(scope='module')
def runs(here):
    runs = plan(here, Plain='plain', Smooth='smooth')
    run_all(runs, TOOLS)
    return runs


@pytest.fixture(scope='module')
def results(runs):
    return summarise(runs, 'Plain', {'bounds': [10, 20]})


def test_results_hold_every_run(runs, results, tmp_path):
    write_report(results, COLUMNS, 'Accuracy', tmp_path)
    stored = json.loads((tmp_path / 'results.json').read_text())
    assert stored == results
    assert stored['settings'] == {'bounds': [10, 20]}
    for label in ('Plain', 'Smooth'):
        method = stored['methods'][label]
        assert [run['seed'] for run in method['runs']] == [0, 1]
        for run in method['runs']:
            assert run['iterations'] == ITERATIONS
            assert len(run['metrics'][RECALL]) == 10
            assert 'torch' in run['versions']
            assert 0 < run['seconds'] < 60
            # Importing the stack alone takes more than 100 MB.
            assert 100 < run['memory'] < 100_000
        values = [run['metrics'][ACCURACY] for run in method['runs']]
        assert method['mean'][ACCURACY] == pytest.approx(np.mean(values))
        assert method['std'][ACCURACY] == pytest.approx(np.std(values, ddof=1))
    first, second = stored['methods'].values()
    assert first['time_ratio'] == 1
    assert second['time_ratio'] == second['seconds'] / first['seconds']
    assert second['memory_ratio'] == second['memory'] / first['memory']


def test_seed_reaches_the_training(runs):
    seeds = [run.cfg.randomness.seed for run in runs]
    assert seeds == [run.seed for run in runs] == [0, 0, 1, 1]
    losses = {next(run.training.scalars())['loss'] for run in runs}
    assert len(losses) == 4


def test_finished_runs_are_not_repeated(here, runs, capsys):
    def stamps():
        return {p: p.stat().st_mtime_ns for p in here.rglob('work/**/*.*')}

    before = stamps()
    run_all(plan(here, Plain='plain', Smooth='smooth'), TOOLS)
    assert stamps() == before
    assert '4 of 4 runs are finished already' in capsys.readouterr().out


def test_tables_hold_the_numbers_in_80_columns(results):
    from rich.console import Console

    method = results['methods']['Smooth']
    cell = f'{method["mean"][ACCURACY]:.1f}±{method["std"][ACCURACY]:.1f}'
    methods = {**results['methods'], 'Balanced Softmax': method}
    wide = {**results, 'methods': methods}
    out = StringIO()
    Console(file=out, width=80).print(table(wide, COLUMNS, 'Accuracy, %'))
    lines = out.getvalue().splitlines()
    row = next(line for line in lines if 'Softmax' in line)
    assert row.split()[:-4] == ['Balanced', 'Softmax', *[cell] * 4]
    text = markdown(results, COLUMNS, 'Accuracy, %')
    assert f'| Smooth | {" | ".join([cell] * 4)} |' in text


def test_one_seed_has_no_deviation(runs):
    results = summarise(runs[:2], 'Plain', {})
    assert results['methods']['Plain']['std'][ACCURACY] is None
    assert '±' not in markdown(results, COLUMNS, '').partition('\n\n')[2]


def test_unknown_metric_or_reference_is_named(runs, results):
    with pytest.raises(ValueError, match="'shot/many'.*accuracy/top1"):
        markdown(results, {'many': 'shot/many'}, '')
    with pytest.raises(
        ValueError, match=r"\['Plain', 'Smooth'\], but got 'X'"
    ):
        summarise(runs, 'X', {})


def test_pictures_can_be_read(runs, tmp_path):
    from matplotlib.image import imread

    counts = {0: COUNTS, 1: COUNTS[::-1]}
    plot_classes(runs, counts, RECALL, tmp_path / 'classes.png', (10, 20))
    plot_curves(runs, ACCURACY, 'accuracy', tmp_path / 'curves.png')
    assert imread(tmp_path / 'classes.png').shape[:2] == (630, 960)
    curves = imread(tmp_path / 'curves.png')
    assert curves.shape[:2] == (630, 1560)
    # White paper, and lines on both halves of it.
    assert curves.min() < 0.5 < curves[:, :780].mean() < 1
    assert 0.5 < curves[:, 780:].mean() < 1


def test_small_differences_are_not_drawn_large(tmp_path, monkeypatch):
    """Nor do percentages go below zero where all are zero."""
    limits = []

    def look(figure, path):
        limits.extend(ax.get_xlim() for ax in figure.axes)

    monkeypatch.setattr('mmpaco.comparison.overview_picture.save', look)
    methods = {
        label: {
            'runs': [{'metrics': {'few': 0.0, 'all': accuracy}}],
            'time_ratio': ratio,
        }
        for label, accuracy, ratio in (('a', 50.0, 1.0), ('b', 50.2, 1.01))
    }
    results = {'reference': 'a', 'methods': methods}
    plot_overview(results, {'few': 'few', 'all': 'all'}, tmp_path / 'x.png')
    few, all_, ratio = limits
    assert few == pytest.approx((-0.1, 1.9))
    assert all_ == pytest.approx((49.1, 51.1))
    assert ratio[1] - ratio[0] == pytest.approx(0.2)
    limits.clear()
    for method in methods.values():
        method['time_ratio'] = None
    plot_overview(results, {'few': 'few', 'all': 'all'}, tmp_path / 'x.png')
    assert limits == [few, all_]


def interrupt_training(run, work, number=signal.SIGINT):
    """Send a signal to a comparison once it has written a checkpoint."""
    code = (
        # A shell that runs the tests in the background ignores Ctrl-C.
        'import signal\n'
        'signal.signal(signal.SIGINT, signal.default_int_handler)\n'
        'from mmpaco.comparison.scheduling import run_all\n'
        f'import sys; sys.path.insert(0, {str(ROOT / "tests")!r})\n'
        'from support.planned import plan_runs\n'
        f'run_all(plan_runs({{{run.label!r}: {str(run.config)!r}}}, '
        f'[{run.seed}], {str(work)!r}, {run.env!r}), {str(TOOLS)!r})'
    )
    process = subprocess.Popen([sys.executable, '-c', code])
    end = time.time() + 100
    while time.time() < end:
        # The other process empties the directory, so files come and go.
        try:
            is_new = run.record.get('config_sha256') == run.config_sha256
            if is_new and run.checkpoint is not None:
                break
        except FileNotFoundError:
            pass
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(30) != 0


@pytest.fixture(scope='module')
def second(here, runs):
    """What another call makes of runs in every state."""
    for label, copy in (('plain', 'long'), ('smooth', 'smooth')):
        shutil.copytree(
            here / f'work/{label}/seed0', here / f'second/{copy}/seed0'
        )
    methods = {'Broken': 'broken', 'Long': 'long', 'Smooth': 'smooth'}
    planned = plan(here, [0], 'second', **methods)
    states = SimpleNamespace(**{run.label.lower(): run for run in planned})
    # Its directory holds the run of a config with fewer epochs.
    assert states.long.trained and not states.long.finished
    interrupt_training(states.long, here / 'second')
    states.left = states.long.checkpoint
    states.half = not states.long.trained
    with redirect_stdout(StringIO()) as shown:
        with pytest.raises(RuntimeError) as error:
            run_all(planned, TOOLS)
    states.shown, states.error = shown.getvalue(), str(error.value)
    return states


def test_failed_run_is_shown_and_others_finished(second):
    assert '1 of 3 runs failed' in second.error
    assert str(second.broken.log) in second.error
    assert f'FAILED, end of {second.broken.log}' in second.shown
    assert 'NoSuchNet is not in the' in second.shown
    assert not second.broken.trained
    assert second.broken.failure.startswith('NoSuchNet is not in the')
    assert second.long.finished and second.smooth.finished


def test_table_says_what_failed(second):
    results = summarise(
        [second.smooth, second.broken],
        'Smooth',
        {},
        {'Odd': 'it cannot be put on this config'},
    )
    assert results['methods']['Broken']['runs'] == []
    text = markdown(results, {'all': ACCURACY}, '')
    assert '| Broken (FAILED) | – | – | – | – |' in text
    assert '| Odd (FAILED) | – | – | – | – |' in text
    assert '\n\nBroken failed: seed 0: NoSuchNet is not in the' in text
    assert '\n\nOdd failed: it cannot be put on this config\n' in text


def test_a_removal_that_is_interrupted_leaves_a_run(second, tmp_path):
    """Whoever ends it can call again: the directory is still known as one."""
    shutil.copytree(second.smooth.dir, tmp_path / 'run')
    run = replace(second.smooth, dir=tmp_path / 'run')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, 'rmtree', lambda path: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run.clear()
    assert run.record == second.smooth.record
    run.clear()
    assert list(run.dir.iterdir()) == []


def test_moved_run_stays_finished(second, runs):
    assert second.smooth.record == runs[1].record
    assert '1 of 3 runs are finished already' in second.shown


def test_changed_run_is_repeated_and_interrupted_one_resumed(second):
    assert second.half and second.left.name != 'epoch_90.pth'
    assert second.long.checkpoint.name == 'epoch_90.pth'
    parts = sorted(second.long.dir.glob('*/vis_data/scalars.json'))
    assert len(parts) == 2
    assert json.loads(parts[1].read_text().splitlines()[0])['iter'] > 7
    steps = [x['iter'] for x in second.long.training.scalars() if 'iter' in x]
    assert steps == sorted(set(steps))
    assert steps[0] == 2 and steps[-1] == 90 * 7 - 1
    assert second.long.record['iterations'] == 90 * 7


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_no_training_outlives_a_comparison_that_is_killed(here, number):
    work = here / f'killed by {number}'
    (run,) = plan(here, [0], work.name, Long='long')
    interrupt_training(run, work, number)
    assert not run.trained
    assert wait_until(lambda: not living(run.dir), 20)


def test_foreign_directory_is_left_alone(here, tmp_path):
    (run,) = plan_runs({'A': here / 'plain.py'}, [0], tmp_path)
    run.dir.mkdir(parents=True)
    (run.dir / 'thesis.txt').touch()
    with pytest.raises(RuntimeError, match='Move it away'):
        run_all([run], TOOLS)
    assert os.listdir(run.dir) == ['thesis.txt']


def test_arguments_are_checked(here):
    with pytest.raises(ValueError, match='jobs=0'):
        run_all([], TOOLS, jobs=0)


def test_what_follows_a_run_holds_up_no_other(here):
    runs = plan(here, work='followed', Plain='plain', Smooth='smooth')[:2]
    began, ended = {}, {}

    def follow(run):
        began[run.label] = time.monotonic()
        # As long as both trainings take.
        while not all(x.finished for x in runs) and len(began) == 1:
            time.sleep(0.1)
        ended[run.label] = time.monotonic()

    run_all(runs, TOOLS, jobs=2, then=follow)
    assert all(run.finished for run in runs)
    first, second = sorted(began, key=began.get)
    assert ended[first] <= began[second]
    if get_device() == 'cpu':
        assert all(run.record['cpu_seconds'] > 0 for run in runs)


def test_an_error_in_what_follows_a_run_ends_the_comparison(here):
    runs = plan(here, seeds=(0,), work='followed', Plain='plain')
    shutil.rmtree(runs[0].dir, ignore_errors=True)

    def fail(run):
        raise OSError('no space left')

    with pytest.raises(OSError, match='no space left'):
        run_all(runs, TOOLS, then=fail)
    assert runs[0].finished
