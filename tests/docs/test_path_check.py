"""What a page names and nobody has is found when the site is built."""

import importlib.util
from types import SimpleNamespace

import pytest
from support.paths import DOCS

pytest.importorskip('sphinx')
pytest.importorskip('mmpretrain')
pytest.importorskip('mmseg')


@pytest.fixture(scope='module')
def path_check():
    spec = importlib.util.spec_from_file_location(
        'path_check', DOCS / '_ext/path_check.py'
    )
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize(
    'text',
    (
        '`configs/gpaco/nothere.py`',
        '`configs/gpaco/nothere_*.py`',
        '`configs/{gpaco,nothere}/README.md`',
        'python tools/nothere.py CONFIG',
        'tests/losses/nothere.py',
        '`make nothere`',
        'make quickstart-sge DATA=x',
        "dict(type='mmpaco.NotThere')",
        '`mmpaco.losses.NotThere`',
        '`mmpaco.losses.not_there`',
        '`mmpaco.nothere.function(x)`',
    ),
)
def test_what_is_not_there_is_told(path_check, text):
    assert len(list(path_check.faults(text))) == 1, text


@pytest.mark.parametrize(
    'text',
    (
        '`configs/{gpaco,paco}/README.md` and configs/YOUR_CONFIG.py',
        'make quickstart-seg DATA=x',
        'Of a wheel they are in `mmpaco/.mim/configs`.',
        '`mmpaco.GPaCoHead`, `mmpaco.losses.MultiTaskLoss`',
        '`mmpaco.analysis.logit_adjustment.best_adjustment(CONFIG)`',
        'python -m mmpaco.compat',
    ),
)
def test_what_is_there_is_not(path_check, text):
    assert not list(path_check.faults(text))


def test_links_of_the_front_page_are_followed(
    path_check, tmp_path, monkeypatch
):
    warned = []
    logger = SimpleNamespace(
        warning=lambda text, target, location: warned.append(target)
    )
    monkeypatch.setattr(path_check, 'ROOT', tmp_path)
    monkeypatch.setattr(path_check, 'LOGGER', logger)
    (tmp_path / 'docs').mkdir()
    (tmp_path / 'docs/page.md').write_text('# Heading')
    (tmp_path / 'README.md').write_text(
        '[a](docs/page.md) [b](docs/page.md#heading) [c](docs/page.md#no) '
        '[d](LICENCE) [e](https://example.org/x#y) ![f](docs/images/no.png)'
    )
    env = SimpleNamespace(metadata={'page': {'myst_slugs': {'heading': 1}}})
    path_check.check_readme_links(None, env)
    assert warned == ['docs/page.md#no', 'LICENCE', 'docs/images/no.png']


def test_a_type_without_a_page_is_told(path_check, monkeypatch):
    warned = []
    logger = SimpleNamespace(
        warning=lambda text, name, location: warned.append(name)
    )
    monkeypatch.setattr(path_check, 'LOGGER', logger)
    every = sorted(path_check._types())
    domain = SimpleNamespace(
        get_objects=lambda: [(f'mmpaco.some.{x}', x) for x in every[1:]]
    )
    env = SimpleNamespace(get_domain={'py': domain}.get)
    path_check.check_reference(None, env)
    assert warned == every[:1]
