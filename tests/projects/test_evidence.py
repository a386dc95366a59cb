"""The grid of docs/evidence.md, trained in small, and what is told of it."""

import json
import math
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from evidence_claims import ADJUSTED, STEEPNESS, Claim, claims_table
from evidence_description import Description, Method, Results
from evidence_experiment import Experiment
from evidence_grid import Grid
from evidence_page import fill
from evidence_record import last_validation
from evidence_tables import (
    adjusted_table,
    methods_table,
    steepness,
    trials_table,
)
from mmengine.config import Config
from mmengine.runner import Runner
from support.paths import CONFIGS as SHIPPED
from support.paths import ROOT

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
        'config_sha256': grid.run(job).config_sha256,
        'seconds': seconds,
        'cpu_seconds': seconds,
    }
    grid.records.mkdir(exist_ok=True)
    path = grid.records / f'{job.name}.json'
    path.write_text(json.dumps(record))


def test_it_records_both_stages_and_the_normalised_classifier(folder):
    grid, job = make_grid(folder), two_stages()
    other = replace(job, setting={'TEMPERATURE': '0.07'})
    with pytest.raises(RuntimeError, match='no trial of SupCon'):
        grid.choose([job, other])
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
    assert grid.choose([other, job]) == {'SupCon': job}


def test_it_records_how_strong_contrast_is(folder):
    grid = make_grid(folder)
    config = 'gpaco/resnet14-w16_tiny-imagenet100-lt'
    job = Experiment('GPaCo', config, {'ALPHA': '0.01'})
    grid.train([job])
    (record,) = grid.known([job])
    log = grid.run(job).log.read_text(errors='replace')
    # The tiny set has as many images of each class.
    told = re.search(r'alpha x K is (\S+) for each class.*?\(K = (\S+) ', log)
    assert record['alpha_k'] == float(told[1])
    assert record['k'] == pytest.approx(float(told[2]), rel=5e-3)


def test_a_record_goes_by_the_label_of_today(folder):
    grid, job = make_grid(folder), replace(two_stages(), after=None)
    write_record(grid, job, 60.0)
    spelt = replace(job, label='SUPCON')
    assert grid.record(spelt)['label'] == 'SUPCON'


def test_a_record_that_was_cut_short_is_named(folder):
    grid, job = make_grid(folder), two_stages()
    write_record(grid, job, 60.0)
    path = grid.records / f'{job.name}.json'
    path.write_text(path.read_text()[:-9])
    with pytest.raises(ValueError, match=f'{path} is not a whole record'):
        grid.record(job)


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

    # Nor do they know where that was.
    other = Grid(grid.configs, grid.tools, folder, grid.records, 1, 'work')
    assert other.record(job) == grid.record(job)
    assert other.run(job).dir == folder / job.name
    stage = other.run(job).cfg.model.pretrained
    assert stage.startswith(f'{folder}/supcon-stage-1')

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


def results_of(*records, counts=(), trials=(), chosen=None):
    groups = {}
    for each in records:
        groups.setdefault(each['label'], []).append(each)
    return Results(groups, trials, chosen or {}, counts)


def body(table):
    return table.splitlines()[2:]


@pytest.mark.parametrize(
    ('better', 'said'),
    [
        ((31.0, 33.0, 32.5), 'holds | +1.83 ± 0.76 (3 seeds)'),
        ((29.0, 29.0, 29.0), 'does not hold | -1.33 ± 0.58 (3 seeds)'),
        # Every seed is above, and one of them alone makes the difference.
        ((30.1, 31.1, 33.0), 'not decided | +1.07 ± 1.67 (3 seeds)'),
        ((31.0, 30.0, 30.0), 'not decided | +0.00 ± 1.00 (3 seeds)'),
        ((31.0, 32.0), 'not decided | +1.00 ± 0.00 (2 seeds)'),
        ((33.0,), 'not decided | +3.00 (one seed)'),
        ((), 'not run yet | –'),
    ],
)
def test_a_claim_is_decided_by_the_spread_of_three_seeds(better, said):
    worse = [record('b', i, x) for i, x in enumerate((30.0, 31.0, 30.0))]
    above = [record('a', i, x) for i, x in enumerate(better)]
    table = claims_table(
        results_of(*worse, *above), [Claim('a is better', 'a', 'b')]
    )
    assert body(table) == [f'| a is better | {said} |']


def test_a_claim_leaves_out_what_is_no_figure():
    results = results_of(
        *(record('a', i, x) for i, x in enumerate((41.0, math.nan))),
        *(record('b', i, 40.0) for i in range(2)),
    )
    table = claims_table(results, [Claim('a is better', 'a', 'b')])
    assert body(table) == ['| a is better | not decided | +1.00 (one seed) |']


def test_a_claim_compares_the_same_seeds():
    results = results_of(
        *(record('a', seed, 40.0 + seed) for seed in (0, 2, 3)),
        *(record('b', seed, 30.0 + seed) for seed in (3, 1, 0)),
    )
    table = claims_table(results, [Claim('a is better', 'a', 'b')])
    assert body(table) == [
        '| a is better | not decided | +10.00 ± 0.00 (2 seeds) |'
    ]


def test_tables_tell_mean_and_spread():
    runs = [record('a', 0, 30.0, alpha_k=0.59), record('a', 1, 32.0)]
    milder = record('c', 0, 30.0, test={'all': 35.0, 'many': 36.0})
    results = results_of(*runs, milder)
    cell = '31.00 ± 1.41'
    assert body(methods_table(results, ['a', 'b', 'c'])) == [
        f'| a | {cell} | {cell} | {cell} | {cell} | 0.59 | 2 | 2 |',
        '| b | – | – | – | – | – | – | not run yet |',
        '| c | 35.00 | 36.00 | – | – | – | 1 | 2 |',
    ]
    assert body(methods_table(results, ['a'], seeds=1)) == [
        '| a | 30.00 | 30.00 | 30.00 | 30.00 | 0.59 | 1 | 2 |',
    ]
    trials = [
        record('a', 0, 31.0),
        record('a', 0, 30.0, setting={'ALPHA': '0.05'}),
    ]
    assert last_validation(trials[0]) == 31.0
    chosen = {'a': Experiment('a', 'c', {'ALPHA': '0.01'})}
    told = trials_table(results_of(trials=trials, chosen=chosen))
    assert body(told) == [
        '| a | alpha 0.01 | **31.00** |',
        '| a | alpha 0.05 | 30.00 |',
    ]


def test_steepness_compares_the_ends_of_the_tail():
    counts = [1, 5, 3, 4, 2]
    norms = [1.0, 8.0, 3.0, 4.0, 2.0]
    assert steepness(record('a', 0, 1.0, gradient_norm=norms), counts) == 8
    assert steepness(record('a', 0, 1.0), counts) is None
    results = results_of(
        *(record('a', s, 1.0, gradient_norm=norms) for s in (0, 1)),
        record('b', 1, 9.0, gradient_norm=[1.0] * 5),
        record('c', 1, 9.0),
        counts=counts,
    )
    claims = [Claim('a is steeper', 'a', 'b'), Claim('c is', 'c', 'b')]
    assert body(claims_table(results, claims, STEEPNESS)) == [
        '| a is steeper | not decided | +7.00 (one seed) |',
        '| c is | not run yet | – |',
    ]


def test_methods_are_compared_again_with_their_logits_adjusted():
    def adjusted(strength, accuracy):
        return {'strength': strength, 'all': accuracy}

    results = results_of(
        record('a', 0, 25.0, adjusted=adjusted(1.0, 30.0)),
        record('a', 1, 26.0, adjusted=adjusted(0.9, 32.0)),
        record('b', 0, 31.0, adjusted=adjusted(-0.1, 31.5)),
        record('c', 0, 31.0),
    )
    assert body(adjusted_table(results, ['a', 'b', 'c'])) == [
        '| a | 25.50 ± 0.71 | 31.00 ± 1.41 | 1, 0.9 |',
        '| b | 31.00 | 31.50 | -0.1 |',
    ]
    assert adjusted_table(results, ['c']) == 'Not run yet.'
    claims = [Claim('b is better', 'b', 'a'), Claim('c is', 'c', 'a')]
    assert body(claims_table(results, claims, ADJUSTED)) == [
        '| b is better | not decided | +1.50 (one seed) |',
        '| c is | not run yet | – |',
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


def test_marks_that_a_page_shows_stay_as_they_are(tmp_path):
    page = tmp_path / 'page.md'
    marks = '<!-- x -->\n<!-- /x -->\n'
    page.write_text(f'{marks}So they look:\n{marks}')
    fill(page, {'x': 'table'})
    assert page.read_text() == (
        f'<!-- x -->\n\ntable\n\n<!-- /x -->\nSo they look:\n{marks}'
    )


def describe(*methods, **options):
    return Description('x', 'x.md', 'configs', 'work', methods, {}, **options)


@pytest.mark.parametrize(
    ('methods', 'said'),
    [
        ([], 'has 0 methods and 3 seeds'),
        ([Method('a', 'x'), Method('a', 'y')], "'a' and 'a' are two"),
        ([Method('A, b', 'x'), Method('a b', 'y')], "'A, b' and 'a b' are"),
        ([Method('τ', 'x'), Method('σ', 'x')], "'τ' and 'σ' are two"),
        (
            [Method('a', 'x', normalised='n'), Method('N', 'x')],
            "'N' and 'n' are two",
        ),
        (
            [Method(x, 'x', after=('first', x)) for x in 'ab'],
            "'first' and 'first' are two",
        ),
        ([Method('a', 'x', [])], r"'a' must have one setting .* got \[\]"),
        ([Method('a', 'x', [{'LR': '1'}] * 2)], "'a' must have one .* same"),
        (
            [Method('a', 'x', [{'LR': '1'}, {'LR': '2'}], contest=True)],
            "'a' has 2 settings",
        ),
        (
            [
                Method('a', 'x'),
                Method('b', like='a', settings=[{'LR': '1'}, {'LR': '2'}]),
            ],
            "'b' has 2 settings",
        ),
        (
            [Method('a', 'x'), Method('b', like='a', contest=True)],
            "'b' is like 'a' and in the contest",
        ),
        (
            [Method('a', 'x', contest=True), Method('b', like='a')],
            "'b' is like 'a', which",
        ),
        ([Method('a', 'x'), Method('b', like='c')], "'b' is like 'c', which"),
        (
            [Method('a', 'x'), Method('b', like='a'), Method('c', like='b')],
            r"'c' is like 'b', which is no .* those are \['a'\]",
        ),
        ([Method('a')], "'a' has no config"),
    ],
)
def test_a_description_without_sense_is_refused(methods, said):
    with pytest.raises(ValueError, match=said):
        describe(*methods)


def test_a_grid_without_a_seed_is_refused():
    with pytest.raises(ValueError, match='has 1 methods and 0 seeds'):
        describe(Method('a', 'x'), seeds=0)


def test_a_description_plans_its_trainings():
    told = describe(
        Method('a', 'x', [{'LR': '1'}, {'LR': '2'}], env={'METHOD': 'm'}),
        Method('b', 'y'),
        Method('a, none', settings=[{'QUEUE': '0'}], like='a'),
        Method('c', 'z', contest=True),
        Method('d', 'z', contest=True),
        repeated=1,
    )
    trials = told.trials()
    assert [x.name for x in trials] == [
        'a_lr1_seed0',
        'a_lr2_seed0',
        'b_seed0',
    ]
    jobs = told.finals({'a': trials[1], 'b': trials[2]}, 2)
    assert [x.name for x in jobs] == [
        'a_lr2_seed0',
        'b_seed0',
        'a_lr2_seed1',
        'b_seed1',
        'a-none_lr2_queue0_seed0',
        'c_seed0',
        'd_seed0',
    ]
    assert jobs[4].env == {'METHOD': 'm'} and jobs[4].config == 'x'
    again = told.again(list(reversed(told.contest())), 3)
    assert [x.name for x in again] == ['d_seed1', 'd_seed2']


def test_what_one_setting_alone_has_needs_no_choice(folder):
    grid = make_grid(folder)
    job = Experiment('GPaCo', 'gpaco/resnet14-w16_tiny-imagenet100-lt')
    assert grid.choose([job]) == {'GPaCo': job}
    assert grid.best([job]) == []
