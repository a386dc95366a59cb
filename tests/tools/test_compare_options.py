"""Options of the tool that compares methods, by real trainings."""

import json
import signal

import pytest
from support.comparing import call, started_comparison
from support.processes import living, wait_until
from support.tiny import write_tiny

pytestmark = pytest.mark.slow
SHORT = ('train_cfg.max_epochs=1', 'train_cfg.val_interval=1')


@pytest.fixture(scope='module')
def here(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp('options'))


def test_settings_are_chosen_on_images_that_trials_do_not_train_with(here):
    result = call(
        here,
        *('--methods', 'cross-entropy', 'multi-task'),
        *('--set', *SHORT, '--work-dir', 'chosen'),
        *('--select', 'multi-task.supcon_weight=0.1,0.4'),
    )
    assert result.returncode == 0, result.stderr
    results = json.loads((here / 'chosen/results.json').read_text())
    assert 'of the training set' in results['selection']['validation']
    found = results['selection']['methods']['multi-task']
    tried = {
        x['setting']['supcon_weight']: x['validation'] for x in found['tried']
    }
    assert set(tried) == {0.1, 0.4}
    weight = found['chosen']['supcon_weight']
    assert tried[weight] == max(tried.values())
    text = (here / 'chosen/configs/multi-task.py').read_text()
    assert f'supcon_weight={weight}' in text
    # Of 16 images a class, trials train with 13; the comparison with all.
    trial = next((here / 'chosen/select').glob('multi-task-*/seed0'))
    runs = [
        json.loads((x / 'run.json').read_text())
        for x in (trial, here / 'chosen/multi-task/seed0')
    ]
    assert [run['iterations'] for run in runs] == [7, 8]
    assert 'The balance is not taken out: the config has no' in result.stdout


def test_the_balance_is_taken_out_where_there_is_a_validation_set(here):
    others = write_tiny(here / 'others') / 'data'
    (here / 'validated.py').write_text(
        "_base_ = 'tiny.py'\n"
        f'val_dataloader = dict(dataset=dict(data_root={str(others)!r}))\n'
    )
    result = call(
        here,
        *('--methods', 'cross-entropy', 'balanced-softmax'),
        *('--set', *SHORT, '--work-dir', 'balanced'),
        config='validated.py',
    )
    assert result.returncode == 0, result.stderr
    results = json.loads((here / 'balanced/results.json').read_text())
    for method in results['methods'].values():
        assert 0 <= method['runs'][0]['adjusted']['all'] <= 100
    page = (here / 'balanced/results.md').read_text()
    assert '| method | as trained | balance taken out | strength |' in page
    assert 'classes with the balance taken out:' in page


def test_two_processes_on_a_cpu_end_and_go_on(here):
    arguments = [
        *('--methods', 'cross-entropy', '--gpus', '2', '--jobs', '1'),
        *('--set', 'train_cfg.max_epochs=30', 'train_cfg.val_interval=30'),
        *('--work-dir', 'two'),
    ]
    run = here / 'two/cross-entropy/seed0'
    with started_comparison(here, *arguments) as process:
        assert wait_until(lambda: list(run.glob('*.pth')), 200)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert wait_until(lambda: not living(run), 30)
    result = call(here, *arguments)
    assert result.returncode == 0, result.stderr
    record = json.loads((run / 'run.json').read_text())
    # 32 images, 4 in each of 2 processes.
    assert record['iterations'] == 30 * 4
    assert len(list(run.glob('*/vis_data/scalars.json'))) == 2
