"""The Python of the pages: every config names what there is, examples run."""

import ast
import inspect
import re
from pathlib import Path

import pytest
from support.pages import code
from support.paths import CONFIGS, DOCS, ROOT

pytest.importorskip('mmpretrain')
pytest.importorskip('mmseg')

import cv2
import mmengine.registry
import mmpretrain.registry
import mmseg.registry
import numpy as np
from mmengine import Registry
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from mmengine.runner import Runner

from mmpaco.compat import stock_tool

PAGES = [
    '../README.md',
    *sorted(
        path.relative_to(DOCS).as_posix()
        for path in DOCS.rglob('*.md')
        if '_build' not in path.parts and code(path.relative_to(DOCS))
    ),
]
REGISTRIES = [
    one
    for package in (mmpretrain, mmseg, mmengine)
    for one in vars(package.registry).values()
    if isinstance(one, Registry)
]
# What a page has its reader write, and a layer of a network.
OTHERS = {'PrototypeLoss', 'qkv'}


def typed_dicts(text):
    """Give type and arguments of each dict in the code that has a type."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or getattr(
            node.func, 'id', None
        ) not in ('dict', 'update'):
            continue
        names = {x.arg: x.value for x in node.keywords if x.arg}
        if isinstance(names.get('type'), ast.Constant):
            yield names.pop('type').value, names.keys() - {'_delete_'}


def classes_of(name):
    found = (one.get(name) for one in REGISTRIES)
    return [x for x in found if x is not None]


def accepts(found, names):
    """Whether a class takes the arguments, or hands them on."""
    known = set()
    for one in inspect.getmro(found) if inspect.isclass(found) else [found]:
        if one is object or getattr(one, '__init__', 0) is object.__init__:
            # No parent takes what is left: it goes to something else.
            return True
        parameters = inspect.signature(one).parameters.values()
        known |= {x.name for x in parameters}
        if all(x.kind is not x.VAR_KEYWORD for x in parameters):
            break
    return names <= known


@pytest.mark.parametrize('page', PAGES)
def test_what_a_page_configures_is_there(page):
    for text in code(page):
        for name, names in typed_dicts(text):
            if name in OTHERS:
                continue
            found = classes_of(name)
            assert found, f'{page} names {name}'
            assert any(accepts(x, names) for x in found), (
                f'{page} gives {name} {sorted(names)}'
            )


def test_an_argument_that_is_not_there_is_found():
    (typed,) = typed_dicts("dict(type='mmpaco.GPaCoHead', alpha=1)")
    assert not any(accepts(x, typed[1]) for x in classes_of(typed[0]))
    (typed,) = typed_dicts("dict(type='mmpaco.GPaCoHead', num_classes=1)")
    assert any(accepts(x, typed[1]) for x in classes_of(typed[0]))


def test_the_config_by_hand_of_the_front_page_trains(tiny_config):
    folder = tiny_config()
    base = (folder / 'tiny.py').read_text()
    # Where the configs of mmpretrain have it.
    (inner,) = re.findall(r'data_preprocessor=(dict\(.*\)),\n', base)
    base = base.replace(f'data_preprocessor={inner},', '')
    (folder / 'tiny.py').write_text(f'{base}\ndata_preprocessor = {inner}\n')
    (text,) = (x for x in code('../README.md') if 'YOUR_CONFIG' in x)
    for old, new in (
        ('YOUR_CONFIG', 'tiny'),
        ('num_classes=1000', 'num_classes=2'),
        ('in_channels=2048', 'in_channels=8'),
        ('scale=224', 'scale=8'),
        ("'LoadImageFromFile'", "'LoadImageFromFile', color_type='grayscale'"),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / 'mine.py').write_text(text)
    cfg = Config.fromfile(folder / 'mine.py')
    cfg.work_dir = str(folder / 'run')
    cfg.train_cfg = dict(by_epoch=True, max_epochs=1)
    runner = Runner.from_cfg(cfg)
    runner.train()
    head = runner.model.head
    assert type(head).__name__ == 'GPaCoHead'
    assert int(head.queue.filled) > 0
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 8
    assert np.isfinite(losses).all()


@pytest.fixture
def animals(tmp_path, monkeypatch):
    """A folder with the two classes that the page on methods names."""
    for split in ('train', 'val'):
        for i, name in enumerate(('lynx', 'wolf')):
            folder = tmp_path / 'data/animals' / split / name
            folder.mkdir(parents=True)
            for k in range(2 + i):
                image = np.full((8, 8, 3), 40 * k, np.uint8)
                assert cv2.imwrite(str(folder / f'{k}.jpg'), image)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_methods_are_put_on_a_config_as_the_page_says(animals, capsys):
    config, api = code('apply_method.md')
    (animals / 'animals.py').write_text(config)
    init_default_scope('mmpretrain')
    cfg = Config.fromfile('animals.py')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert dataset.CLASSES == ['lynx', 'wolf']
    assert dataset.get_gt_labels().tolist() == [0, 0, 1, 1, 1]
    exec(api, {})
    assert "type='mmpaco.GPaCoHead'" in capsys.readouterr().out
    assert (animals / 'resnet18_8xb32_in1k_gpaco.py').is_file()
    # The same on what the reader has written.
    exec(
        api.replace('mmpretrain::resnet/resnet18_8xb32_in1k.py', 'animals.py'),
        {},
    )
    found = Config.fromfile('animals_gpaco.py')
    assert found.model.head.num_classes == 2


def test_the_pipeline_of_the_page_on_robustness_takes_its_place(
    monkeypatch,
):
    classifier = CONFIGS / 'gpaco/resnet50_imagenet.py'
    monkeypatch.setenv('CLASSIFIER', str(classifier))
    (text,) = code('robustness.md')
    base = str(CONFIGS / 'robustness/imagenet-c.py')
    whole = Config.fromfile(base)
    cfg = Config.fromstring(text.replace("'imagenet-c.py'", repr(base)), '.py')
    steps = [x.type for x in cfg.test_dataloader.dataset.pipeline]
    assert steps == ['LoadImageFromFile', 'PackInputs']
    del whole.test_dataloader.dataset.pipeline
    del cfg.test_dataloader.dataset.pipeline
    assert cfg.test_dataloader == whole.test_dataloader


def commands():
    """Give tool and options of each command of the pages."""
    readmes = ROOT / 'README.md', *CONFIGS.glob('*/README.md')
    for page in (*readmes, *DOCS.rglob('*.md')):
        if '_build' in page.parts:
            continue
        for text in code(page, 'shell'):
            for line in text.replace('\\\n', ' ').splitlines():
                tool = re.match(
                    r' *(?:\w+=\S+ )*python ((?:tools|projects)/\S+\.py)',
                    line,
                )
                if tool:
                    found = re.findall(r'(?<=\s)--[a-z-]+', line)
                    yield tool[1], tuple(found)


def known_options(tool):
    """Give what is named in a tool and where it gets its options from."""
    sources = [ROOT / tool, *(ROOT / 'mmpaco').rglob('*_arguments.py')]
    if tool in ('tools/train.py', 'tools/test.py'):
        sources += [
            stock_tool(package, Path(tool).stem)
            for package in ('mmpretrain', 'mmseg')
        ]
    text = ''.join(path.read_text(encoding='utf-8') for path in sources)
    return set(re.findall(r"'(--[a-z-]+)'", text))


def test_options_of_the_commands_are_there():
    found = sorted(set(commands()))
    assert len(found) > 30
    for tool, options in found:
        assert set(options) <= known_options(tool), tool
