"""FSDP trains what DDP trains: weights, queue, prior, optimizer and files."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from support.paths import CONFIGS

from mmpaco.runner.fsdp_strategy import FSDPStrategy

pytest.importorskip('mmpretrain')
try:
    # As FSDP asks for one.
    torch.cpu.Stream(priority=-1)
    IS_ON_CPU = True
except TypeError:
    IS_ON_CPU = False
on_cpu = pytest.mark.skipif(
    not IS_ON_CPU or torch.cuda.is_available(),
    reason='FSDP of this PyTorch needs a card',
)
FSDP = dict(
    type='mmpaco.FSDPStrategy',
    # A block of the small network has 12,704 weights.
    model_wrapper=dict(
        auto_wrap_policy=dict(
            type='torch.distributed.fsdp.wrap.size_based_auto_wrap_policy',
            min_num_params=12_000,
        )
    ),
)


def write_images(folder):
    rng = np.random.default_rng(0)
    for label, count in enumerate((11, 5)):
        (folder / f'class{label}').mkdir(parents=True)
        for i in range(count):
            image = rng.integers(0, 256, (32, 32, 3), np.uint8)
            image[..., label] //= 4
            cv2.imwrite(str(folder / f'class{label}/{i}.png'), image)


@pytest.fixture
def vit_config(tmp_path):
    """The config of ViT-L, of 32 channels on 16 images, with a prior."""
    write_images(tmp_path / 'images')
    cfg = Config.fromfile(CONFIGS / 'gpaco/vit-large_mae_imagenet.py')
    cfg.data_preprocessor.num_classes = 2
    cfg.model.backbone.update(img_size=32, drop_path_rate=0.0, init_cfg=None)
    cfg.model.backbone.arch = dict(
        embed_dims=32, num_layers=3, num_heads=2, feedforward_channels=128
    )
    cfg.model.head.update(
        num_classes=2,
        in_channels=32,
        queue_length=24,
        class_prior=True,
        topk=(1,),
    )
    # A resumed run draws other views than one that goes on.
    flip = [dict(type='RandomFlip', prob=1.0, direction='horizontal')]
    same = [dict(type='Resize', scale=32)]
    data = dict(type='CustomDataset', data_root=str(tmp_path / 'images'))
    load = dict(type='LoadImageFromFile')
    views = dict(type='MultiView', num_views=[1, 1], transforms=[flip, same])
    pack = dict(type='PackInputs')
    for split, pipeline in (
        ('train', [load, views, pack]),
        ('val', [load, pack]),
    ):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        loader.dataset = dict(data, pipeline=pipeline)
    cfg.test_dataloader = cfg.val_dataloader
    cfg.val_evaluator = cfg.test_evaluator = dict(type='Accuracy', topk=(1,))
    cfg.optim_wrapper.type = 'OptimWrapper'
    cfg.optim_wrapper.accumulative_counts = 2
    # The bias of a key has no gradient but rounding, which Adam would follow.
    cfg.optim_wrapper.optimizer.eps = 1e-3
    cfg.train_cfg.max_epochs = 2
    cfg.custom_hooks = [
        dict(type='mmpaco.ClassPriorHook'),
        dict(type='mmpaco.PaCoQueueHook'),
    ]
    return cfg


def assert_same(found, expected):
    """Two checkpoints, of which either may be FSDP's, are of one run."""
    theirs, mine = (x['state_dict'] for x in (expected, found))
    assert list(mine) == list(theirs)
    for name, value in theirs.items():
        assert torch.allclose(mine[name], value, rtol=1e-4, atol=1e-6), name
    theirs, mine = (x['optimizer'] for x in (expected, found))
    assert set(mine) == set(theirs)
    assert len(mine['param_groups']) == len(theirs['param_groups'])
    for one, other in zip(mine['param_groups'], theirs['param_groups']):
        for key in ('params', 'lr', 'weight_decay'):
            assert one[key] == pytest.approx(other[key]), key
    assert set(mine['state']) == set(theirs['state'])
    for number, state in theirs['state'].items():
        for key, value in state.items():
            assert torch.allclose(
                mine['state'][number][key], value, rtol=1e-3, atol=1e-7
            )
    for key in ('epoch', 'iter'):
        assert found['meta'][key] == expected['meta'][key]


def read(path):
    return torch.load(path, map_location='cpu', weights_only=False)


@on_cpu
def test_fsdp_and_ddp_train_the_same_and_resume_each_other(
    vit_config, dist_train, tmp_path
):
    def train(name, *options, is_divided):
        cfg = vit_config.copy()
        if is_divided:
            cfg.runner_type, cfg.strategy = 'FlexibleRunner', dict(FSDP)
        dist_train(cfg, 2, '--work-dir', tmp_path / name, *options)
        return read(tmp_path / name / 'epoch_2.pth')

    ddp = train('ddp', is_divided=False)
    fsdp = train('fsdp', is_divided=True)
    assert_same(fsdp, ddp)
    state = fsdp['state_dict']
    assert state['head.queue.filled'] == 24
    assert state['head.prior.class_counts'].tolist() == [11, 5]
    rates = {x['lr'] for x in fsdp['optimizer']['param_groups']}
    decays = {x['weight_decay'] for x in fsdp['optimizer']['param_groups']}
    # One for each of three blocks, what is below and what is above.
    assert len(rates) == 5 and decays == {0, 0.05}

    half = tmp_path / 'ddp/epoch_1.pth'
    assert_same(train('a', '--resume', half, is_divided=True), ddp)
    half = tmp_path / 'fsdp/epoch_1.pth'
    assert_same(train('b', '--resume', half, is_divided=False), ddp)


def test_weights_of_one_rate_must_be_apart(tmp_path):
    with pytest.raises(ValueError, match='use_orig_params must be True'):
        FSDPStrategy(
            work_dir=tmp_path, model_wrapper=dict(use_orig_params=False)
        )
