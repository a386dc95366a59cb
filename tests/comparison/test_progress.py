"""What is shown of runs, and what is said of those that failed."""

import io
import json

import pytest
from rich.console import Console

from mmpaco.comparison.progress import Display
from mmpaco.comparison.runs import Run


def test_two_settings_of_one_method_are_shown_apart(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text('train_cfg = dict(by_epoch=True, max_epochs=1)\n')
    runs = [Run('GPaCo', config, 0, tmp_path / name, {}) for name in 'ab']
    for run in runs:
        run.dir.mkdir()
        (run.dir / 'run.json').write_text(json.dumps({'seconds': 7.2}))
        run.log.write_text('what went wrong')
    out = io.StringIO()
    display = Display(Console(file=out, width=200), 2)
    for run in runs:
        display.begin(run)
    display.end(runs[0], True)
    display.update(runs[1], False)
    display.end(runs[1], False)
    assert str(runs[0].log) in out.getvalue()
    assert '[1/2] GPaCo, seed 0: trained in 7 s' in out.getvalue()
    assert '[2/2] GPaCo, seed 0: FAILED' in out.getvalue()
    assert 'what went wrong' in out.getvalue()


LAUNCHER = """
W1127 11375 torch/elastic/api.py:1028] Sending process 2 closing signal SIGTERM
E1127 11375 torch/elastic/api.py:1002] failed (exitcode: 1) local_rank: 0
Traceback (most recent call last):
  File "run.py", line 1, in <module>
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
"""


@pytest.mark.parametrize('launcher', ['', LAUNCHER])
@pytest.mark.parametrize(
    'log, why',
    [
        ('Traceback\nValueError: no\n', 'ValueError: no'),
        (
            '[rank1]: Traceback\n[rank1]: torch.cuda.OutOfMemoryError: 3 GB\n'
            'a warning\n',
            'torch.cuda.OutOfMemoryError: 3 GB',
        ),
        ('loss 3\nalpha must not be negative\n', 'alpha must not be negative'),
    ],
)
def test_a_failed_run_knows_its_error(tmp_path, log, launcher, why):
    config = tmp_path / 'config.py'
    config.write_text('train_cfg = dict(by_epoch=True, max_epochs=1)\n')
    run = Run('GPaCo', config, 0, tmp_path / 'run', {})
    run.prepare()
    run.log.write_text(log + launcher)
    run.close_failed()
    assert run.failure == why
    run.close_failed('it was killed')
    assert run.failure == 'it was killed'
    # Another try begins without it.
    run.prepare()
    assert run.failure is None
