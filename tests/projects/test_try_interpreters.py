"""The run over interpreters, on the one that runs the tests."""

import subprocess
import sys
import tarfile
import zipfile

import pytest
from packaging_archives import checksums, content, copy_files
from packaging_environments import USES, Environment, find_interpreter
from packaging_table import table
from support.paths import PROJECTS, ROOT
from support.processes import environment


def run(*command, cwd=ROOT):
    return subprocess.run(
        [str(x) for x in command],
        cwd=cwd,
        env=environment(ROOT),
        capture_output=True,
        text=True,
    )


def test_an_interpreter_is_one_that_runs_and_has_the_version():
    found = find_interpreter(sys.version_info.minor)
    code = 'import sys; print(sys.version_info[1])'
    if found is not None:
        assert int(run(found, '-c', code).stdout) == sys.version_info.minor
    assert find_interpreter(99) is None


def test_a_step_that_fails_is_noted_and_those_after_it_are_taken(tmp_path):
    made = Environment(sys.executable, tmp_path / 'made')
    said = made.step('fails', '-c', 'print(1); raise ValueError("no wheel")')
    assert said is None
    # Nothing of the caller's is seen there, and work is done elsewhere.
    code = 'import os, sys; print(os.getcwd(), sys.prefix)'
    cwd, prefix = made.step('works', '-c', code).split()
    assert (cwd, prefix) == (str(made.work), str(tmp_path / 'made' / 'venv'))
    assert made.step('mmpaco', '-c', 'import mmpaco') is None
    assert made.steps['fails']['status'] == 1
    assert made.steps['fails']['said'] == 'ValueError: no wheel'
    assert made.steps['works']['status'] == 0
    assert 'ValueError: no wheel' in made.log.read_text()


def test_archives_are_told_apart_by_content(tmp_path):
    wheels = []
    for i, text in enumerate(('a', 'a', 'b')):
        wheels.append(tmp_path / f'{i}.whl')
        with zipfile.ZipFile(wheels[-1], 'w') as archive:
            archive.writestr('mmpaco/x.py', text)
            archive.writestr('mmpaco/.mim/configs/a.py', '')
            archive.writestr('mmpaco-0.dist-info/RECORD', str(i))
    first, same, other = map(checksums, wheels)
    assert first == same != other
    assert content(wheels[0]) == {
        'mmpaco': 1,
        'mmpaco-0.dist-info': 1,
        'mmpaco/.mim/configs': 1,
    }
    sdist = tmp_path / 'x.tar.gz'
    with tarfile.open(sdist, 'w:gz') as archive:
        archive.add(wheels[0], 'mmpaco-0/setup.py')
        archive.add(wheels[0], 'mmpaco-0/configs/a.py')
    assert content(sdist) == {'.': 1, 'configs': 1}


def test_what_is_built_is_what_git_has_or_would_have(tmp_path):
    root = tmp_path / 'root'
    root.mkdir()
    (root / '.gitignore').write_text('work\n')
    for name in ('setup.py', 'work', 'gone'):
        (root / name).write_text(name)
    run('git', 'init', '-q', root)
    run('git', 'add', '.', cwd=root)
    (root / 'gone').unlink()
    copy_files(root, tmp_path / 'copy')
    copied = {x.name for x in (tmp_path / 'copy').iterdir()}
    assert copied == {'.gitignore', 'setup.py'}


def test_the_table_says_what_failed_what_was_missing_and_pips_words():
    done = {'status': 0, 'seconds': 3, 'said': ''}
    names = ('losses alone', 'quickstart', 'segmentation step', 'inferencer')
    row = {
        'steps': {name: done for name in (*names, 'report')},
        'pip check': ['x 1 needs y<2'],
        'bytes': 5.55e9,
    }
    steps = {**row['steps'], 'inferencer': {**done, 'status': 1, 'said': 'E'}}
    failed = {**row, 'steps': {**steps, 'pip': steps['inferencer']}}
    text = table(
        {
            'rows': {
                'onedl 3.10': {'missing': True},
                'onedl 3.11': row,
                'onedl 3.12': {**failed, 'pip check': ['No broken x.']},
            },
            'archives': {'m.whl': {'bytes': 1234567, 'files': {'mmpaco': 7}}},
        }
    )
    lines = text.splitlines()
    assert lines[2].startswith('| onedl | 3.10 | not found |')
    assert lines[3].endswith('| 3 s | 3 s | 3 s | 3 s | 3 s | (1) | 5.5 GB |')
    assert '| failed (2) | 3 s; pip failed (2) | clean |' in lines[4]
    assert len({x.count('|') for x in lines[:5]}) == 1
    assert '1. `x 1 needs y<2`' in lines and '2. `E`' in lines
    assert lines[-1] == '`m.whl`, 1.23 MB, 7 files: mmpaco 7'


def test_the_losses_are_trained_and_refused_beside_a_stack():
    result = run(sys.executable, USES / 'use_losses.py')
    assert result.returncode == 0, result.stderr
    before, after = map(float, result.stdout.split(' -> '))
    assert after < before
    result = run(sys.executable, USES / 'use_losses.py', 'alone')
    assert result.returncode == 1
    assert 'torch is not alone' in result.stderr


@pytest.mark.parametrize(
    ('line', 'status'),
    (
        ('{"aux_0.loss_gpaco": 2.5, "loss": 3}', 0),
        ('{"aux_0.loss_gpaco": NaN}', 1),
        ('{"loss": 3}', 1),
    ),
)
def test_a_step_counts_if_its_loss_is_there_and_finite(tmp_path, line, status):
    file = tmp_path / '2026' / 'vis_data' / 'scalars.json'
    file.parent.mkdir(parents=True)
    file.write_text(line + '\n')
    script = USES / 'check_trained.py'
    result = run(sys.executable, script, tmp_path, 'loss_gpaco')
    assert result.returncode == status, result.stderr


def test_the_script_lists_its_options():
    script = PROJECTS / 'packaging' / 'try_interpreters.py'
    result = run(sys.executable, script, '--help')
    assert result.returncode == 0, result.stderr
    assert '--minors' in result.stdout and '--stacks' in result.stdout
