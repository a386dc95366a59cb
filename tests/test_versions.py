"""Versions are written once, and what repeats them says the same."""

import ast
import re
import runpy
import subprocess
import sys

import pytest
import yaml
from packaging.requirements import Requirement
from support.paths import DOCS, ROOT

import mmpaco
from mmpaco.compat import _install_command, release
from mmpaco.stack_versions import FAMILIES, PYTHONS, TORCH_MINIMUM

FILES = {
    'onedl': ('onedl',),
    'openmmlab': ('upstream-build', 'upstream'),
}
PACKAGES = ('torch', 'mmengine', 'mmcv', 'mmseg', 'mmpretrain')


@pytest.fixture(scope='module')
def extras():
    setup = runpy.run_path(str(ROOT / 'setup.py'))
    return {
        name: [Requirement(x) for x in lines]
        for name, lines in setup['read_extras']().items()
    }


def requirements(name):
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [Requirement(x) for x in lines if x and x[0] not in '#-']


def pins(family):
    """The versions of a family's files, None where they name none."""
    return {
        found.name: next(
            (x.version for x in found.specifier if x.operator == '=='), None
        )
        for name in FILES[family]
        for found in requirements(name)
    }


@pytest.mark.parametrize('family', FAMILIES)
def test_the_pins_are_the_tested_versions(family):
    pinned = pins(family)
    for name, minimum, tested in FAMILIES[family].values():
        assert pinned[name] == tested
        assert Requirement(f'x<={tested}').specifier.contains(minimum)


@pytest.mark.parametrize('family', FAMILIES)
def test_an_extra_takes_the_pins_and_asks_for_nothing_else(extras, family):
    pinned = pins(family)
    for requirement in extras[family]:
        version = pinned[requirement.name]
        assert version is None or version in requirement.specifier


@pytest.mark.parametrize('family', FAMILIES)
def test_the_command_that_compat_tells_takes_the_pins(family):
    pinned = pins(family)
    command = _install_command(family, *PACKAGES)
    told = [Requirement(x) for x in re.findall(r'"([^"]+)"', command)]
    names = {x.name for x in FAMILIES[family].values()}
    assert names <= {x.name for x in told}
    for requirement in told:
        version = pinned[requirement.name]
        assert version is None or version in requirement.specifier


def test_the_other_extras_are_the_files_of_their_names(extras):
    names = {x.stem for x in (ROOT / 'requirements').glob('*.txt')}
    stacks = {x for files in FILES.values() for x in files}
    # Peers for a benchmark are no part of an install.
    assert names - stacks - {'benchmarks'} == set(extras) - set(FAMILIES)
    for name in set(extras) - set(FAMILIES):
        assert {str(x) for x in requirements(name)} <= {
            str(x) for x in extras[name]
        }


def test_the_tests_can_corrupt_images(extras):
    """The file of one extra names that of another."""
    assert {str(x) for x in extras['robustness']} <= {
        str(x) for x in extras['tests']
    }


def pythons(family):
    first, last = (f'3.{PYTHONS[family][i]}' for i in (0, -1))
    # Of the forks a newer one is promised, too.
    return f'{first} and newer' if family == 'onedl' else f'{first} to {last}'


@pytest.mark.parametrize('page', (ROOT / 'README.md', DOCS / 'install.md'))
def test_pages_name_the_pythons_and_the_newest_torch(page):
    rows = [
        [cell.strip() for cell in line.split('|')[1:4]]
        for line in page.read_text().splitlines()
        if line.startswith("| OneDL's") or line.startswith("| OpenMMLab's own")
    ]
    newest = [
        re.match(r'\d+\.\d+', FAMILIES[family]['torch'].tested).group()
        for family in ('onedl', 'openmmlab')
    ]
    assert [row[2] for row in rows[:2]] == [f'to {newest[0]}', newest[1]]
    assert [row[1] for row in rows[:2]] == [pythons(x) for x in FAMILIES]


def test_the_script_of_make_refuses_the_pythons_that_the_stacks_lack():
    text = (ROOT / 'requirements' / 'environment.py').read_text()
    for family, name in (('onedl', 'OneDL'), ('openmmlab', 'OpenMMLab')):
        told = pythons(family).replace('and', 'or')
        assert f"'The {name} stack needs Python {told}'" in text


def test_an_install_needs_the_python_and_the_torch_that_are_written_once():
    script = (
        'import runpy, setuptools; setuptools.setup = lambda **x: print(x);'
        f"runpy.run_path({str(ROOT / 'setup.py')!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, '-c', script],
        check=True,
        capture_output=True,
        text=True,
    )
    told = ast.literal_eval(re.sub(r"'cmdclass': .*?}, ", '', done.stdout))
    minors = {x for family in PYTHONS.values() for x in family}
    listed = {int(x) for x in re.findall(r':: 3\.(\d+)', done.stdout)}
    assert listed == minors
    assert told['python_requires'] == f'>=3.{min(minors)}'
    least = min((x['torch'].minimum for x in FAMILIES.values()), key=release)
    assert TORCH_MINIMUM == least
    assert f'torch>={least}' in told['install_requires']


def test_the_citation_and_the_changelog_name_this_version():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert citation['version'] == mmpaco.__version__
    changelog = (ROOT / 'CHANGELOG.md').read_text()
    newest = re.search(r'^## \[(\d[^]]*)\]', changelog, re.M)
    assert newest is not None and newest[1] == mmpaco.__version__
    page = (DOCS / 'install.md').read_text()
    assert re.search(r'^mmpaco +(\S+)', page, re.M)[1] == mmpaco.__version__


def test_the_image_of_docker_has_a_torch_of_the_stack():
    text = (ROOT / 'docker' / 'Dockerfile').read_text()
    (version,) = re.findall(r'^FROM pytorch/pytorch:([\d.]+)-cuda', text, re.M)
    torch = FAMILIES['onedl']['torch']
    allowed = Requirement(f'torch>={torch.minimum},<={torch.tested}')
    assert version in allowed.specifier
