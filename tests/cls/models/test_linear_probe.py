"""Only the head trains on what another stage has learnt."""

import copy

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from support.scope import enter_scope


def build(**options):
    enter_scope('mmpretrain')
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='mmpaco.LinearProbeClassifier',
            backbone=dict(type='MobileNetV2', widen_factor=0.1),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=3, in_channels=1280),
            **options,
        )
    )


@pytest.mark.parametrize('lost', [None, 'backbone.conv1.conv.weight'])
def test_a_network_of_another_checkpoint_is_refused(lost, tmp_path):
    first = build().state_dict()
    path = tmp_path / 'first.pth'
    torch.save(
        {'state_dict': {k: x + 1 for k, x in first.items() if k != lost}},
        path,
    )
    model = build(pretrained=str(path))
    if lost:
        with pytest.raises(RuntimeError, match=f'lacks 1 weights .*{lost}'):
            model.init_weights()
        return
    model.init_weights()
    name = 'backbone.conv1.conv.weight'
    assert torch.equal(model.state_dict()[name], first[name] + 1)


def test_the_network_stays_as_it_was():
    model = build().train()
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
