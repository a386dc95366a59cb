"""Promises about what an install of mmpaco contains."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging_archives import copy_files
from support.paths import ROOT

import mmpaco


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp('wheel')
    # A copy, as fresh as a clone: pip builds in the folder it is given.
    source = folder / 'source'
    unversioned = ('.*', '*.egg-info', '__pycache__', 'build', 'data', 'dist')
    ignored = shutil.ignore_patterns(*unversioned, 'work_dirs')
    shutil.copytree(ROOT, source, ignore=ignored)
    command = [sys.executable, '-m', 'pip', 'wheel', '-w', folder]
    command += ['--no-deps', '--no-build-isolation', '--no-cache-dir', source]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return zipfile.ZipFile(next(folder.glob('mmpaco-*.whl')))


def sources(pattern):
    return {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob(pattern)
        if path.is_file() and '.mim' not in path.parts
    }


def test_a_wheel_holds_all_modules_configs_tools_and_the_index(wheel):
    names = set(wheel.namelist())
    assert sources('mmpaco/**/*.py') | {'mmpaco/py.typed'} <= names
    shipped = sources('configs/**/*.py') | sources('configs/**/*.yml')
    shipped |= sources('tools/**/*.py') | sources('tools/**/*.sh')
    shipped.add('model-index.yml')
    assert {f'mmpaco/.mim/{name}' for name in shipped} <= names


def test_a_wheel_holds_neither_tests_nor_projects_nor_caches(wheel):
    theirs = {path.read_bytes() for path in ROOT.glob('projects/**/*.py')}
    for name in wheel.namelist():
        assert wheel.read(name) not in theirs
        assert name.startswith(('mmpaco/', f'mmpaco-{mmpaco.__version__}'))
        assert '__pycache__' not in name and '/tests/' not in name


def test_an_sdist_holds_what_the_package_and_its_tests_are_made_of(tmp_path):
    source = tmp_path / 'source'
    copy_files(ROOT, source)
    files = [x for x in source.rglob('*') if x.is_file()]
    # What runs leave beside the sources, and a secret, stay here.
    stray = [source / x for x in ('.env', 'work_dirs/a.pth', 'data/a.png')]
    stray += [source / 'configs/__pycache__/a.pyc', source / 'mmpaco/.mim/a']
    for file in stray:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('')
    command = [sys.executable, 'setup.py', '-q', 'sdist', '-d', tmp_path]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    with tarfile.open(next(tmp_path.glob('mmpaco-*.tar.gz'))) as archive:
        names = [x.name.split('/', 1)[-1] for x in archive if x.isfile()]
    missing = {x.relative_to(source).as_posix() for x in files} - set(names)
    of_checkouts = ('.ci/', '.gitignore', '.pre-commit-config.yaml')
    assert not [x for x in missing if not x.startswith(of_checkouts)]
    assert not {x.relative_to(source).as_posix() for x in stray} & set(names)


def test_shell_tools_in_a_wheel_stay_executable(wheel):
    for info in wheel.infolist():
        if info.filename.endswith('.sh'):
            assert info.external_attr >> 16 & 0o111, info.filename


def test_a_wheel_depends_on_no_openmmlab_distribution(wheel):
    name = f'mmpaco-{mmpaco.__version__}.dist-info/METADATA'
    lines = wheel.read(name).decode().splitlines()
    required = [x for x in lines if x.startswith('Requires-Dist: ')]
    plain = sorted(x.split()[1] for x in required if 'extra ==' not in x)
    assert plain == ['numpy', 'torch>=2.1']
    extras = {x.split()[1] for x in lines if x.startswith('Provides-Extra')}
    assert {'onedl', 'openmmlab', 'tests', 'quickstart', 'lint'} <= extras


def test_this_install_has_its_configs_and_tools_and_the_right_version():
    mim = Path(mmpaco.__file__).parent / '.mim'
    assert (mim / 'configs').is_dir()
    assert (mim / 'tools' / 'train.py').is_file()
    assert (mim / 'model-index.yml').is_file()
    assert metadata.version('mmpaco') == mmpaco.__version__


def test_importing_mmpaco_imports_nothing_heavy():
    code = (
        'import sys, mmpaco, mmpaco.compat\n'
        "heavy = {'torch', 'numpy', 'mmengine', 'mmcv', 'mmseg', 'mmpretrain'}"
        '\nprint(sorted(heavy & set(sys.modules)))'
    )
    command = [sys.executable, '-c', code]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout.strip() == '[]', result.stdout + result.stderr
