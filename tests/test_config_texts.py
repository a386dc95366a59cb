"""How configs are written."""

import re

import pytest
from mmengine.config import Config
from support.pages import code
from support.paths import CONFIGS, DOCS

METHODS = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('*.py')
    if '_base_' not in path.parts
)


@pytest.fixture(autouse=True)
def classifier(monkeypatch):
    """What the configs of configs/robustness are put on."""
    config = CONFIGS / 'gpaco/resnet50_imagenet.py'
    monkeypatch.setenv('CLASSIFIER', str(config))


def read(name):
    return (CONFIGS / name).read_text(encoding='utf-8')


def settings(text):
    """Lines that are neither empty, a comment nor closing brackets."""
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if not re.fullmatch(r'#.*|[])},]*', line)]


def test_lines_of_settings():
    text = '# Why.\nx = dict(\n    y=[1],  # Too.\n    z=[\n    ],\n)\n\n'
    assert settings(text) == ['x = dict(', 'y=[1],  # Too.', 'z=[']


@pytest.mark.parametrize('name', METHODS)
def test_a_config_of_a_method_fits_into_twenty_lines(name):
    lines = settings(read(name))
    assert len(lines) <= 20, (
        f'{name} has {len(lines)} lines of settings; put what other configs '
        'have, too, into a base'
    )


def test_a_base_is_referred_to_as_a_name():
    # A name can be unpacked, indexed and changed, mmengine's {{_base_.x}}
    # none of it.
    braces = re.compile(r'\{\{\s*_base_')
    paths = [*CONFIGS.rglob('*.py'), *DOCS.glob('*.md')]
    found = [p.name for p in paths if braces.search(p.read_text('utf-8'))]
    assert not found, f'{found}: write _base_.x for {{{{_base_.x}}}}'


@pytest.mark.parametrize(
    'name',
    [
        *METHODS,
        *(
            path.relative_to(CONFIGS).as_posix()
            for path in sorted((CONFIGS / '_base_/datasets').glob('*.py'))
        ),
    ],
)
def test_worker_processes_go_on_from_epoch_to_epoch(name):
    """New ones would draw the augmentations of the epoch before again."""
    cfg = Config.fromfile(CONFIGS / name)
    loaders = [
        cfg[f'{split}_dataloader']
        for split in ('train', 'val', 'test')
        if cfg.get(f'{split}_dataloader')
    ]
    assert loaders
    for loader in loaders:
        # PyTorch refuses persistent workers where there are none.
        assert loader.persistent_workers == (loader.num_workers > 0)


def test_another_network_takes_a_method_as_the_docs_say(tmp_path):
    example = next(x for x in code('networks.md') if x.startswith('_base_'))
    path = tmp_path / 'config.py'
    base = (CONFIGS / '_base_').as_posix()
    path.write_text(example.replace('../_base_', base))
    made = Config.fromfile(path).to_dict()
    expected = Config.fromfile(CONFIGS / 'gpaco/resnet50_imagenet-lt.py')
    expected.model.backbone.depth = 101
    assert made == expected.to_dict()
