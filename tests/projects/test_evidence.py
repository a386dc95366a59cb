"""The grid of docs/evidence.md, trained in small, and what is told of it."""

import json
import re
import shutil

import cv2
import numpy as np
import pytest
import torch
from evidence_grid import Experiment, Grid
from evidence_record import last_validation
from evidence_report import (
    Claim,
    adjusted_accuracy,
    adjusted_table,
    by_label,
    claims_table,
    fill,
    judge,
    methods_table,
    steepness,
    trials_table,
)
from mmengine.config import Config
from mmengine.runner import Runner
from support.paths import CONFIGS as SHIPPED
from support.paths import DOCS, ROOT

from mmpaco.analysis.logit_adjustment import STRENGTHS

CONFIGS = sorted(
    path.relative_to(SHIPPED).with_suffix('').as_posix()
    for path in SHIPPED.rglob('*tiny-imagenet100*.py')
    if '_base_' not in path.parts
)
SMALL = """
_base_ = {base!r}

train_cfg = dict(max_epochs=1, val_interval=1)
train_dataloader = dict(batch_size=64)
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=1)
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with small images and lists, and configs of one epoch."""
    images = tmp_path / 'data' / 'tiny_imagenet100' / 'images'
    images.mkdir(parents=True)
    rng = np.random.default_rng(0)
    lists = {'train_if100': 2, 'val': 1, 'test': 1}
    for name, per_class in lists.items():
        lines = []
        for label in range(100):
            for i in range(per_class):
                path = images / f'{name}_{label}_{i}.JPEG'
                cv2.imwrite(str(path), rng.integers(0, 255, (40, 48, 3)))
                lines.append(f'images/{path.name} {label}')
        (images.parent / f'{name}.txt').write_text('\n'.join(lines))
    for config in CONFIGS:
        path = tmp_path / 'configs' / f'{config}.py'
        path.parent.mkdir(parents=True, exist_ok=True)
        base = (SHIPPED / f'{config}.py').as_posix()
        path.write_text(SMALL.format(base=base))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_grid(folder):
    return Grid(
        folder / 'configs', ROOT / 'tools', 'work', folder / 'records', 1
    )


def two_stages():
    return Experiment(
        'SupCon',
        'baselines/supcon-stage2_resnet14-w16_tiny-imagenet100-lt',
        {'TEMPERATURE': '0.2'},
        after=(
            'SupCon, stage 1',
            'baselines/supcon-stage1_resnet14-w16_tiny-imagenet100-lt',
        ),
        normalised='Normalised',
    )


def write_record(grid, job, seconds):
    record = {
        'config_sha256': grid._run(job).config_sha256,
        'seconds': seconds,
        'cpu_seconds': seconds,
    }
    grid.records.mkdir(exist_ok=True)
    path = grid.records / f'{job.name}.json'
    path.write_text(json.dumps(record))


def test_it_records_both_stages_and_the_normalised_classifier(folder):
    grid, job = make_grid(folder), two_stages()
    with pytest.raises(RuntimeError, match='no trial of SupCon'):
        grid.choose([job])
    # The first stage is trained again if its checkpoint is gone.
    write_record(grid, grid._first(job), 60.0)
    grid.train([job])

    names = {path.stem for path in (folder / 'records').iterdir()}
    assert names == {
        'supcon-stage-1_temperature0.2_seed0',
        'supcon_temperature0.2_seed0',
        'normalised_temperature0.2_seed0',
    }
    (record,) = grid.known([job])
    (normalised,) = grid.known([grid.normalised(job)])
    assert record['epochs'] == 1 and list(record['validation']) == ['1']
    assert len(record['test']['classes']) == 100
    assert np.isclose(
        record['test']['all'], np.mean(record['test']['classes'])
    )
    assert len(record['gradient_norm']) == 100
    assert min(record['gradient_norm']) > 0
    assert 0 <= record['adjusted']['all'] <= 100
    assert record['adjusted']['strength'] in STRENGTHS
    assert 0 <= float(normalised['setting']['tau']) <= 1
    assert len(normalised['test']['classes']) == 100
    assert grid.choose([job]) == {'SupCon': job}


def test_it_records_how_strong_contrast_is(folder):
    grid = make_grid(folder)
    config = 'gpaco/resnet14-w16_tiny-imagenet100-lt'
    job = Experiment('GPaCo', config, {'ALPHA': '0.01'})
    grid.train([job])
    (record,) = grid.known([job])
    log = grid._run(job).log.read_text(errors='replace')
    # The tiny set has as many images of each class.
    told = re.search(r'alpha x K is (\S+) for each class.*?\(K = (\S+) ', log)
    assert record['alpha_k'] == float(told[1])
    assert record['k'] == pytest.approx(float(told[2]), rel=5e-3)


def test_two_second_stages_share_a_first_one(folder):
    grid = make_grid(folder)
    setup = 'resnet14-w16_tiny-imagenet100-lt'
    first = ('Decoupling', f'compared/decoupling-stage1_{setup}')
    jobs = [
        Experiment(name, f'compared/{name}_{setup}', after=first)
        for name in ('crt', 'lws')
    ]
    grid.train(jobs)
    records = grid.known(jobs)
    assert [record['label'] for record in records] == ['crt', 'lws']
    log = (folder / 'work' / 'decoupling_seed0' / 'log.txt').read_text()
    assert log.count('Saving checkpoint at 1 epochs') == 1
    # Of LWS, only the scales train.
    assert 'gradient_norm' in records[0]
    assert 'gradient_norm' not in records[1]


def test_records_outlive_the_work_directory(folder):
    grid, job = make_grid(folder), two_stages()
    write_record(grid, grid._first(job), 60.0)
    write_record(grid, job, 5.0)
    assert grid.record(job)['seconds'] == 65.0
    assert grid.record(job)['cpu_seconds'] == 65.0
    grid.train([job])
    assert not (folder / 'work').exists()

    config = folder / 'configs' / f'{job.config}.py'
    config.write_text(config.read_text() + '\nauto_scale_lr = None\n')
    assert grid.record(job) is None


@pytest.mark.parametrize('config', CONFIGS)
def test_configs_train(config, folder, monkeypatch):
    """One epoch of three batches each, in this process."""
    if re.search('stage2|/crt|/lws', config):
        pytest.skip('they start from the checkpoint of another')
    cfg = Config.fromfile(folder / 'configs' / f'{config}.py')
    cfg.work_dir = str(folder / 'work')
    cfg.experiment_name = config.replace('/', '-')
    cfg.default_hooks.checkpoint = None
    cfg.default_hooks.pop('whole_checkpoint')
    runner = Runner.from_cfg(cfg)
    before = runner.model.backbone.conv1.weight.clone()
    runner.train()
    after = runner.model.backbone.conv1.weight
    assert runner.iter == len(runner.train_dataloader) >= 3
    assert after.isfinite().all() and not after.equal(before)
    is_last = runner.model.backbone.layer3[0].conv2.weight
    assert is_last.is_contiguous(memory_format=torch.channels_last)


def record(label, seed, accuracy, **others):
    test = dict.fromkeys(('all', 'many', 'medium', 'few'), accuracy)
    return {
        'label': label,
        'seed': seed,
        'setting': {'ALPHA': '0.01'},
        'cpu_seconds': 120.0,
        'test': test,
        'validation': {'1': 1.0, '2': accuracy},
        **others,
    }


def test_a_claim_holds_only_if_every_seed_says_so():
    worse = [record('b', 0, 30.0), record('b', 1, 31.0)]
    better = [record('a', 0, 31.0), record('a', 1, 33.0)]
    mixed = [record('a', 0, 31.0), record('a', 1, 30.0)]
    assert judge(better, worse) == 'holds: +1.50 ± 0.71 (2 seeds)'
    assert judge(worse, better) == 'does not hold: -1.50 ± 0.71 (2 seeds)'
    assert judge(mixed, worse) == 'seeds disagree: +0.00 ± 1.41 (2 seeds)'
    assert judge(better[:1], worse) == 'holds: +1.00 (one seed)'
    assert judge(better, []) == 'not run yet'
    table = claims_table(
        [Claim('a is better', 'a', 'b'), Claim('c is', 'c', 'b')],
        by_label([*worse, *better]),
    )
    assert table.splitlines()[2:] == [
        '| a is better | holds: +1.50 ± 0.71 (2 seeds) |',
        '| c is | not run yet |',
    ]


def test_tables_tell_mean_and_spread():
    runs = [record('a', 0, 30.0, alpha_k=0.59), record('a', 1, 32.0)]
    rows = methods_table({'a': runs, 'b': []}).splitlines()[2:]
    cell = '31.00 ± 1.41'
    assert rows == [
        f'| a | {cell} | {cell} | {cell} | {cell} | 0.59 | 2 | 2 |',
        '| b | – | – | – | – | – | – | not run yet |',
    ]
    milder = record('c', 0, 30.0, test={'all': 35.0, 'many': 36.0})
    assert methods_table({'c': [milder]}).splitlines()[2:] == [
        '| c | 35.00 | 36.00 | – | – | – | 1 | 2 |',
    ]
    trials = [
        record('a', 0, 31.0),
        record('a', 0, 30.0, setting={'ALPHA': '0.05'}),
    ]
    assert last_validation(trials[0]) == 31.0
    chosen = {'a': Experiment('a', 'c', {'ALPHA': '0.01'})}
    assert trials_table(trials, chosen).splitlines()[2:] == [
        '| a | alpha 0.01 | **31.00** |',
        '| a | alpha 0.05 | 30.00 |',
    ]


def test_steepness_compares_the_ends_of_the_tail():
    counts = [1, 5, 3, 4, 2]
    norms = [1.0, 8.0, 3.0, 4.0, 2.0]
    assert steepness(record('a', 0, 1.0, gradient_norm=norms), counts) == 8
    assert steepness(record('a', 0, 1.0), counts) is None
    records = {
        'a': [record('a', s, 1.0, gradient_norm=norms) for s in (0, 1)],
        'b': [record('b', 1, 9.0, gradient_norm=[1.0] * 5)],
        'c': [record('c', 1, 9.0)],
    }
    table = claims_table(
        [Claim('a is steeper', 'a', 'b'), Claim('c is', 'c', 'b')],
        records,
        'ratio',
        lambda run: steepness(run, counts),
    )
    assert table.splitlines()[2:] == [
        '| a is steeper | holds: +7.00 (one seed) |',
        '| c is | not run yet |',
    ]


def test_methods_are_compared_again_with_their_logits_adjusted():
    def adjusted(strength, accuracy):
        return {'strength': strength, 'all': accuracy}

    records = {
        'a': [
            record('a', 0, 25.0, adjusted=adjusted(1.0, 30.0)),
            record('a', 1, 26.0, adjusted=adjusted(0.9, 32.0)),
        ],
        'b': [record('b', 0, 31.0, adjusted=adjusted(-0.1, 31.5))],
        'c': [record('c', 0, 31.0)],
    }
    assert adjusted_table(records).splitlines()[2:] == [
        '| a | 25.50 ± 0.71 | 31.00 ± 1.41 | 1, 0.9 |',
        '| b | 31.00 | 31.50 | -0.1 |',
    ]
    table = claims_table(
        [Claim('b is better', 'b', 'a'), Claim('c is', 'c', 'a')],
        records,
        'points',
        adjusted_accuracy,
    )
    assert table.splitlines()[2:] == [
        '| b is better | holds: +1.50 (one seed) |',
        '| c is | not run yet |',
    ]


def test_a_page_is_filled_between_its_marks(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('before\n<!-- x -->\nold\n<!-- /x -->\nafter\n')
    for text in ('| \\1 |', 'new'):
        fill(page, {'x': text})
        assert page.read_text() == (
            f'before\n<!-- x -->\n\n{text}\n\n<!-- /x -->\nafter\n'
        )
    with pytest.raises(ValueError, match='no marks <!-- y -->'):
        fill(page, {'y': 'text'})


def test_the_page_of_the_evidence_has_all_marks(tmp_path):
    page = tmp_path / 'page.md'
    shutil.copy(DOCS / 'evidence.md', page)
    names = (
        'trials',
        'methods',
        'claims',
        'adjusted',
        'ablations',
        'gradients',
    )
    fill(page, dict.fromkeys(names, 'table'))
    assert page.read_text().count('\ntable\n') == 6
