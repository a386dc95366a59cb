"""Branches and experts on two ranks, against one process."""

import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from support import compared_ranks
from support.processes import environment
from support.tiny import write_tiny

ALL = {
    'train_cfg.max_epochs': 2,
    'val_cfg': None,
    'val_dataloader': None,
    'val_evaluator': None,
    # All images of a batch are of one class, so ranks have as many of each.
    'train_dataloader.sampler.shuffle': False,
}
TDE = {
    'model.head.type': 'mmpaco.CausalNormHead',
    'custom_hooks': [dict(type='mmpaco.CausalNormHook')],
}
CASES = {
    'reslt': {
        'model.neck': None,
        'model.head': dict(
            _delete_=True,
            type='mmpaco.ResLTHead',
            num_classes=2,
            in_channels=8,
            loss=dict(
                type='mmpaco.ResLTLoss', num_classes=2, beta=0.9, groups=[2, 1]
            ),
        ),
        'custom_hooks': [dict(type='mmpaco.ClassPriorHook')],
    },
    'ride': {
        'model.backbone.type': 'mmpaco.MultiExpertResNetCIFAR',
        'model.backbone.num_experts': 2,
        'model.backbone.own_stages': 1,
        'model.head': dict(
            _delete_=True,
            type='mmpaco.MultiExpertClsHead',
            num_classes=2,
            in_channels=8,
            num_experts=2,
            topk=(1,),
            loss=dict(type='mmpaco.RIDELoss', num_classes=2),
        ),
        # Scores up to 30 grow what rounding does.
        'optim_wrapper.optimizer.lr': 0.005,
        # Of the two epochs, the second has class weights.
        'custom_hooks': [
            dict(type='mmpaco.ClassPriorHook'),
            dict(type='mmpaco.DeferredReweightingHook', epoch=1),
        ],
    },
    'bbn': {
        'model.type': 'mmpaco.BBNClassifier',
        'model.data_preprocessor.type': 'mmpaco.MultiViewDataPreprocessor',
        'model.backbone.type': 'mmpaco.MultiExpertResNetCIFAR',
        'model.backbone.num_experts': 2,
        'model.backbone.own_blocks': 1,
        'model.backbone.joined': True,
        'model.head.in_channels': 16,
        'train_dataloader.sampler': dict(
            _delete_=True, type='mmpaco.PairSampler'
        ),
        'custom_hooks': [dict(type='mmpaco.BBNProgressHook')],
    },
    'tde': {**TDE, 'optim_wrapper.accumulative_counts': 3},
    # Ranks of 16 and 15 images, whose means of losses are not that of all.
    'ragged': {
        **TDE,
        'optim_wrapper.optimizer.lr': 0.0,
        'train_dataloader.sampler.round_up': False,
        'train_dataloader.dataset.indices': 31,
    },
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    # Of norms whose statistics are those of each image.
    folder = write_tiny(tmp_path_factory.mktemp('ranks'), 'IN')
    for name, options in CASES.items():
        cfg = Config.fromfile(str(folder / 'tiny.py'))
        cfg.merge_from_dict({**ALL, **options})
        if name == 'bbn':
            cfg.train_dataloader.dataset = dict(
                type='mmpaco.PairedDataset',
                dataset=cfg.train_dataloader.dataset,
            )
        cfg.dump(str(folder / f'{name}.py'))
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, '-W', 'ignore', compared_ranks.__file__),
                *(folder, str(rank), *CASES),
            ],
            env=environment(LOCAL_RANK=str(rank)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(compared_ranks.RANKS)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-3000:]
    return folder


@pytest.mark.parametrize('name', CASES)
def test_two_ranks_train_as_one_process_on_the_whole_batch(folder, name):
    ranks = [
        torch.load(folder / f'{name}.rank{rank}.pth', weights_only=True)
        for rank in range(compared_ranks.RANKS)
    ]
    whole = compared_ranks.train(
        folder / f'{name}.py',
        folder / f'{name}.whole',
        **{'train_dataloader.batch_size': 8},
    )
    for rank in ranks:
        assert rank['weights'].keys() == whole['weights'].keys()
        for key, value in whole['weights'].items():
            torch.testing.assert_close(
                rank['weights'][key], value, rtol=1e-4, atol=1e-6
            )
        assert len(rank['means']) == len(whole['means'])
        for mine, theirs in zip(rank['means'], whole['means']):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)
    if name in ('bbn', 'reslt', 'ride'):
        assert whole['means'] == []
        return
    # All ranks hold the same, to the bit.
    for first, second in zip(*(rank['means'] for rank in ranks)):
        assert torch.equal(first, second)
    moved = [
        not torch.equal(before, after)
        for before, after in zip(
            [torch.zeros(8), *whole['means']], whole['means']
        )
    ]
    # Four iterations an epoch; the last one of all takes a step, too.
    assert moved == [name == 'ragged' or i in (2, 5, 7) for i in range(8)]
