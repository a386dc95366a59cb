"""Only the head trains on what another stage has learnt."""

import copy

import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from support.scope import enter_scope


def test_the_network_stays_as_it_was():
    enter_scope('mmpretrain')
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='mmpaco.LinearProbeClassifier',
            backbone=dict(type='MobileNetV2', widen_factor=0.1),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=3, in_channels=1280),
        )
    ).train()
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    samples = [DataSample().set_gt_label(i % 3) for i in range(4)]
    images = torch.randn(4, 3, 32, 32)
    model(images, samples, mode='loss')['loss'].backward()
    optimizer.step()
    changed = {
        name
        for name, value in model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {'head.fc.weight', 'head.fc.bias'}
