"""What is shown of runs that share a label and a seed."""

import io
import json

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
