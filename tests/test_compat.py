"""Promises of :mod:`mmpaco.compat`.

Each environment is a real folder of distributions, and the only one that the
Python of a subprocess sees.
"""

import subprocess
import sys

import pytest
from support.distributions import ONEDL, OPENMMLAB, write_metadata
from support.paths import ROOT

from mmpaco.compat import require, stock_tool


def without(versions, *names):
    return {k: v for k, v in versions.items() if k not in names}


@pytest.fixture
def evaluate(tmp_path):
    """Make an environment and evaluate an expression in it."""

    def _evaluate(versions, expression):
        write_metadata(tmp_path, versions)
        code = (
            'import warnings\n'
            'from mmpaco.compat import *\n'
            'with warnings.catch_warnings(record=True) as caught:\n'
            "    warnings.simplefilter('always')\n"
            '    try:\n'
            f"        print('RESULT', {expression})\n"
            '    except Exception as error:\n'
            '        print(type(error).__name__, error)\n'
            'for warning in caught:\n'
            "    print('WARNING', warning.message)\n"
        )
        return subprocess.run(
            # Without site: the packages of this environment stay unseen.
            [sys.executable, '-S', '-c', code],
            env={'PYTHONPATH': f'{tmp_path}:{ROOT}'},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    return _evaluate


@pytest.mark.parametrize(
    ('versions', 'family'),
    [(ONEDL, 'onedl'), (OPENMMLAB, 'openmmlab'), ({}, 'none')],
)
def test_a_family_is_recognised_by_its_distributions(
    evaluate, versions, family
):
    output = evaluate(versions, 'repr(installed_stack())')
    assert f"family='{family}'" in output
    for name, version in versions.items():
        assert f"'{name}': '{version}'" in output


@pytest.mark.parametrize('versions', [ONEDL, OPENMMLAB])
def test_a_tested_stack_passes_without_a_warning(evaluate, versions):
    output = evaluate(
        versions, "(check_stack(), require('mmseg'), require('mmpretrain'))"
    )
    assert output.startswith('RESULT')
    assert 'WARNING' not in output


@pytest.mark.parametrize(
    'versions',
    [
        {**ONEDL, 'mmengine': '0.10.7'},
        {**without(ONEDL, 'onedl-mmengine'), 'mmengine': '0.10.7'},
        {**OPENMMLAB, 'onedl-mmcv': '2.3.6'},
    ],
)
def test_a_mixture_is_refused_with_a_command_for_either_family(
    evaluate, versions
):
    output = evaluate(versions, 'check_stack()')
    assert output.startswith('RuntimeError')
    removals = [x for x in output.splitlines() if 'pip uninstall -y' in x]
    assert len(removals) == 2
    # Shared folders: what stays installed would be full of holes.
    for line in removals:
        removed = line.split(' && ')[0].split()
        assert set(without(versions, 'torch')) <= set(removed)
    assert '"onedl-mmengine~=0.10.12"' in removals[0]
    assert '"mmengine~=0.10.7"' in removals[1]


@pytest.mark.parametrize(
    ('minor', 'command'),
    (
        (10, 'pip install "torch~=2.14.1" "onedl-mmengine~=0.10.12"'),
        (9, 'pip install "torch~=2.1.2"'),
    ),
)
def test_an_empty_environment_is_told_a_stack_for_its_python(
    evaluate, minor, command
):
    python = f"setattr(__import__('sys'), 'version_info', (3, {minor}))"
    output = evaluate({}, f'[{python}, check_stack()]')
    assert output.startswith('ImportError')
    assert command in output


@pytest.mark.parametrize(
    ('minor', 'first'),
    [
        (9, '"torch~=2.1.2" "torchvision~=0.16.2" "numpy<2"'),
        (10, '"torch~=2.14.1" "onedl-mmengine~=0.10.12"'),
        (14, '"torch~=2.14.1" "onedl-mmengine~=0.10.12"'),
    ],
)
def test_the_command_is_of_a_family_that_has_this_python(
    evaluate, minor, first
):
    as_if = f"setattr(__import__('sys'), 'version_info', (3, {minor}))"
    assert f'pip install {first}' in evaluate({}, f'({as_if}, check_stack())')
    mixed = {**ONEDL, 'mmcv': '2.1.0'}
    output = evaluate(mixed, f'({as_if}, check_stack())')
    assert ('"onedl-mmcv~=' in output) == (minor > 9)
    assert ('"mmcv~=' in output) == (minor < 12)


@pytest.mark.parametrize(
    ('versions', 'name', 'command'),
    [
        (ONEDL, 'torch', 'pip install "torch~=2.14.1" torchvision'),
        (ONEDL, 'onedl-mmcv', 'pip install "onedl-mmcv~=2.3.6"'),
        (ONEDL, 'onedl-mmengine', 'pip install "onedl-mmengine~=0.10.12"'),
        (
            OPENMMLAB,
            'mmcv',
            'MMCV_WITH_OPS=1 pip install --no-build-isolation "mmcv~=2.1.0"',
        ),
        (OPENMMLAB, 'mmengine', 'pip install "mmengine~=0.10.7"'),
    ],
)
def test_a_missing_half_is_named_with_the_command_of_its_family(
    evaluate, versions, name, command
):
    output = evaluate(without(versions, name), 'check_stack()')
    assert output.startswith('ImportError')
    assert f'needs {name.replace("onedl-", "")}, missing' in output
    assert command in output


@pytest.mark.parametrize(
    ('versions', 'package', 'name', 'version'),
    [
        (ONEDL, 'mmseg', 'onedl-mmsegmentation', '1.4.2'),
        (ONEDL, 'mmpretrain', 'onedl-mmpretrain', '1.3.6'),
        (OPENMMLAB, 'mmseg', 'mmsegmentation', '1.2.2'),
        (OPENMMLAB, 'mmpretrain', 'mmpretrain', '1.2.0'),
    ],
)
def test_either_package_may_be_absent_until_it_is_required(
    evaluate, versions, package, name, version
):
    other = 'mmseg' if package == 'mmpretrain' else 'mmpretrain'
    output = evaluate(
        without(versions, name),
        f"(print(require('{other}')), require('{package}'))",
    )
    assert 'ImportError' in output
    assert f'pip install "{name}~={version}"' in output


@pytest.mark.parametrize(
    ('versions', 'name', 'version'),
    [
        (ONEDL, 'onedl-mmengine', '0.10.2'),
        (ONEDL, 'torch', '2.1.2'),
        (OPENMMLAB, 'mmcv', '1.7.2'),
        (OPENMMLAB, 'mmsegmentation', '0.30.0'),
    ],
)
def test_a_version_too_old_is_refused(evaluate, versions, name, version):
    output = evaluate({**versions, name: version}, 'check_stack()')
    assert output.startswith('RuntimeError')
    assert f'needs at least {name}' in output
    assert f'{name} {version}' in output
    assert f'"{name}~=' in output


@pytest.mark.parametrize(
    ('versions', 'name', 'version'),
    [(ONEDL, 'onedl-mmengine', '0.11.0'), (OPENMMLAB, 'torch', '2.6.0+cpu')],
)
def test_an_untested_newer_version_warns_and_passes(
    evaluate, versions, name, version
):
    output = evaluate({**versions, name: version}, 'check_stack()')
    assert output.startswith('RESULT')
    assert f'WARNING mmpaco was tested with {name}' in output
    assert version in output and 'pip install' in output


def test_a_newer_patch_release_is_taken_in_silence(evaluate):
    output = evaluate({**ONEDL, 'onedl-mmengine': '0.10.13'}, 'check_stack()')
    assert output.startswith('RESULT')
    assert 'WARNING' not in output


def test_mmcv_lite_serves_mmpretrain_but_not_mmseg(evaluate):
    versions = {**without(OPENMMLAB, 'mmcv'), 'mmcv-lite': '2.1.0'}
    output = evaluate(
        versions, "(print(require('mmpretrain')), require('mmseg'))"
    )
    assert output.startswith('openmmlab: ')
    assert 'ImportError mmseg needs the compiled operators' in output
    assert 'pip uninstall -y mmcv-lite && ' in output


def test_mmcv_and_mmcv_lite_together_are_refused(evaluate):
    output = evaluate({**OPENMMLAB, 'mmcv-lite': '2.1.0'}, 'check_stack()')
    assert output.startswith('RuntimeError')
    assert 'pip uninstall -y mmcv mmcv-lite && ' in output


def test_a_stock_tool_is_found_without_importing_its_package(
    evaluate, tmp_path
):
    tools = tmp_path / 'mmseg' / '.mim' / 'tools'
    tools.mkdir(parents=True)
    (tmp_path / 'mmseg' / '__init__.py').write_text('raise SystemExit(1)')
    (tools / 'train.py').touch()
    output = evaluate(ONEDL, "stock_tool('mmseg', 'train')")
    assert output == f'RESULT {tools / "train.py"}\n'


def test_the_tools_of_an_editable_install_lie_beside_the_package(
    evaluate, tmp_path
):
    (tmp_path / 'mmseg').mkdir()
    (tmp_path / 'mmseg' / '__init__.py').touch()
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools' / 'test.py').touch()
    output = evaluate(ONEDL, "stock_tool('mmseg', 'test')")
    assert output == f'RESULT {tmp_path / "tools" / "test.py"}\n'


def test_an_install_without_tools_is_told_to_install_again(evaluate, tmp_path):
    (tmp_path / 'mmseg').mkdir()
    (tmp_path / 'mmseg' / '__init__.py').touch()
    output = evaluate(ONEDL, "stock_tool('mmseg', 'train')")
    assert output.startswith('ImportError')
    assert (
        'pip install --force-reinstall --no-deps "onedl-mmsegmentation==1.4.2"'
    ) in output


def test_an_unknown_package_is_refused_with_the_two_known_ones():
    with pytest.raises(ValueError, match="'mmpretrain' or 'mmseg'"):
        require('mmdet')
    with pytest.raises(ValueError, match="but got 'mmdet'"):
        stock_tool('mmdet', 'train')


def test_a_stack_is_checked_once_in_a_process(evaluate):
    output = evaluate(
        {**ONEDL, 'onedl-mmcv': '9.9.9'},
        "[check_stack().family, require('mmseg').family, "
        "require('mmpretrain').family]",
    )
    assert output.count('WARNING') == 1
