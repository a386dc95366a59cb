"""Any config of mmseg trains with GPaCo: the type of its model is all.

The tools of mmseg run as they are installed, and nothing imports mmpaco
before they do: the configs have no ``custom_imports``.
"""

import json
import sys

import numpy as np
import pytest
import torch
from support.paths import TOOLS
from support.processes import environment
from support.small_seg import WRITERS

from mmpaco.compat import stock_tool

STOCK = stock_tool('mmseg', 'train').parents[1] / 'configs'
# name: (config, losses of the stock model)
CASES = {
    'fcn': ('fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024', 'decode aux'),
    'pspnet': ('pspnet/pspnet_r50-d8_4xb4-80k_ade20k-512x512', 'decode aux'),
    'deeplabv3plus': (
        'deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024',
        'decode aux',
    ),
    'upernet': (
        'swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_'
        'ade20k-512x512',
        'decode aux',
    ),
    'segformer': (
        'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512',
        'decode',
    ),
    'ocrnet': (
        'ocrnet/ocrnet_hr18s_4xb2-40k_cityscapes-512x1024',
        'decode_0 decode_1',
    ),
}


def small(root):
    """Options for a training of two iterations on few and small images."""
    options = {
        'model.pretrained': None,
        'model.backbone.init_cfg': None,
        'model.data_preprocessor.size': '(64,64)',
        'train_dataloader.batch_size': 2,
        'train_dataloader.dataset.pipeline.2.scale': '(96,64)',
        'train_dataloader.dataset.pipeline.3.crop_size': '(64,64)',
        'train_cfg.max_iters': 2,
        'train_cfg.val_interval': 2,
        'default_hooks.logger.interval': 1,
        'default_hooks.checkpoint.interval': 2,
    }
    for split in ('train', 'val', 'test'):
        loader = f'{split}_dataloader'
        options[f'{loader}.dataset.data_root'] = root
        options[f'{loader}.num_workers'] = 0
        options[f'{loader}.persistent_workers'] = False
        if split != 'train':
            options[f'{loader}.dataset.pipeline.1.scale'] = '(96,64)'
    return options


@pytest.mark.parametrize(
    'name',
    [
        pytest.param(
            name,
            # Each takes some twenty seconds: one head alone, and a cascade.
            marks=() if name in ('segformer', 'ocrnet') else pytest.mark.slow,
        )
        for name in CASES
    ],
)
def test_the_type_is_all_that_a_stock_config_needs(
    run, stock_run, tmp_path, capsys, name
):
    config, stock_losses = CASES[name]
    data = 'ade20k' if 'ade20k' in config else 'cityscapes'
    WRITERS[data](tmp_path / data, np.random.default_rng(0))
    kind = 'GPaCoCascade' if name == 'ocrnet' else 'GPaCo'
    options = [f'{k}={v}' for k, v in small(tmp_path / data).items()]
    # Ours runs that of mmseg.
    tool = stock_tool('mmseg', 'train')
    if name == 'segformer':
        tool = TOOLS / 'train.py'
    output = run(
        *(sys.executable, tool, STOCK / f'{config}.py'),
        *('--work-dir', tmp_path / 'run', '--cfg-options', *options),
        f'model.type=mmpaco.{kind}EncoderDecoder',
        env=environment(),
    )
    assert 'custom_imports' not in output
    (path,) = (tmp_path / 'run').glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines = [line for line in lines if 'loss' in line]
    assert len(lines) == 2
    for line in lines:
        losses = {k: v for k, v in line.items() if '.loss_' in k}
        stock = {f'{prefix}.loss_ce' for prefix in stock_losses.split()}
        assert set(losses) == {*stock, 'gpaco.loss_gpaco'}
        assert losses['gpaco.loss_gpaco'] > 0
        assert np.isclose(line['loss'], sum(losses.values()))
    assert 'mIoU' in output

    # The model of the stock config takes the weights, but for those.
    path = tmp_path / 'run' / 'iter_2.pth'
    weights = torch.load(path, map_location='cpu', weights_only=False)
    assert any('gpaco_head.' in x for x in weights['state_dict'])
    stock_run(
        *('mmseg', 'test', STOCK / f'{config}.py', path),
        *('--work-dir', tmp_path / 'test'),
        **small(tmp_path / data),
    )
    (log,) = (tmp_path / 'test').glob('*/*.log')
    # What a model does not take is printed, and in no log.
    output = capsys.readouterr().out + log.read_text()
    assert 'missing keys' not in output
    unexpected = output.split('unexpected key in source state_dict: ')[1]
    names = unexpected.split('\n')[0].split(', ')
    assert all(x.startswith('gpaco_head.') for x in names)
    assert 'mIoU' in output
