"""Versions are written once, and what repeats them says the same."""

import re
import runpy

import pytest
from packaging.requirements import Requirement
from support.paths import DOCS, ROOT

from mmpaco.compat import _install_command
from mmpaco.stack_versions import FAMILIES

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


@pytest.mark.parametrize('page', (ROOT / 'README.md', DOCS / 'install.md'))
def test_pages_name_the_newest_torch(page):
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


def test_the_image_of_docker_has_a_torch_of_the_stack():
    text = (ROOT / 'docker' / 'Dockerfile').read_text()
    (version,) = re.findall(r'^FROM pytorch/pytorch:([\d.]+)-cuda', text, re.M)
    torch = FAMILIES['onedl']['torch']
    allowed = Requirement(f'torch>={torch.minimum},<={torch.tested}')
    assert version in allowed.specifier
