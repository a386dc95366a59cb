"""The benchmark of a training step."""

import json
import re
import subprocess
import sys

import pytest
from mmengine.config import Config
from support.paths import TOOLS
from support.small_segmentor import small_segmentor

TOOL = TOOLS / 'benchmarks/train_step.py'
STEPS = ('baseline', 'gpaco', 'released')
PARTS = ('loss', 'projector', 'whole map')


def write(path, model):
    cfg = dict(
        default_scope='mmseg',
        model=model,
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
    )
    Config(cfg).dump(str(path))
    return path


def measure(*args):
    """Medians of the parts, and what is said of both orders, in numbers."""
    out = subprocess.run(
        [sys.executable, '-W', 'ignore', TOOL, *args],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert out.returncode == 0, out.stderr[-3000:]
    medians = {}
    for name in (*STEPS, *PARTS):
        memory = r', peak memory of a step \d+ MiB' * (name in STEPS)
        line = rf'{name} +median ([\d.]+) s of \d \(.*\){memory}\n'
        found = re.search(line, out.stdout)
        assert found, out.stdout
        medians[name] = float(found[1])
    number = r'(-?[\d.]+)'
    added = re.findall(
        rf' / baseline: {number} in memory, {number} in time; of the step, '
        rf'the contrastive loss takes {number} %, the projector {number} % '
        rf'and the rest {number} %\n',
        out.stdout,
    )
    assert len(added) == 2, out.stdout
    return medians, *(list(map(float, x)) for x in added)


def test_it_times_two_configs_and_measures_their_memory(tmp_path):
    paths = []
    for name, num_heads in (('baseline', 1), ('gpaco', 2)):
        model = small_segmentor()
        model.auxiliary_head = model.auxiliary_head[:num_heads]
        model.gpaco = None
        # Enough pairs of pixels to be seen beside so small a model.
        if num_heads == 2:
            model.auxiliary_head[1].update(
                num_samples=700,
                loss_decode=dict(
                    type='mmpaco.PaCoLoss',
                    alpha=0.01,
                    temperature=0.07,
                    impl='dense',
                ),
            )
        paths.append(write(tmp_path / f'{name}.py', model))
    medians, gpaco, released = measure(
        *(*paths, '--size', '256', '256', '--repeats', '3')
    )
    assert 0 < medians['baseline'] < medians['gpaco']
    assert 0 < medians['loss'] < medians['gpaco']
    assert 0 < medians['projector'] < medians['gpaco']
    memory, time, *shares = gpaco
    assert memory > 1 and time > 1
    # With the share of the baseline, and medians of each.
    assert 0 < sum(shares) < 100
    # 1024 positions go through the projector, of which 700 are contrasted.
    assert released[0] > memory


def test_the_config_of_the_baseline_is_enough(tmp_path):
    """Which is a stock one: the type of its model is all that changes."""
    model = small_segmentor(type='EncoderDecoder')
    model.auxiliary_head = model.auxiliary_head[:1]
    path = write(tmp_path / 'stock.py', model)
    medians, *_ = measure(path, '--size', '64', '64', '--repeats', '1')
    assert medians['loss'] > 0


def test_the_table_of_a_device_can_be_tried_without_one(tmp_path):
    """Of a classifier, whose baseline gets as many images in one view."""
    pytest.importorskip('mmpretrain')
    from support.small_classifier import classifier_config

    gpaco = classifier_config(None)
    head = dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=64,
        loss=dict(type='CrossEntropyLoss'),
    )
    baseline = dict(gpaco, type='ImageClassifier', head=head)
    baseline.pop('momentum')
    paths = []
    for name, model in (('baseline', baseline), ('gpaco', gpaco)):
        preprocessor = model.pop('data_preprocessor')
        if name == 'baseline':
            preprocessor = dict(mean=[128.0] * 3, std=[64.0] * 3)
        cfg = dict(
            default_scope='mmpretrain',
            model=model,
            data_preprocessor=preprocessor,
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        )
        paths.append(tmp_path / f'{name}.py')
        Config(cfg).dump(str(paths[-1]))
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', TOOL, *paths]
        + ['--size', '32', '32', '--batch', '4', '--repeats', '2']
        + ['--device', 'cpu', '--precisions', 'float32']
        + ['--out', tmp_path / 'steps.jsonl'],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = (tmp_path / 'steps.jsonl').read_text().splitlines()
    turns = json.loads(line)['turns']
    assert list(turns) == ['baseline', 'gpaco', 'tiles', 'loss', 'loss, tiles']
    for name, row in turns.items():
        assert 0 < row['least_ms'] <= row['median_ms'] <= row['most_ms']
        assert row['memory_mib'] > 0
        assert f'\n  {name:12}' in done.stdout
    assert turns['loss']['median_ms'] < turns['gpaco']['median_ms']
