"""The transformers' networks: weights that they load, and their scores."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_state_dict
from mmpretrain.registry import MODELS
from support.pages import code
from support.paths import CONFIGS, DOCS
from support.small_cls import load

from mmpaco.converters.official_checkpoint import convert_checkpoint

BASE = 'gpaco/vit-base_mae_imagenet'
ANY = 'gpaco/vit-base_any_imagenet-lt'


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


def small(name, blocks=2, width=768):
    """The config's model, with few blocks of its width, and ten classes."""
    cfg = load(name).model
    arch = dict(embed_dims=width, num_heads=12, feedforward_channels=4 * width)
    cfg.backbone.arch = dict(arch, num_layers=blocks)
    cfg.backbone.drop_path_rate = 0.0
    cfg.head.num_classes = 10
    cfg.head.pop('topk', None)
    return cfg


def timm_names(depth, width=768):
    """Names and shapes of MAE's pre-trained weights."""
    names = {
        'cls_token': (1, 1, width),
        'pos_embed': (1, 197, width),
        'patch_embed.proj.weight': (width, 3, 16, 16),
        'patch_embed.proj.bias': (width,),
        'norm.weight': (width,),
        'norm.bias': (width,),
    }
    for i in range(depth):
        for name, shape in (
            ('attn.qkv', (3 * width, width)),
            ('attn.proj', (width, width)),
            ('mlp.fc1', (4 * width, width)),
            ('mlp.fc2', (width, 4 * width)),
            ('norm1', (width,)),
            ('norm2', (width,)),
        ):
            names[f'blocks.{i}.{name}.weight'] = shape
            names[f'blocks.{i}.{name}.bias'] = shape[:1]
    return names


@pytest.mark.parametrize('has_decoder', [False, True])
def test_maes_weights_are_converted_and_loaded(tmp_path, has_decoder, log):
    state = {k: torch.randn(v) for k, v in timm_names(2, 96).items()}
    extra = {'mask_token': (1, 1, 8), 'decoder_embed.weight': (8, 96)}
    if has_decoder:
        state.update({k: torch.randn(v) for k, v in extra.items()})
    torch.save({'model': state}, tmp_path / 'mae_pretrain_vit_base.pth')
    done = convert_checkpoint(
        tmp_path / 'mae_pretrain_vit_base.pth', tmp_path / 'vit-base.pth'
    )
    left = {'norm.weight', 'norm.bias', *(extra if has_decoder else ())}
    assert set(done.dropped) == left
    assert set(done.missing) == {'backbone.ln2.*', 'head.fc.*'}

    cfg = small(BASE, width=96)
    cfg.backbone.init_cfg.checkpoint = str(tmp_path / 'vit-base.pth')
    model = MODELS.build(cfg)
    model.init_weights()
    # What fine-tuning starts by itself is all that may miss.
    found = {
        k: v
        for k, v in model.state_dict().items()
        if k.startswith('backbone.') and 'ln2' not in k.split('.')[1]
    }
    assert set(found) == set(done.weights)
    for name, value in done.weights.items():
        assert torch.equal(found[name], value), name
    assert torch.equal(model.backbone.ln2.weight, torch.ones(96))
    text = log()
    assert 'unexpected key' not in text
    assert 'missing keys in source state_dict: ln2.weight, ln2.bias' in text


@pytest.mark.parametrize(
    'depth, width, without, message',
    (
        (2, 96, 'blocks.0.', '2 blocks, .* lacks 12 .* blocks.0.norm1.weight'),
        (2, 96, 'blocks.1.mlp.fc1.bias', 'lacks 1 .*: blocks.1.mlp.fc1.bias;'),
        (1, 96, 'pos_embed', 'lacks 1 weights: pos_embed;'),
        (1, 96, 'patch_embed', 'lacks 2 weights: patch_embed.proj.weight, '),
        # A file of ViT-B that was cut to a block.
        (1, 768, 'none', '12 blocks, .* lacks 132 .* blocks.1.norm1.weight'),
    ),
)
def test_maes_weights_must_be_whole(tmp_path, depth, width, without, message):
    names = timm_names(depth, width)
    state = {
        name: torch.zeros(shape)
        for name, shape in names.items()
        if not name.startswith(without)
    }
    torch.save({'model': state}, tmp_path / 'mae.pth')
    with pytest.raises(ValueError, match=message):
        convert_checkpoint(tmp_path / 'mae.pth', tmp_path / 'vit.pth')
    assert not (tmp_path / 'vit.pth').exists()


def test_blocks_of_two_networks_are_refused(tmp_path):
    state = {k: torch.zeros(v) for k, v in timm_names(2, 96).items()}
    state['blocks.1.norm1.weight'] = torch.zeros(95)
    torch.save({'model': state}, tmp_path / 'mae.pth')
    with pytest.raises(ValueError, match='another shape .*1.norm1.weight'):
        convert_checkpoint(tmp_path / 'mae.pth', tmp_path / 'vit.pth')


@pytest.mark.parametrize('without', ('fc_norm', 'head.bias'))
def test_a_classifier_without_its_norm_or_bias_is_refused(tmp_path, without):
    """DeiT's, for one, whose norm is another."""
    shapes = {**timm_names(1, 96), 'head.weight': (10, 96), 'head.bias': (10,)}
    shapes.update({f'fc_norm.{end}': (96,) for end in ('weight', 'bias')})
    state = {
        name: torch.zeros(shape)
        for name, shape in shapes.items()
        if not name.startswith(('norm.', without))
    }
    torch.save({'model': state}, tmp_path / 'theirs.pth')
    with pytest.raises(ValueError, match=f'weights: {without}'):
        convert_checkpoint(tmp_path / 'theirs.pth', tmp_path / 'ours.pth')


def test_logits_are_those_of_timm(tmp_path):
    timm = pytest.importorskip('timm')
    torch.manual_seed(0)
    theirs = timm.create_model(
        'vit_base_patch16_224', depth=2, global_pool='avg', num_classes=10
    ).eval()
    for value in theirs.parameters():
        value.data = 0.05 * torch.randn_like(value)
    torch.save({'model': theirs.state_dict()}, tmp_path / 'theirs.pth')
    cfg = Config(dict(model=small(BASE), default_scope='mmpretrain'))
    convert_checkpoint(
        tmp_path / 'theirs.pth', tmp_path / 'ours.pth', config=cfg
    )
    ours = MODELS.build(cfg.model).eval()
    state = torch.load(tmp_path / 'ours.pth')['state_dict']
    load_state_dict(ours, state, strict=True)
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        expected = theirs(images)
        feats = ours.extract_feat(images)
        found = ours.head.fc(ours.head.pre_logits(feats))
    assert expected.std() > 0.1
    assert torch.allclose(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.usefixtures('no_init')
def test_of_any_transformer_the_last_block_is_trained(monkeypatch):
    monkeypatch.setenv('WEIGHTS', 'mine.pth')
    cfg = load(ANY)
    assert cfg.model.backbone.init_cfg.checkpoint == 'mine.pth'
    model = MODELS.build(cfg.model)
    trained = {
        '.'.join(name.split('.')[:3])
        for name, value in model.backbone.named_parameters(prefix='backbone')
        if value.requires_grad
    }
    assert trained == {'backbone.layers.11', *{'backbone.ln1.weight'}} | {
        'backbone.ln1.bias'
    }
    assert model.head.prior is not None
    hooks = [hook.type for hook in cfg.custom_hooks]
    assert hooks == [
        'mmpaco.ClassPriorHook',
        'mmpaco.PaCoQueueHook',
        'mmpaco.FrozenWeightsHook',
    ]
    assert cfg.train_cfg.max_epochs == 10


def test_own_data_as_the_docs_say(tmp_path):
    example, shape, _ = code('pretrained.md')
    path = tmp_path / 'config.py'
    path.write_text(example.replace('../configs', CONFIGS.as_posix()))
    cfg = Config.fromfile(path)
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        assert dataset.type == 'mmpaco.ImageListDataset'
        assert dataset.ann_file == f'{split}.txt'
        assert 'split' not in dataset
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        assert evaluator.train_dataset.ann_file == 'train.txt'
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes
    # A network of another shape.
    cfg.merge_from_dict(Config.fromstring(shape, '.py').to_dict())
    backbone = cfg.model.backbone
    assert backbone.arch.num_layers > backbone.frozen_stages
    backbone.init_cfg = None
    assert MODELS.build(backbone).embed_dims == cfg.model.head.in_channels
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes


@pytest.mark.usefixtures('no_init')
def test_lora_as_the_docs_say(tmp_path):
    text = (DOCS / 'pretrained.md').read_text(encoding='utf-8')
    *_, example = code('pretrained.md')
    path = tmp_path / 'config.py'
    path.write_text(example.replace('../configs', CONFIGS.as_posix()))
    cfg = Config.fromfile(path).model
    # It loads the weights when it is built.
    cfg.backbone.module.init_cfg = None
    backbone = MODELS.build(cfg).backbone
    trained = {
        name: value.numel()
        for name, value in backbone.named_parameters()
        if value.requires_grad
    }
    assert all('.lora_' in name for name in trained)
    assert f'{sum(trained.values()) / 1e6:.2f} million' in text
    plain = MODELS.build(load(ANY).model).backbone
    number = sum(x.numel() for x in plain.parameters() if x.requires_grad)
    assert f'instead of {number / 1e6:.1f}' in text
