"""Methods on stock configs, by the tool and in stock training."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS
from support.method_plans import LINEAR
from support.processes import environment
from support.scope import enter_scope
from support.small_cls import write_imagenet
from support.tiny import write_tiny
from support.tools import call_here

from mmpaco.compat import stock_tool
from mmpaco.methods import Facts, Refusal, methods
from mmpaco.runner.checkpoint import load_checkpoint
from mmpaco.runner.method_configs import apply_method

pytest.importorskip('mmpretrain')

RESNET = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'
VIT = 'mmpretrain::deit/deit-tiny_4xb256_in1k.py'
NAMES = [x.name for x in methods('mmpretrain')]


@pytest.fixture(scope='module')
def imagenet(tmp_path_factory):
    """A folder with ImageNet where stock configs look for it."""
    folder = tmp_path_factory.mktemp('imagenet')
    write_imagenet(folder / 'data' / 'imagenet')
    return folder


def apply(folder, *arguments):
    return call_here(folder, 'apply_method.py', *arguments)


def small(split, images, pairs=False):
    dataset = 'dataset.dataset' if pairs else 'dataset'
    return [
        f'{split}_dataloader.{dataset}.indices={images}',
        f'{split}_dataloader.batch_size=2',
        f'{split}_dataloader.num_workers=0',
        f'{split}_dataloader.persistent_workers=False',
    ]


def options(*more):
    """Two iterations of four images, unless more says otherwise."""
    is_told = any(x.startswith('train_dataloader.') for x in more)
    return [
        '--cfg-options',
        'train_cfg.max_epochs=1',
        'param_scheduler=None',
        'default_hooks.logger.interval=1',
        *(() if is_told else small('train', 4)),
        *more,
    ]


def train(folder, config, *more):
    """Train by the stock tool, in a process of its own."""
    tool = str(stock_tool('mmpretrain', 'train'))
    return subprocess.run(
        [sys.executable, tool, str(config), *options(*more)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        env=environment(),
    )


def train_here(folder, config, *more):
    return call_here(folder, 'train.py', config, *options(*more))


@pytest.mark.parametrize(
    'method, config, run',
    [('gpaco', RESNET, train_here), ('paco', VIT, train)],
    ids=['resnet', 'vit'],
)
def test_a_stock_tool_trains_what_is_written(method, config, run, imagenet):
    out = apply(imagenet, method, config, f'{method}.py')
    assert out.returncode == 0, out.stderr
    text = (imagenet / f'{method}.py').read_text()
    assert text in out.stdout
    # 1000 images of 1000 classes are here.
    assert 'head class has 1 of 1000 images' in out.stdout
    out = run(imagenet, f'{method}.py', *small('val', 2))
    assert out.returncode == 0, out.stderr[-3000:]
    folder = imagenet / 'work_dirs' / method
    assert (folder / 'epoch_1.pth').is_file()
    (scalars,) = folder.glob('*/vis_data/scalars.json')
    lines = [json.loads(x) for x in scalars.read_text().splitlines()]
    assert [line['loss'] > 0 for line in lines[:2]] == [True, True]
    assert {'accuracy/top1', 'shot/all'} <= {*lines[2]}


def test_both_stages_of_supcon_train(tmp_path):
    write_tiny(tmp_path)
    out = apply(tmp_path, 'supcon', 'tiny.py', 'a/b.py')
    assert out.returncode == 0, out.stderr
    first = train_here(tmp_path, 'a/b.py')
    assert first.returncode == 0, first.stderr[-3000:]
    checkpoint = 'model.pretrained=work_dirs/b/epoch_1.pth'
    second = train_here(tmp_path, 'a/b_stage2.py', checkpoint)
    assert second.returncode == 0, second.stderr[-3000:]
    one, other = (
        load_checkpoint(tmp_path / f'work_dirs/{x}/epoch_1.pth')['state_dict']
        for x in ('b', 'b_stage2')
    )
    # The network is that of the first stage, and the classifier is not.
    for name, value in other.items():
        assert torch.equal(value, one[name]) == ('head.fc' not in name), name


@pytest.mark.parametrize(
    'name', ('crt', pytest.param('lws', marks=pytest.mark.slow), 'mislas')
)
def test_a_second_stage_moves_head_and_statistics_alone(name, tmp_path):
    """And the stock inferencer takes what comes of it."""
    write_tiny(tmp_path)
    out = apply(tmp_path, name, 'tiny.py', 'b.py')
    assert out.returncode == 0, out.stderr
    first = train_here(tmp_path, 'b.py')
    assert first.returncode == 0, first.stderr[-3000:]
    checkpoint = 'model.pretrained=work_dirs/b/epoch_1.pth'
    second = train_here(tmp_path, 'b_stage2.py', checkpoint)
    assert second.returncode == 0, second.stderr[-3000:]
    one, other = (
        load_checkpoint(tmp_path / f'work_dirs/{x}/epoch_1.pth')['state_dict']
        for x in ('b', 'b_stage2')
    )
    moved = {
        key
        for key, value in other.items()
        if key not in one or not torch.equal(value, one[key])
    }
    fc, scale = {'head.fc.weight', 'head.fc.bias'}, {'head.scale'}
    expected = dict(crt=fc, lws=scale, mislas=fc | scale)[name]
    assert {key for key in moved if key.startswith('head.')} - expected <= {
        key for key in moved if 'prior' in key
    }
    assert expected <= moved
    for key in one:
        is_statistic = 'running' in key or 'num_batches' in key
        if key.startswith('backbone.'):
            assert (key in moved) == is_statistic, key
    inferred(tmp_path / 'b_stage2.py', tmp_path / 'work_dirs/b_stage2')


def inferred(config, folder):
    """Have the stock inferencer say which class an image has."""
    from mmpretrain import ImageClassificationInferencer

    enter_scope('mmpretrain')
    (found,) = ImageClassificationInferencer(
        str(config), str(folder / 'epoch_1.pth'), device='cpu'
    )(np.full((8, 8, 1), 60, np.uint8))
    assert found['pred_label'] in (0, 1)
    assert found['pred_scores'].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    'name',
    [
        *('bbn', 'cb-focal', 'ldam-drw', 'reslt', 'ride', 'tde'),
        pytest.param('focal', marks=pytest.mark.slow),
        pytest.param('logit-adjusted', marks=pytest.mark.slow),
    ],
)
def test_losses_train_and_infer_by_stock_tools(name, tmp_path):
    write_tiny(tmp_path)
    # Two of one name that begin in one second would share a log.
    out = apply(tmp_path, name, 'tiny.py', f'{name}.py')
    assert out.returncode == 0, out.stderr
    # 16 dark and 2 light images.
    out = train_here(
        *(tmp_path, f'{name}.py', *small('val', 32)),
        *small('train', 18, pairs=name == 'bbn'),
    )
    assert out.returncode == 0, out.stderr[-3000:]
    folder = tmp_path / 'work_dirs' / name
    (scalars,) = folder.glob('*/vis_data/scalars.json')
    lines = [json.loads(x) for x in scalars.read_text().splitlines()]
    losses = [line['loss'] for line in lines if 'loss' in line]
    assert len(losses) == 9 and min(losses) > 0

    inferred(tmp_path / f'{name}.py', folder)


@pytest.mark.parametrize('name', ('cb-focal', 'focal'))
def test_the_bias_of_sigmoids_is_low_and_does_not_decay(name, tmp_path):
    enter_scope('mmpretrain')
    made, *_ = apply_method(
        name,
        'mmpretrain::resnet/resnet34_8xb16_cifar10.py',
        tmp_path / 'out.py',
        facts=Facts(why_unknown='not read'),
    )
    model = MODELS.build(made.config.model)
    model.head.init_weights()
    bias = model.head.fc.bias
    expected = -torch.log(torch.tensor(9.0)).expand(10)
    torch.testing.assert_close(bias.detach(), expected)
    wrapper = build_optim_wrapper(model, made.config.optim_wrapper)
    decays = {
        group['weight_decay']
        for group in wrapper.param_groups
        if any(x is bias for x in group['params'])
    }
    assert decays == {0}
    assert wrapper.param_groups[0]['weight_decay'] > 0


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize(
    'config',
    [
        RESNET,
        VIT,
        'mmpretrain::resnet/resnet34_8xb16_cifar10.py',
        'mmpretrain::mobilenet_v3/mobilenet-v3-small_8xb128_in1k.py',
        'mmpretrain::convnext_v2/convnext-v2-atto_32xb32_in1k.py',
        'mmpretrain::levit/levit-128s_8xb256_in1k.py',
    ],
)
def test_what_is_written_is_short_and_builds(name, config, tmp_path):
    enter_scope('mmpretrain')
    unknown = Facts(why_unknown='not read')
    if name == 'reslt' and 'convnext' in config:
        with pytest.raises(Refusal, match='ConvNeXt with no neck'):
            apply_method(name, config, facts=unknown)
        return
    if name in ('bbn', 'ride') and 'convnext' in config:
        with pytest.raises(Refusal, match='no form of several experts'):
            apply_method(name, config, facts=unknown)
        return
    if name in LINEAR and 'resnet' not in config:
        # For linear heads alone; that of ConvNeXt is one.
        if 'convnext' not in config:
            with pytest.raises(Refusal, match='of a *LinearClsHead'):
                apply_method(name, config, facts=unknown)
            return
    views = 'own' if config == RESNET else 'papers'
    for made in apply_method(
        name, config, tmp_path / 'out.py', views=views, facts=unknown
    ):
        lines = made.text.splitlines()
        assert len(lines) <= 40
        assert str(tmp_path) not in made.text
        made.path.write_text(made.text)
        cfg = Config.fromfile(made.path)
        model = MODELS.build(
            dict(cfg.model, data_preprocessor=cfg.data_preprocessor)
        )
        assert model.head.num_classes in (10, 1000)


def test_the_name_and_the_folder_are_chosen(tmp_path):
    write_tiny(tmp_path)
    out = apply(tmp_path, 'gpaco', 'tiny.py', '--set', 'alpha=0.3')
    assert out.returncode == 0, out.stderr
    cfg = Config.fromfile(tmp_path / 'tiny_gpaco.py')
    assert cfg.model.head.loss.alpha == 0.3
    assert cfg.model.head.queue_length == 32
    assert '16 of 32 images' in out.stdout
    again = apply(tmp_path, 'gpaco', 'tiny.py')
    assert again.returncode == 1
    assert 'is there already' in again.stderr and '--force' in again.stderr
    assert apply(tmp_path, 'gpaco', 'tiny.py', '--force').returncode == 0


def test_a_config_may_be_another_each_time(tmp_path):
    extra = 'import time\nwork_dir = str(time.time_ns())\nx = time.time_ns()\n'
    write_tiny(tmp_path, extra=extra)
    out = apply(tmp_path, 'gpaco', 'tiny.py')
    assert out.returncode == 0, out.stderr
    cfg = Config.fromfile(tmp_path / 'tiny_gpaco.py')
    assert cfg.work_dir == 'work_dirs/tiny_gpaco'


def test_short_names_are_for_segmentors_too(tmp_path):
    pytest.importorskip('mmseg')
    out = apply(
        tmp_path, 'gpaco', 'mmseg::fcn/fcn_r18-d8_4xb2-80k_cityscapes-'
        '512x1024.py', 'fcn.py', '--set', 'alpha=0.02', 'num_samples=64',
    )  # fmt: skip
    assert out.returncode == 0, out.stderr
    assert Config.fromfile(tmp_path / 'fcn.py').model.gpaco == dict(
        loss_decode=dict(alpha=0.02), num_samples=64
    )


def test_an_option_that_is_given_twice_adds_up(tmp_path):
    write_tiny(tmp_path)
    out = apply(
        *(tmp_path, 'gpaco', 'tiny.py', '--set', 'alpha=0.25'),
        *('--set', 'queue_length=7'),
    )
    assert out.returncode == 0, out.stderr
    assert 'alpha=0.25' in out.stdout
    assert 'queue_length=7' in out.stdout


def test_methods_are_listed(tmp_path):
    out = apply(tmp_path, '--list')
    assert out.returncode == 0
    for method in methods():
        assert f'{method.toolbox} {method.name}: {method.description}' in (
            out.stdout
        )


@pytest.mark.parametrize(
    'arguments, told',
    [
        (('gpcao', 'tiny.py'), 'did you mean gpaco?'),
        (('gpaco', 'missing.py'), 'existing file'),
        (('gpaco', 'mmpretrain::resnet/resnet18.py'), 'did you mean'),
        (('gpaco', 'broken.py'), 'cannot be parsed (NameError'),
        (('gpaco', 'no_python.py'), 'cannot be parsed'),
        (('gpaco', 'pure.py'), 'pure Python style'),
        (('gpaco', 'imports.py'), 'an import of a package'),
        (('gpaco', 'above.py', 'tiny.py', '--force'), 'would overwrite'),
        (('gpaco', 'needs.py'), 'needs a package'),
        (('gpaco', 'tiny.py', 'out.txt'), 'must be a .py file'),
        (('gpaco', 'tiny.py', 'tiny.py', '--force'), 'would overwrite'),
        (('gpaco', 'tiny.py', '--set', 'alhpa=1'), 'did you mean alpha?'),
        (('gpaco', 'tiny.py', '--set', 'alpha=x'), 'must be a number'),
        (('gpaco', 'tiny.py', '--set', 'alpha=-1'), 'with alpha as given'),
        (('gpaco', 'tiny.py', '--set', 'model.head.type=LinearClsHead'),
         'is what the method consists of'),
        (('gpaco', 'tiny.py', '--set', 'custom_hooks=None'),
         'is what the method consists of'),
        (('supcon', 'tiny.py', 'folder.py', '--force'), 'is a folder'),
        (('supcon', 'tiny.py', 'there.py'), 'there_stage2.py is there'),
        (('gpaco', 'mmpretrain::mae/mae_vit-base-p16_8xb512-amp-coslr-'
          '300e_in1k.py'), 'self-supervised'),
    ],
)  # fmt: skip
def test_a_refusal_is_a_sentence_and_writes_nothing(arguments, told, tmp_path):
    write_tiny(tmp_path)
    texts = {
        'broken.py': "_base_ = 'tiny.py'\nmodel = nothing\n",
        'no_python.py': 'model = dict(\n',
        'pure.py': 'from mmengine.config import read_base\n\n'
        'with read_base():\n    from .x import *\n',
        'imports.py': 'from torch.optim import SGD\n',
        'above.py': "_base_ = 'tiny.py'\n",
        'needs.py': "_base_ = 'mmdet::faster_rcnn/x.py'\n",
        'there_stage2.py': '',
    }
    (tmp_path / 'folder_stage2.py').mkdir()
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    before = {x: x.read_bytes() for x in tmp_path.glob('*.*') if x.is_file()}
    out = apply(tmp_path, *arguments)
    assert out.returncode == 1
    assert told in out.stderr
    assert 'Traceback' not in out.stderr
    after = {x: x.read_bytes() for x in tmp_path.glob('*.*') if x.is_file()}
    assert after == before
