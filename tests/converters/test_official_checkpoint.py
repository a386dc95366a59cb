"""Released checkpoints against the models that they were made of."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn

from mmpaco.converters.official_checkpoint import convert_checkpoint
from mmpaco.runner.config_files import read_config

CLASSES, LENGTH = 7, 24


class Released(nn.Module):
    """The release's model: names, layers and the start of its queue."""

    def __init__(self, momentum, depth=18):
        super().__init__()
        torch.manual_seed(depth)
        make = getattr(torchvision.models, f'resnet{depth}')
        width = 512 if depth == 18 else 2048
        self.linear = nn.Linear(width, CLASSES)
        for name in ('encoder_q', 'encoder_k') if momentum else ('encoder_q',):
            encoder = make(num_classes=128)
            last = encoder.fc
            if momentum:
                encoder.fc = nn.Sequential(
                    nn.Linear(width, width),
                    nn.BatchNorm1d(width),
                    nn.ReLU(),
                    last,
                )
            else:
                encoder.fc = nn.Sequential(
                    nn.Linear(width, width),
                    nn.ReLU(),
                    nn.Linear(width, width),
                    nn.ReLU(),
                    last,
                )
            setattr(self, name, encoder)
        if momentum:
            self.linear_k = nn.Linear(width, CLASSES)
        rows = F.normalize(torch.randn(LENGTH, 128), dim=0)
        self.register_buffer('queue', rows)
        self.register_buffer('queue_l', torch.randint(0, CLASSES, (LENGTH,)))
        self.register_buffer('queue_ptr', torch.zeros(1, dtype=torch.long))
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 1.5)

    def write(self, num_rows):
        for _ in range(num_rows):
            i = int(self.queue_ptr)
            self.queue[i] = F.normalize(torch.randn(128), dim=0)
            self.queue_ptr.fill_((i + 1) % LENGTH)

    def save(self, path):
        state = {f'module.{k}': v for k, v in self.state_dict().items()}
        torch.save(
            {
                'epoch': 400,
                'arch': 'resnet18',
                'state_dict': state,
                'best_acc1': torch.tensor(1.0),
                'optimizer': {'state': {}},
            },
            path,
        )
        return path


def features(encoder, images):
    full, encoder.fc = encoder.fc, nn.Identity()
    found = encoder(images)
    encoder.fc = full
    return found


def config(momentum, depth=18, **head):
    model = dict(
        type='mmpaco.PaCoClassifier',
        backbone=dict(type='ResNet', depth=depth),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='mmpaco.GPaCoHead',
            num_classes=CLASSES,
            in_channels=512 if depth == 18 else 2048,
            queue_length=LENGTH,
            **head,
        ),
    )
    if momentum:
        model['momentum'] = 0.999
        model['head']['projector'] = dict(
            num_layers=2, norm_cfg=dict(type='BN1d')
        )
    return Config(dict(default_scope='mmpretrain', model=model))


def build(cfg, path):
    model = MODELS.build(read_config(cfg).model)
    model.load_state_dict(torch.load(path)['state_dict'], strict=True)
    return model.eval()


@pytest.mark.parametrize('momentum, depth', [(True, 18), (False, 50)])
def test_converted_model_gives_the_same_numbers(tmp_path, momentum, depth):
    theirs = Released(momentum, depth)
    theirs.write(LENGTH + 5)
    source = theirs.eval().save(tmp_path / 'theirs.pth')
    cfg = config(momentum, depth)
    report = convert_checkpoint(source, tmp_path / 'ours.pth', cfg)
    ours = build(cfg, tmp_path / 'ours.pth')

    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        feats = features(theirs.encoder_q, images)
        torch.testing.assert_close(
            ours(images, mode='tensor'), theirs.linear(feats)
        )
        torch.testing.assert_close(
            ours.head.projector(feats),
            F.normalize(theirs.encoder_q(images), dim=1),
        )
        if momentum:
            torch.testing.assert_close(
                ours.momentum_encoder(images),
                F.normalize(theirs.encoder_k(images), dim=1),
            )
    rows, labels = ours.head.queue.contents()
    torch.testing.assert_close(rows, theirs.queue)
    assert torch.equal(labels, theirs.queue_l)
    assert int(ours.head.queue.pointer) == 5

    # Each name of the file is told of exactly once.
    content = torch.load(source)
    names = [*content['state_dict'], *content]
    names.remove('state_dict')
    assert sorted([*report.moved, *report.dropped]) == sorted(names)
    assert set(report.moved.values()) | set(report.added) == set(
        ours.state_dict()
    )
    assert not report.missing
    assert 'module.linear.weight -> head.fc.weight' in str(report)


def test_momentum_encoder_averages_on_and_does_not_start_anew(tmp_path):
    theirs = Released(momentum=True).eval()
    source = theirs.save(tmp_path / 'theirs.pth')
    cfg = config(momentum=True)
    convert_checkpoint(source, tmp_path / 'ours.pth', cfg)
    ours = build(cfg, tmp_path / 'ours.pth')
    ours.momentum_encoder.update_parameters(ours._encoder())
    torch.testing.assert_close(
        ours.momentum_encoder.module.backbone.conv1.weight,
        0.999 * theirs.encoder_k.conv1.weight
        + 0.001 * theirs.encoder_q.conv1.weight,
    )


@pytest.mark.parametrize('written', (0, 10, LENGTH))
def test_only_rows_that_training_wrote_enter_the_queue(tmp_path, written):
    theirs = Released(momentum=False)
    theirs.write(written)
    source = theirs.save(tmp_path / 'theirs.pth')
    report = convert_checkpoint(
        source, tmp_path / 'ours.pth', config(momentum=False)
    )
    queue = build(config(momentum=False), tmp_path / 'ours.pth').head.queue
    rows, labels = queue.contents()
    torch.testing.assert_close(rows, theirs.queue[:written])
    assert torch.equal(labels, theirs.queue_l[:written])
    assert int(queue.pointer) == written % LENGTH
    assert f'{written} of 24 rows' in report.added['head.queue.filled']
    # The next one is written where theirs would be.
    queue.append(torch.ones(1, 128), torch.tensor([3]))
    assert int(queue.labels[written % LENGTH]) == 3


def test_a_queue_that_contradicts_its_pointer_starts_empty(tmp_path):
    theirs = Released(momentum=False)
    theirs.write(10)
    theirs.queue_ptr.fill_(4)
    source = theirs.save(tmp_path / 'theirs.pth')
    cfg = config(momentum=False)
    report = convert_checkpoint(source, tmp_path / 'ours.pth', cfg)
    assert 'starts empty' in report.dropped['module.queue']
    assert len(build(cfg, tmp_path / 'ours.pth').head.queue.contents()[0]) == 0


def test_parts_that_only_train_are_left_out_if_the_config_has_none(tmp_path):
    source = Released(momentum=True).save(tmp_path / 'theirs.pth')
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='ImageClassifier',
                backbone=dict(type='ResNet', depth=18),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(
                    type='LinearClsHead', num_classes=CLASSES, in_channels=512
                ),
            ),
        )
    )
    report = convert_checkpoint(source, tmp_path / 'ours.pth', cfg)
    build(cfg, tmp_path / 'ours.pth')
    assert (
        report.dropped['module.queue'] == 'the config has no head.queue.rows'
    )
    assert 'module.encoder_k.conv1.weight' in report.dropped
    # Without a config all is there but the class prior.
    report = convert_checkpoint(source, tmp_path / 'all.pth')
    assert list(report.missing) == ['head.prior.class_counts']
    assert 'ClassPriorHook' in str(report)


def test_unknown_names_and_other_models_are_named(tmp_path):
    theirs = Released(momentum=False)
    theirs.encoder_q.attention = nn.Linear(2, 2)
    theirs.extra = nn.Linear(2, 2, bias=False)
    source = theirs.save(tmp_path / 'theirs.pth')
    target = tmp_path / 'ours.pth'
    with pytest.raises(ValueError, match='3 names .*known') as error:
        convert_checkpoint(source, target)
    assert 'module.encoder_q.attention.bias' in str(error.value)
    assert 'module.extra.weight' in str(error.value)
    assert not target.exists()
    drop = ('module.encoder_q.attention', 'module.extra')
    report = convert_checkpoint(source, target, drop=drop)
    assert report.dropped['module.extra.weight'] == 'left out on demand'
    with pytest.raises(ValueError, match=r'head.fc.weight .*\(7, 512\).*\(5,'):
        cfg = config(momentum=False)
        cfg.model.head.num_classes = 5
        convert_checkpoint(source, target, cfg, drop)
    with pytest.raises(ValueError, match='backbone.layer1.0.conv1.weight has'):
        convert_checkpoint(source, target, config(False, depth=50), drop)
    state = {x + 'linear.bias': torch.ones(1) for x in ('', 'module.')}
    torch.save({'state_dict': state}, source)
    with pytest.raises(ValueError, match='without module.*: linear.bias'):
        convert_checkpoint(source, target)
    torch.save({'state_dict': {'conv1.weight': torch.ones(1)}}, source)
    with pytest.raises(ValueError, match="papers' release"):
        convert_checkpoint(source, target)


def timm_names(depth, width, hidden, random):
    state = {
        'cls_token': random(1, 1, width),
        'pos_embed': random(1, 5, width),
        'patch_embed.proj.weight': random(width, 3, 4, 4),
        'patch_embed.proj.bias': random(width),
    }
    for i in range(depth):
        for name, out, inner in (
            ('attn.qkv', 3 * width, width),
            ('attn.proj', width, width),
            ('mlp.fc1', hidden, width),
            ('mlp.fc2', width, hidden),
        ):
            state[f'blocks.{i}.{name}.weight'] = random(out, inner)
            state[f'blocks.{i}.{name}.bias'] = random(out)
        for name in ('norm1', 'norm2'):
            state[f'blocks.{i}.{name}.weight'] = random(width)
            state[f'blocks.{i}.{name}.bias'] = random(width)
    state['fc_norm.weight'], state['fc_norm.bias'] = (
        random(width),
        random(width),
    )
    state['head.weight'] = random(CLASSES, width)
    state['head.bias'] = random(CLASSES)
    for i, out in ((0, width), (2, width), (4, 128)):
        state[f'contrast.{i}.weight'] = random(out, width)
        state[f'contrast.{i}.bias'] = random(out)
    return state


def timm_forward(state, images, depth, heads):
    """A vision transformer by its formula; mean of the patches."""

    def norm(x, name):
        return F.layer_norm(
            x,
            x.shape[-1:],
            state[f'{name}.weight'],
            state[f'{name}.bias'],
            1e-6,
        )

    def linear(x, name):
        return F.linear(x, state[f'{name}.weight'], state[f'{name}.bias'])

    x = F.conv2d(
        images,
        state['patch_embed.proj.weight'],
        state['patch_embed.proj.bias'],
        stride=4,
    )
    x = x.flatten(2).transpose(1, 2)
    token = state['cls_token'].expand(len(x), -1, -1)
    x = torch.cat([token, x], 1) + state['pos_embed']
    for i in range(depth):
        block = f'blocks.{i}.'
        y = linear(norm(x, block + 'norm1'), block + 'attn.qkv')
        q, k, v = y.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        y = (weights @ v).transpose(1, 2).flatten(2)
        x = x + linear(y, block + 'attn.proj')
        y = F.gelu(linear(norm(x, block + 'norm2'), block + 'mlp.fc1'))
        x = x + linear(y, block + 'mlp.fc2')
    x = norm(x[:, 1:].mean(1), 'fc_norm')
    y = F.gelu(linear(x, 'contrast.0'))
    y = F.gelu(linear(y, 'contrast.2'))
    return linear(x, 'head'), F.normalize(linear(y, 'contrast.4'), dim=1)


def test_a_vision_transformer_gives_the_same_numbers(tmp_path):
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return 0.3 * torch.randn(*shape, generator=generator)

    state = timm_names(2, 16, 24, random)
    torch.save({'model': state, 'epoch': 1}, tmp_path / 'theirs.pth')
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='ImageClassifier',
                backbone=dict(
                    type='VisionTransformer',
                    arch=dict(
                        embed_dims=16,
                        num_layers=2,
                        num_heads=2,
                        feedforward_channels=24,
                    ),
                    img_size=8,
                    patch_size=4,
                    out_type='avg_featmap',
                    final_norm=False,
                ),
                head=dict(
                    type='mmpaco.GPaCoHead',
                    num_classes=CLASSES,
                    in_channels=16,
                    queue_length=0,
                    class_prior=False,
                    projector=dict(act_cfg=dict(type='GELU')),
                ),
            ),
        )
    )
    convert_checkpoint(tmp_path / 'theirs.pth', tmp_path / 'ours.pth', cfg)
    ours = build(cfg, tmp_path / 'ours.pth')
    images = torch.randn(3, 3, 8, 8, generator=generator)
    logits, embeddings = timm_forward(state, images, depth=2, heads=2)
    with torch.no_grad():
        feats = ours.extract_feat(images)
        torch.testing.assert_close(ours.head(feats), logits)
        torch.testing.assert_close(ours.head.projector(feats[-1]), embeddings)


SEG = ('deeplabv3plus_r18_cityscapes', 'upernet_swin-t_ade20k')


@pytest.mark.parametrize('name', SEG)
def test_a_segmentation_model_keeps_its_prediction(tmp_path, name):
    """The release's names: the MLP in the main head, one auxiliary head."""
    pytest.importorskip('mmseg')
    from support.small_seg import small_config

    cfg = small_config('gpaco', name, tmp_path)
    cfg.model.pop('pretrained', None)
    cfg = read_config(cfg)
    model = MODELS.build(revert_sync_bn(cfg).model).eval()
    state = {}
    for key, value in model.state_dict().items():
        key = key.replace('gpaco_head.projector.', 'decode_head.mlp.')
        state[key] = value
    meta = {'CLASSES': ('a', 'b'), 'PALETTE': [[0, 0, 0], [1, 1, 1]]}
    source = tmp_path / 'theirs.pth'
    torch.save({'state_dict': state, 'meta': meta}, source)
    report = convert_checkpoint(source, tmp_path / 'ours.pth', cfg)
    ours = build(cfg, tmp_path / 'ours.pth')
    for key, value in model.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value), key
    images = torch.randn(1, 3, 32, 48)
    with torch.no_grad():
        assert torch.equal(
            ours(images, mode='tensor'), model(images, mode='tensor')
        )
    assert not report.added and not report.missing
    saved = torch.load(tmp_path / 'ours.pth')['meta']['dataset_meta']
    assert saved['classes'] == ('a', 'b')
    state['decode_head.region.weight'] = torch.ones(2)
    torch.save({'state_dict': state}, source)
    with pytest.raises(ValueError, match='decode_head.region.weight'):
        convert_checkpoint(source, tmp_path / 'ours.pth', cfg)


def revert_sync_bn(cfg):
    text = cfg.pretty_text.replace("'SyncBN'", "'BN'")
    return Config.fromstring(text, file_format='.py')
