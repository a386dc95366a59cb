"""Only the head trains on what another stage has learnt."""

import copy
import uuid

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from support.scope import enter_scope
from support.tiny import write_tiny

MOBILE = dict(type='MobileNetV2', widen_factor=0.1)


def build(kind='LinearClsHead', backbone=MOBILE, channels=1280, **options):
    enter_scope('mmpretrain')
    torch.manual_seed(0)
    head = dict(type=kind, num_classes=3, in_channels=channels)
    return MODELS.build(
        dict(
            type='mmpaco.LinearProbeClassifier',
            backbone=backbone,
            neck=dict(type='GlobalAveragePooling'),
            **{'head': head, **options},
        )
    )


@pytest.mark.parametrize(
    'lost',
    (
        None,
        'backbone.conv1.conv.weight',
        'backbone.conv1.bn.running_mean',
        'backbone.conv1.bn.running_var',
    ),
)
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


@pytest.mark.parametrize('train_fc', (False, True))
def test_scales_are_of_the_classifier_of_the_first_stage(train_fc, tmp_path):
    first, path = build().state_dict(), str(tmp_path / 'first.pth')
    head = dict(
        type='mmpaco.ScaledClsHead',
        num_classes=3,
        in_channels=1280,
        train_fc=train_fc,
    )
    for lost in ('head.fc.weight', 'head.fc.bias'):
        torch.save({k: x for k, x in first.items() if k != lost}, path)
        model = build(pretrained=path, head=head)
        with pytest.raises(RuntimeError, match=f'lacks 1 weights .*{lost}'):
            model.init_weights()
    # A linear classifier may be new, as after SupCon.
    model = build(pretrained=path)
    model.init_weights()
    assert torch.equal(model.head.fc.weight, first['head.fc.weight'])


def changed_by_a_step(model):
    """Names of what one iteration changes, and whether any is a nan."""
    # Of a first stage.
    model.load_state_dict(model.state_dict())
    model.train()
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), 0.1, weight_decay=0.1)
    samples = [DataSample().set_gt_label(i % 3) for i in range(4)]
    images = torch.randn(4, 3, 32, 32)
    model(images, samples, mode='loss')['loss'].backward()
    optimizer.step()
    return {
        name
        for name, value in model.state_dict().items()
        if not torch.equal(value, before[name])
    }


def test_the_network_stays_as_it_was():
    assert changed_by_a_step(build()) == {'head.fc.weight', 'head.fc.bias'}


@pytest.mark.parametrize('kind', ('LinearClsHead', 'mmpaco.ScaledClsHead'))
def test_statistics_move_if_they_are_told_to(kind):
    model = build(moving_statistics=True, kind=kind)
    changed = changed_by_a_step(model)
    scaled = kind == 'mmpaco.ScaledClsHead'
    trained = {'head.scale'} if scaled else {'head.fc.weight', 'head.fc.bias'}
    statistics = {
        name for name, _ in model.named_buffers() if 'backbone' in name
    }
    assert len(statistics) > 50
    assert changed == trained | statistics
    model.eval()
    assert not any(x.training for x in model.modules())


def test_what_a_backbone_keeps_in_eval_mode_does_not_move():
    backbone = dict(type='ResNet', depth=18, frozen_stages=2)
    model = build(moving_statistics=True, backbone=backbone, channels=512)
    moved = {x for x in changed_by_a_step(model) if 'running' in x}
    assert {x.split('.')[1] for x in moved} == {'layer3', 'layer4'}


@pytest.mark.parametrize('kind', ('LinearClsHead', 'mmpaco.ScaledClsHead'))
def test_a_fresh_head_is_not_that_of_the_checkpoint(kind, tmp_path):
    first = build().state_dict()
    path = str(tmp_path / 'first.pth')
    torch.save({'state_dict': {k: x + 1 for k, x in first.items()}}, path)
    for fresh in (False, True):
        model = build(pretrained=path, fresh_head=fresh, kind=kind)
        if fresh and kind != 'LinearClsHead':
            with pytest.raises(RuntimeError, match='and fresh_head=False'):
                model.init_weights()
            return
        model.init_weights()
        found = model.state_dict()
        assert torch.equal(
            found['backbone.conv1.bn.running_mean'],
            first['backbone.conv1.bn.running_mean'] + 1,
        )
        is_loaded = torch.equal(
            found['head.fc.bias'], first['head.fc.bias'] + 1
        )
        assert is_loaded != fresh
        # The initialisation of the head, not of torch.
        assert not fresh or found['head.fc.bias'].tolist() == [0, 0, 0]


def test_a_fresh_head_needs_a_checkpoint_to_be_left_out_of():
    with pytest.raises(ValueError, match='fresh_head=True leaves the head'):
        build(fresh_head=True).init_weights()
    build().init_weights()


def one_step(model):
    images, samples = torch.randn(2, 3, 32, 32), [DataSample(), DataSample()]
    for label, sample in enumerate(samples):
        sample.set_gt_label(label)
    return model(images, samples, mode='loss')


@pytest.mark.parametrize(
    'given', ('init_cfg', 'load_state_dict', 'of the backbone', 'before')
)
def test_random_features_are_refused_at_the_first_loss(given, tmp_path):
    path = str(tmp_path / 'backbone.pth')
    torch.save(build().backbone.state_dict(), path)
    source = dict(type='Pretrained', checkpoint=path)
    is_source = given == 'init_cfg'
    model = build(
        backbone=dict(MOBILE, init_cfg=source if is_source else None)
    )
    with pytest.raises(RuntimeError, match='random features; give pretrained'):
        one_step(model)
    if given == 'before':
        # As of timm, whose weights come when it is built.
        backbone = model.backbone
        backbone._is_init = True
        model = build(backbone=backbone)
    elif given == 'load_state_dict':
        model.load_state_dict(model.state_dict())
    elif given == 'of the backbone':
        model.backbone.load_state_dict(torch.load(path))
    else:
        # Those of a head alone are not those of the network.
        model.head.load_state_dict(model.head.state_dict())
        with pytest.raises(RuntimeError, match='random features'):
            one_step(copy.deepcopy(model))
        model.init_weights()
    one_step(copy.deepcopy(model))
    one_step(model)


@pytest.fixture
def probe(tmp_path):
    """Give the config of a second stage, and the file of the first."""
    write_tiny(tmp_path)
    cfg = Config.fromfile(str(tmp_path / 'tiny.py'))
    enter_scope('mmpretrain')
    first = MODELS.build(cfg.model)
    first.init_weights()
    path = str(tmp_path / 'first.pth')
    with torch.no_grad():
        first.head.fc.bias.fill_(5)
    torch.save({'state_dict': first.state_dict()}, path)
    cfg.model.type = 'mmpaco.LinearProbeClassifier'
    cfg.train_cfg.max_epochs = 1
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.work_dir = str(tmp_path / 'second')
    return cfg, path


def train(cfg, **options):
    cfg = copy.deepcopy(cfg)
    cfg.merge_from_dict(options)
    cfg.experiment_name = uuid.uuid4().hex
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def test_a_runner_gives_the_weights_or_does_not_train(probe):
    cfg, path = probe
    for resume in (False, True):
        with pytest.raises(RuntimeError, match='random features'):
            train(cfg, resume=resume)
    # The head goes on.
    runner = train(cfg, load_from=path)
    assert runner.model.head.fc.bias.mean() > 4
    runner = train(cfg, resume=True, **{'train_cfg.max_epochs': 2})
    assert runner.epoch == 2


def test_load_from_does_not_replace_a_fresh_head(probe):
    cfg, path = probe
    cfg.model.update(fresh_head=True, pretrained=path)
    with pytest.raises(RuntimeError, match='begins anew, but load_from'):
        train(cfg, load_from=path)
    train(cfg)
    # A head of its own is what a run goes on with.
    runner = train(cfg, resume=True, **{'train_cfg.max_epochs': 2})
    assert runner.model.head.fc.bias.mean() < 1
    train(cfg, load_from=path, **{'model.fresh_head': False})
    # So does a test.
    cfg.test_dataloader = cfg.train_dataloader
    cfg.test_evaluator, cfg.test_cfg = dict(type='Accuracy'), dict()
    cfg.load_from = path
    cfg.experiment_name = uuid.uuid4().hex
    Runner.from_cfg(cfg).test()
