"""The tool that compares methods on a config, on images that are quick."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest
from support.paths import TOOLS
from support.processes import environment, living, wait_until
from support.tiny import write_tiny
from support.tools import call_here

METHODS = ('cross-entropy', 'balanced-softmax', 'gpaco')
SHORT = ('train_cfg.max_epochs=2', 'train_cfg.val_interval=2')


def call(folder, *arguments, **options):
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        env=environment(TOOLS.parent),
        **options,
    )


def command(*arguments):
    tool = str(TOOLS / 'compare.py')
    return [sys.executable, tool, 'tiny.py', *map(str, arguments)]


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
    process = subprocess.Popen(
        command(*arguments),
        cwd=here,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(TOOLS.parent),
    )
    runs = here / 'work'
    assert wait_until(lambda: list(runs.glob('*/seed0/run.json')), 100)
    time.sleep(10 * random.random())
    process.send_signal(signal.SIGKILL)
    process.wait()
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
    assert 'One seed cannot show' in page


def test_pictures_are_drawn(here, compared):
    from matplotlib.image import imread

    for name in ('overview', 'curves', 'classes'):
        assert imread(here / f'work/{name}.png').min() < 0.5


def test_what_cannot_be_compared_is_told(here):
    for words, told in (
        (['--methods', 'x'], "there is no method 'x' for mmpretrain"),
        (['--methods', 'gpaco', 'gpaco'], 'each once'),
        (
            ['--methods', 'gpaco', '--set', 'trian_cfg.max_epochs=1'],
            "nothing has the key 'trian_cfg.max_epochs'",
        ),
    ):
        result = call_here(
            here, 'compare.py', 'tiny.py', *words, '--work-dir', 'none'
        )
        assert result.returncode == 1
        assert told in result.stderr, result.stderr
        assert 'Traceback' not in result.stderr
