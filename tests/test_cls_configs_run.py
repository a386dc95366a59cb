"""The stock tools of mmpretrain run every classification config.

On images in the layout of each data set.
"""

import json
import math

import pytest
import torch
from mmengine.registry import init_default_scope
from support.released_settings import DATA
from support.small_cls import (
    COMPARED,
    CONFIGS,
    NAMES,
    TRANSFORMERS,
    believe,
    data_of,
    load,
    small_options,
    write,
)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


# All others take minutes.
QUICK = (
    'gpaco/resnet32_cifar100-lt-if100',
    'compared/bbn_resnet32_cifar100-lt-if100',
    'compared/ldam-drw_resnet32_cifar100-lt-if100',
)


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    roots = {}

    def get(data):
        data = 'cifar100' if data.startswith('cifar') else data
        if data not in roots:
            roots[data] = tmp_path_factory.mktemp(data)
            write(roots[data], data)
        return roots[data]

    return get


@pytest.mark.parametrize(
    'name',
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in [*NAMES, *COMPARED, *TRANSFORMERS]
    ],
)
def test_stock_tools_train_and_test(
    name, data_root, tmp_path, stock_run, monkeypatch
):
    data = data_of(name)
    believe(monkeypatch, data)
    options = small_options(name, data_root(data))
    config = CONFIGS / f'{name}.py'
    train = tmp_path / 'train'
    stock_run(*('mmpretrain', 'train', config, '--work-dir', train), **options)
    (path,) = train.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    losses = [line['loss'] for line in lines if 'loss' in line]
    assert len(losses) == 2 and all(math.isfinite(x) for x in losses)
    cfg = load(name)
    if cfg.test_dataloader is None:
        return
    metric = 'shot/all' if 'train_dataset' in cfg.val_evaluator else None
    metric = metric or 'accuracy/top1'
    assert any(metric in line for line in lines)
    if DATA[data][2]:
        assert list(train.glob('best_shot_all_epoch_1.pth'))

    out = tmp_path / 'test.json'
    stock_run(
        *('mmpretrain', 'test', config, train / 'epoch_1.pth'),
        *('--work-dir', tmp_path / 'test', '--out', out),
        *('--out-item', 'metrics'),
        **options,
    )
    assert 0 <= json.loads(out.read_text())[metric] <= 100


@pytest.mark.slow
def test_second_stage_of_supcon_trains_on_the_network_of_the_first(
    data_root, tmp_path, stock_run, monkeypatch
):
    believe(monkeypatch, 'cifar100-lt')
    states = []
    for stage in ('stage1', 'stage2'):
        name = f'baselines/supcon-{stage}_resnet32_cifar100-lt-if100'
        options = small_options(name, data_root('cifar100-lt'))
        options.pop('model.pretrained', None)
        work_dir = tmp_path / stage
        stock_run(
            *('mmpretrain', 'train', CONFIGS / f'{name}.py'),
            *('--work-dir', work_dir),
            **options,
        )
        path = work_dir / 'epoch_1.pth'
        monkeypatch.setenv('STAGE1', str(path))
        content = torch.load(path, map_location='cpu', weights_only=False)
        states.append(content['state_dict'])
    first, second = states
    network = [key for key in second if key.startswith('backbone.')]
    assert len(network) > 100
    for key in network:
        assert torch.equal(first[key], second[key]), key
    assert not torch.equal(first['head.fc.weight'], second['head.fc.weight'])
