"""The tool that compares methods on a config, on images that are quick."""

import json
import os
import random
import signal
import time

import pytest
from support.comparing import call, started_comparison
from support.processes import living, wait_until
from support.tiny import write_tiny

from mmpaco.comparison.lock import alone_in

METHODS = ('cross-entropy', 'balanced-softmax', 'gpaco')
SLOW = pytest.mark.slow
SHORT = ('train_cfg.max_epochs=2', 'train_cfg.val_interval=2')


@pytest.fixture(scope='module')
def here(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp('compare'))


@pytest.fixture(scope='module')
def compared(here):
    """What a comparison leaves that was killed, and then called again.

    One method cannot be trained.
    """
    arguments = [
        *('--methods', *METHODS),
        *('--set', *SHORT, 'gpaco.alpha=-1'),
        *('--work-dir', 'work'),
    ]
    runs = here / 'work'
    with started_comparison(here, *arguments):
        assert wait_until(lambda: list(runs.glob('*/seed0/run.json')), 100)
        time.sleep(10 * random.random())
    assert wait_until(lambda: not living(runs), 20)
    again = call(here, *arguments)
    again.results = json.loads((runs / 'results.json').read_text())
    return again


def test_a_killed_comparison_goes_on_and_says_what_failed(compared):
    methods = compared.results['methods']
    for name in METHODS[:2]:
        (run,) = methods[name]['runs']
        assert methods[name]['failures'] == []
        assert run['iterations'] == 2 * 8
        assert {'shot/all', 'shot/few', 'accuracy/top1'} <= {*run['metrics']}
    (why,) = methods['gpaco']['failures']
    assert why.startswith('seed 0: ') and 'alpha' in why
    # Its last lines were shown, the table was made, and the tool refuses.
    assert 'FAILED, end of' in compared.stdout
    assert 'gpaco (FAILED)' in compared.stdout
    assert compared.returncode == 1
    assert 'not all could be compared' in compared.stderr
    assert 'Traceback' not in compared.stderr


def test_the_config_s_own_metrics_stand_in_the_table(here, compared):
    assert "The config's own metrics." in compared.stdout
    page = (here / 'work/results.md').read_text()
    head = '| method | few | all | accuracy/top1 | time | ratio | memory |'
    assert head in page
    assert page.count('One seed cannot show') == 1


def test_pictures_are_drawn(here, compared):
    from matplotlib.image import imread

    for name in ('overview', 'curves', 'classes'):
        assert imread(here / f'work/{name}.png').min() < 0.5


def test_a_second_comparison_is_refused_while_one_is_at_work(here):
    with alone_in(here / 'taken'):
        result = call(here, '--methods', 'gpaco', '--work-dir', 'taken')
    assert result.returncode == 1
    assert 'another comparison is at work in' in result.stderr
    assert 'Traceback' not in result.stderr
    assert not (here / 'taken/configs').exists()


@pytest.mark.parametrize(
    ('arguments', 'until'),
    [
        ((), '*/seed0/*/*.log'),
        pytest.param(('--dry-run',), 'dry-run/*/*/*.log', marks=SLOW),
        pytest.param((), 'choosing its balance', marks=SLOW),
    ],
)
def test_ctrl_c_ends_it_with_a_sentence_that_says_how_to_go_on(
    here, tmp_path, arguments, until
):
    others = write_tiny(tmp_path) / 'data'
    (here / 'validated.py').write_text(
        "_base_ = 'tiny.py'\n"
        f'val_dataloader = dict(dataset=dict(data_root={str(others)!r}))\n'
    )
    epochs = 300 if '*' in until else 1
    arguments = [
        *('--methods', 'cross-entropy', '--work-dir', tmp_path / 'work'),
        *('--set', f'train_cfg.max_epochs={epochs}', *arguments),
    ]
    shown = tmp_path / 'shown.txt'

    def is_there():
        return (
            list((tmp_path / 'work').glob(until))
            if '*' in until
            else until in shown.read_text()
        )

    with (
        open(shown, 'w') as output,
        started_comparison(
            here, *arguments, config='validated.py', output=output
        ) as process,
    ):
        assert wait_until(is_there, 200), shown.read_text()
        # As a terminal does it.
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT
    assert wait_until(lambda: not living(tmp_path), 20)
    text = shown.read_text()
    assert 'interrupted; call it again with the same arguments' in text
    assert 'Traceback' not in text


def test_a_dry_run_tells_the_cost_and_what_cannot_be_trained(here):
    result = call(
        here,
        *('--methods', 'crt', 'gpaco', '--seeds', '3'),
        *('--set', *SHORT, 'gpaco.alpha=-1', '--work-dir', 'dry', '--dry-run'),
        *('--select', 'crt.stage2_epochs=1,2'),
    )
    assert '  3 x (16 iterations of 0.' in result.stdout
    # The second stage begins with what the first has by then.
    assert '  3 x (8 iterations of 0.' in result.stdout
    assert 's + 2 starts (training, test) of ' in result.stdout
    assert 'before, trials (2 of crt), tested on a part (20%)' in result.stdout
    assert '  FAILED: alpha must be' in result.stdout
    assert f'results.json: {here}/dry\n' in result.stdout
    # Nothing of it stands in the way of the comparison, which it did not do.
    assert not list(here.glob('dry/*/seed*'))
    assert not list(here.glob('dry/**/*.pth'))
    assert result.returncode == 1
    assert 'not all could be compared:\n  gpaco: alpha' in result.stderr
    assert 'Traceback' not in result.stderr


@pytest.mark.parametrize(
    ('arguments', 'env', 'said'),
    [
        ((), {'OMP_NUM_THREADS': 'two,1'}, "but got 'two,1'"),
        (('--work-dir', "it's"), {}, 'work_dir must have no'),
        (('--set', 'gpaco.alhpa=1', '--work-dir', 'slip'), {}, "'alhpa'"),
    ],
)
def test_what_it_cannot_be_given_is_told(here, arguments, env, said):
    result = call(here, '--methods', 'gpaco', *arguments, **env)
    assert result.returncode == 1
    assert said in result.stderr
    assert 'Traceback' not in result.stderr
