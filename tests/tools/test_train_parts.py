"""The benchmark of the parts of a training step."""

import json

import pytest
from support.tools import call_here

pytest.importorskip('mmpretrain')

PARTS = (
    *('loader', 'transforms', 'data preprocessor', 'backbone', 'neck', 'head'),
    *('backward', 'optimizer', 'the rest', 'LoggerHook', 'SpinHook'),
)
SPINS = """
import time
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module(force=True)
class SpinHook(Hook):
    def after_train_iter(self, runner, **_):
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
"""
EXTRA = """
custom_imports = dict(imports='spins')
custom_hooks = [dict(type='mmengine.SpinHook')]
"""
# So short an epoch ends among the steps: it has eight.
STEPS = ('--iters', '8', '--warm-ups', '2')


@pytest.fixture
def measure(tiny_config, tmp_path, monkeypatch):
    """Measure a small config; give what is printed, and what is kept."""
    tiny_config(extra=EXTRA)
    (tmp_path / 'spins.py').write_text(SPINS)
    monkeypatch.syspath_prepend(tmp_path)

    def run(*options):
        done = call_here(
            *(tmp_path, 'benchmarks/train_parts.py', 'tiny.py'),
            *(*STEPS, '--out', 'out.jsonl', *options),
        )
        assert done.returncode == 0, done.stderr[-3000:]
        lines = (tmp_path / 'out.jsonl').read_text().splitlines()
        return done.stdout, json.loads(lines[-1])

    return run


def test_a_part_is_counted_without_those_inside_of_it(measure):
    printed, result = measure()
    assert 'tiny.py: 4 images in a step on cpu' in printed
    (row,) = result['variants']
    found = dict(row['host'])
    step = found.pop('step')
    assert set(PARTS) <= set(found)
    assert all(found[x] > 0 for x in PARTS)
    assert max(found, key=found.get) == 'SpinHook'
    assert 0.05 <= found['SpinHook'] < 0.06
    # All of a step, but for what medians of parts lose.
    assert sum(found.values()) == pytest.approx(step, rel=0.2)
    # It learns, without what the config would validate and save.
    assert len(row['losses']) == 10
    assert row['losses'][-1] < 0.5 * row['losses'][0]
    assert row['card'] is row['launches'] is None
    shown = [x.split()[0] for x in printed.splitlines() if x.strip()]
    assert shown[-1] == 'step'
    assert {'SpinHook', 'backbone', 'smaller'} <= set(shown)


@pytest.mark.parametrize(
    ('options', 'same_batches', 'largest'),
    [
        (['train_dataloader.batch_size=4'], 10, 0),
        (['optim_wrapper.optimizer.lr=0.06'], 10, None),
        (['randomness.seed=1'], 0, None),
    ],
)
def test_a_second_config_gets_the_same_batches_from_the_same_seed(
    measure, options, same_batches, largest
):
    printed, result = measure('--against-options', *options)
    found = result['losses']
    assert found['steps'] == 10
    assert found['same_batches'] == same_batches
    assert f'{same_batches} of them of the same batches' in printed
    if largest is None:
        assert 0 < found['mean'] < found['largest']
        first, second = (x['losses'] for x in result['variants'])
        assert (first[0] == second[0]) == (same_batches > 0)
    else:
        assert found['largest'] == largest
    assert '/ first' in printed


def test_the_second_may_be_another_file_that_counts_iterations(
    measure, tmp_path
):
    (tmp_path / 'half.py').write_text(
        "_base_ = 'tiny.py'\n"
        "optim_wrapper = dict(type='mmpaco.BFloat16OptimWrapper')\n"
        'train_cfg = dict(_delete_=True, by_epoch=False, max_iters=9)\n'
    )
    _, result = measure('--against', 'half.py')
    assert [x['config'] for x in result['variants']] == ['tiny.py', 'half.py']
    assert result['losses']['same_batches'] > 0
    assert 0 < result['losses']['mean'] < 0.1


def test_noise_takes_the_place_of_images_and_a_worker_hides_transforms(
    measure, tmp_path
):
    for path in (tmp_path / 'data').rglob('*.png'):
        path.unlink()
    _, here = measure('--noise', '8', '8')
    _, there = measure('--noise', '8', '8', '--workers', '1')
    here, there = (x['variants'][0]['host'] for x in (here, there))
    assert set(here) - set(there) == {'transforms'}
