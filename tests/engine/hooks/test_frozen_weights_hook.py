"""Frozen weights that no checkpoint gave, in trainings by the real runner."""

import uuid

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from support.small_vit import small_config


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


@pytest.fixture
def cfg(tmp_path):
    """The config for any transformer, and whole weights for its backbone."""
    cfg = small_config('gpaco/vit-base_any_imagenet-lt', tmp_path)
    cfg.work_dir = str(tmp_path / 'work')
    cfg.experiment_name = uuid.uuid4().hex
    cfg.train_cfg.update(max_epochs=1, val_interval=9)
    state = MODELS.build(cfg.model.backbone).state_dict()
    path = tmp_path / 'weights.pth'
    torch.save({f'backbone.{k}': v for k, v in state.items()}, path)
    cfg.model.backbone.init_cfg = dict(
        type='Pretrained', prefix='backbone.', checkpoint=str(path)
    )
    return cfg


def change(cfg, edit):
    path = cfg.model.backbone.init_cfg.checkpoint
    state = torch.load(path)
    edit(state)
    torch.save(state, path)


def without(*parts):
    def edit(state):
        for name in [x for x in state if any(p in x for p in parts)]:
            del state[name]

    return edit


def test_whole_weights_are_kept_and_trained_on(cfg):
    given = torch.load(cfg.model.backbone.init_cfg.checkpoint)
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 8
    weight = runner.model.backbone.layers[1].attn.qkv.weight
    assert torch.equal(weight, given['backbone.layers.1.attn.qkv.weight'])


@pytest.mark.parametrize(
    ('edit', 'said'),
    [
        (without('backbone.layers.1.'), 'lacks layers.1.attn.qkv.weight'),
        (without('patch_embed.'), 'lacks patch_embed.projection.weight'),
        (
            lambda x: x.update(
                {'backbone.layers.0.ffn.layers.1.weight': torch.ones(32, 8)}
            ),
            r'weight has the shape \(32, 8\), not \(32, 128\)',
        ),
    ],
    ids=['a block', 'the embedding', 'a shape'],
)
def test_a_frozen_weight_that_lacks_ends_the_training(cfg, edit, said):
    change(cfg, edit)
    # Which begins anew where there is nothing.
    cfg.resume = True
    with pytest.raises(RuntimeError, match=f'does not fit Vision.*{said}'):
        Runner.from_cfg(cfg).train()


@pytest.mark.parametrize(
    'edit',
    [
        # The last block is trained.
        without('backbone.layers.2.'),
        # It does nothing before it is trained.
        without('ln1.'),
        # Of larger images: mmpretrain resizes it.
        lambda x: x.update({'backbone.pos_embed': torch.rand(1, 17, 32)}),
    ],
    ids=['trained', 'norm', 'position'],
)
def test_what_does_no_harm_is_allowed(cfg, edit):
    change(cfg, edit)
    cfg.model.backbone.frozen_stages = 2
    Runner.from_cfg(cfg).train()


def test_a_checkpoint_that_is_loaded_has_them(cfg, tmp_path):
    Runner.from_cfg(cfg).train()
    change(cfg, without('backbone.layers.1.'))
    cfg.load_from = str(tmp_path / 'work/epoch_1.pth')
    cfg.experiment_name = uuid.uuid4().hex
    Runner.from_cfg(cfg).train()


@pytest.mark.parametrize('is_whole', [True, False])
def test_what_lora_freezes_is_looked_at(cfg, is_whole):
    if not is_whole:
        change(cfg, without('backbone.layers.1.attn.qkv.weight'))
    module = cfg.model.backbone
    module.pop('frozen_stages')
    cfg.model.backbone = dict(
        type='LoRAModel',
        module=module,
        alpha=2,
        rank=2,
        targets=[dict(type='qkv')],
    )
    runner = Runner.from_cfg(cfg)
    if is_whole:
        runner.train()
        return
    with pytest.raises(RuntimeError, match='lacks layers.1.attn.qkv.weight'):
        runner.train()


def test_the_keys_of_a_first_stage_are_those_of_the_classifier(
    tiny_config, tmp_path
):
    tiny_config()
    (tmp_path / 'probe.py').write_text(
        "_base_ = 'tiny.py'\n"
        "custom_hooks = [dict(type='mmpaco.FrozenWeightsHook')]\n"
        "model = dict(backbone=dict(frozen_stages=1), pretrained='one.pth')\n"
    )
    cfg = Config.fromfile(tmp_path / 'probe.py')
    cfg.work_dir = str(tmp_path / 'work')
    state = MODELS.build(dict(cfg.model, pretrained=None)).state_dict()
    # As of a classifier that DataParallel held.
    state = {f'module.{k}': v for k, v in state.items() if 'head' not in k}
    cfg.model.pretrained = str(tmp_path / 'one.pth')
    for lost in (None, 'module.backbone.layer1.0.conv2.weight'):
        state.pop(lost, None)
        torch.save(state, cfg.model.pretrained)
        cfg.experiment_name = uuid.uuid4().hex
        runner = Runner.from_cfg(cfg)
        if lost is None:
            runner.train()
            continue
        with pytest.raises(
            RuntimeError, match='lacks backbone.layer1.0.conv2'
        ):
            runner.train()
