"""Promises of the segmentation configs.

Their settings are the papers', they build at full size, and the stock tools
of mmseg run them, made small, on images in the layout of each data set.
"""

import copy
import functools
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import (
    OPTIM_WRAPPER_CONSTRUCTORS,
    PARAM_SCHEDULERS,
    init_default_scope,
)
from mmengine.structures import PixelData
from mmseg.apis import (
    MMSegInferencer,
    inference_model,
    init_model,
)
from mmseg.registry import DATASETS, MODELS, TRANSFORMS
from mmseg.structures import SegDataSample
from support.paths import DOCS, ROOT
from support.small_seg import (
    CONFIGS,
    DATA,
    RATIOS,
    WRITERS,
    data_of,
    load,
    small_config,
    small_options,
)

from mmpaco.compat import stock_tool

STOCK = stock_tool('mmseg', 'train').parents[1] / 'configs'
BALANCED = 'balanced-softmax_deeplabv3plus_r18_camvid'
BASELINES = sorted(
    path.stem
    for path in (CONFIGS / 'baselines').glob('*.py')
    if path.stem.endswith(DATA)
)
# Those that GPaCo has its twins of.
NAMES = [name for name in BASELINES if name != BALANCED]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmseg')


def test_every_promised_config_is_there_twice():
    promised = {
        *(f'upernet_swin-{x}_ade20k' for x in 'tbl'),
        *(f'deeplabv3plus_r{x}_coco-stuff10k' for x in (50, 101)),
        *(f'deeplabv3plus_r{x}_pascal-context59' for x in (50, 101)),
        *(f'deeplabv3plus_r{x}_cityscapes' for x in (18, 50, 101)),
        'deeplabv3plus_r18_camvid',
    }
    assert set(BASELINES) == {*promised, BALANCED}
    assert set(NAMES) == promised
    for name in NAMES:
        assert (CONFIGS / 'gpaco' / f'{name}.py').is_file()


# Settings of the release: iterations, images per GPU, batch, crop, optimizer,
# lr, weight decay, size of the test, evaluation, classes.
ADE = (160000, 2, 16, (512, 512), 'AdamW', 6e-5, 0.01, (2048, 512), 4000, 150)
COCO = (40000, 4, 16, (512, 512), 'SGD', 0.01, 5e-4, (2048, 512), 4000, 171)
CONTEXT = (40000, 4, 16, (480, 480), 'SGD', 0.004, 1e-4, (520, 520), 4000, 59)
CITY = (80000, 2, 8, (512, 1024), 'SGD', 0.01, 5e-4, (2048, 1024), 8000, 19)
CAMVID = (2400, 4, 4, (128, 128), 'SGD', 0.05, 5e-4, (240, 180), 2400, 11)
SETTINGS = dict(zip(DATA, (ADE, COCO, CONTEXT, CITY, CAMVID)))
# Channels of the fused feature, alpha.
GPACO = {
    'upernet_swin-t_ade20k': (512, 0.01),
    'upernet_swin-b_ade20k': (512, 0.01),
    'upernet_swin-l_ade20k': (512, 0.01),
    'deeplabv3plus_r50_coco-stuff10k': (512, 0.01),
    'deeplabv3plus_r101_coco-stuff10k': (512, 0.01),
    'deeplabv3plus_r50_pascal-context59': (512, 0.01),
    'deeplabv3plus_r101_pascal-context59': (512, 0.01),
    'deeplabv3plus_r18_cityscapes': (128, 0.01),
    'deeplabv3plus_r50_cityscapes': (512, 0.03),
    'deeplabv3plus_r101_cityscapes': (512, 0.02),
    'deeplabv3plus_r18_camvid': (128, 0.01),
}


@pytest.mark.parametrize('name', NAMES)
def test_settings_are_those_of_the_release(name):
    cfg = load('baselines', name)
    data = data_of(name)
    (iters, images, batch, crop, optimizer, lr, wd, size, every, classes) = (
        SETTINGS[data]
    )
    assert cfg.train_cfg.max_iters == iters
    assert cfg.train_cfg.val_interval == every
    if data != 'camvid':
        assert cfg.default_hooks.checkpoint.interval == every
    assert 'save_best' not in cfg.default_hooks.checkpoint
    assert cfg.train_dataloader.batch_size == images
    assert cfg.auto_scale_lr == dict(enable=False, base_batch_size=batch)
    found = cfg.optim_wrapper.optimizer
    assert (found.type, found.lr, found.weight_decay) == (optimizer, lr, wd)
    if optimizer == 'SGD':
        assert found.momentum == 0.9
    else:
        assert found.betas == (0.9, 0.999)

    train = {t.type: t for t in cfg.train_dataloader.dataset.pipeline}
    assert list(train)[2:] == [
        *('RandomResize', 'RandomCrop', 'RandomFlip'),
        *('PhotoMetricDistortion', 'PackSegInputs'),
    ]
    resize = train['RandomResize']
    assert (resize.scale, resize.ratio_range) == (size, (0.5, 2.0))
    assert train['RandomCrop'].crop_size == crop
    assert train['RandomCrop'].cat_max_ratio == 0.75
    assert train['RandomFlip'].prob == 0.5
    # The distortion's own defaults are the release's.
    assert set(train['PhotoMetricDistortion']) == {'type'}
    test = {t.type: t for t in cfg.test_dataloader.dataset.pipeline}
    assert test['Resize'].scale == size and test['Resize'].keep_ratio
    assert cfg.test_dataloader == cfg.val_dataloader
    reduced = data in ('ade20k', 'coco-stuff10k', 'pascal-context59')
    for pipeline in (train, test):
        annotations = pipeline['LoadAnnotations']
        assert annotations.get('reduce_zero_label', False) == reduced

    model = cfg.model
    pad = model.data_preprocessor
    assert (pad.size, pad.pad_val, pad.seg_pad_val) == (crop, 0, 255)
    assert pad.mean == [123.675, 116.28, 103.53]
    assert pad.std == [58.395, 57.12, 57.375]
    for head in (model.decode_head, model.auxiliary_head):
        assert head.num_classes == classes
        assert head.dropout_ratio == 0.1
        norm = 'BN' if data == 'camvid' else 'SyncBN'
        assert head.norm_cfg.type == norm
    assert model.auxiliary_head.loss_decode.loss_weight == 0.4
    if data == 'pascal-context59':
        assert model.test_cfg == dict(
            mode='slide', crop_size=(480, 480), stride=(320, 320)
        )
    else:
        assert model.test_cfg == dict(mode='whole')
    assert cfg.custom_imports.imports == ['mmpaco']


@pytest.mark.parametrize('data', DATA)
def test_learning_rate_over_the_whole_training(data):
    name = next(x for x in NAMES if x.endswith(data))
    cfg = load('baselines', name)
    top, iters = cfg.optim_wrapper.optimizer.lr, cfg.train_cfg.max_iters
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=top)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(s), default_args=dict(optimizer=optimizer))
        for s in cfg.param_scheduler
    ]
    rates = []
    for _ in range(iters):
        rates.append(optimizer.param_groups[0]['lr'])
        for scheduler in schedulers:
            scheduler.step()
    t = np.arange(iters)
    if data == 'ade20k':
        warm = np.minimum(1e-6 + (1 - 1e-6) * t / 1500, 1)
        expected = top * (1 - t / iters) * warm
    elif data == 'camvid':
        t, rates = t[100:], rates[100:]
        expected = (top - 1e-4) * (1 - (t - 100) / 2300) ** 0.9 + 1e-4
    else:
        expected = (top - 1e-4) * (1 - t / iters) ** 0.9 + 1e-4
    # mmengine reaches both ends one iteration earlier than the release.
    np.testing.assert_allclose(rates, expected, atol=top * 2e-3)


@pytest.mark.parametrize('name', NAMES)
def test_gpaco_is_its_baseline_with_another_type(name):
    base, gpaco = load('baselines', name), load('gpaco', name)
    assert gpaco.model.pop('type') == 'mmpaco.GPaCoEncoderDecoder'
    assert base.model.pop('type') == 'EncoderDecoder'
    gpaco.model.pop('gpaco', None)
    assert gpaco.to_dict() == base.to_dict()


def test_balanced_softmax_is_its_baseline_with_another_loss():
    base = load('baselines', BALANCED.partition('_')[2])
    cfg = load('baselines', BALANCED)
    assert cfg.pop('custom_hooks') == [dict(type='mmpaco.ClassPriorHook')]
    assert cfg.model.decode_head.pop('loss_decode') == dict(
        type='mmpaco.BalancedSoftmaxLoss',
        num_classes=base.model.decode_head.num_classes,
    )
    base.model.decode_head.pop('loss_decode')
    assert cfg.to_dict() == base.to_dict()


def explicit(model, channels, alpha):
    """The head in the list of auxiliary heads, with all its arguments."""
    model = copy.deepcopy(model)
    gpaco = model.pop('gpaco', {})
    model.auxiliary_head = [
        model.auxiliary_head,
        dict(
            type='mmpaco.GPaCoAuxHead',
            in_channels=channels,
            num_classes=model.decode_head.num_classes,
            num_samples=gpaco.get('num_samples', 8192),
            norm_cfg=model.decode_head.norm_cfg,
            loss_decode=dict(
                type='mmpaco.PaCoLoss', alpha=alpha, temperature=0.07
            ),
        ),
    ]
    return model


def explicit_name(name):
    """The name that a weight of a made head has beside an explicit one."""
    if name.startswith('auxiliary_head.'):
        return name.replace('auxiliary_head.', 'auxiliary_head.0.', 1)
    return name.replace('gpaco_head.', 'auxiliary_head.1.')


@pytest.mark.parametrize(
    'name', ('upernet_swin-t_ade20k', 'deeplabv3plus_r50_cityscapes')
)
def test_the_head_that_is_made_trains_as_the_explicit_one(name, tmp_path):
    cfg = small_config('gpaco', name, tmp_path).model
    made = MODELS.build(copy.deepcopy(cfg))
    other = MODELS.build(explicit(cfg, 16, GPACO[name][1]))
    other.load_state_dict(
        {explicit_name(k): v for k, v in made.state_dict().items()}
    )
    data = samples(cfg.decode_head.num_classes, (64, 64))
    images, results = torch.randn(2, 3, 64, 64), []
    for model in (made, other):
        model = revert_sync_batchnorm(model)
        torch.manual_seed(0)
        losses = model.loss(images, data)
        model.parse_losses(losses)[0].backward()
        gradients = {k: p.grad for k, p in model.named_parameters()}
        results.append((list(losses.values()), gradients))
    (found, gradients), (expected, others) = results
    for one, two in zip(found, expected):
        assert torch.equal(one, two)
    assert set(map(explicit_name, gradients)) == set(others)
    for key, gradient in gradients.items():
        assert torch.equal(gradient, others[explicit_name(key)]), key


BACKBONES = {
    'r18': dict(depth=18, channels=128, c1_channels=12),
    'r50': dict(depth=50, channels=512, c1_channels=48),
    'r101': dict(depth=101, channels=512, c1_channels=48),
    'swin-t': dict(width=96, depths=[2, 2, 6, 2], window=7),
    'swin-b': dict(width=128, depths=[2, 2, 18, 2], window=12),
    'swin-l': dict(width=192, depths=[2, 2, 18, 2], window=12),
}


@pytest.mark.parametrize('name', NAMES)
def test_models_build_at_full_size_and_differ_by_the_head_alone(name):
    base = MODELS.build(load('baselines', name).model)
    gpaco = MODELS.build(load('gpaco', name).model)
    shapes = {k: v.shape for k, v in base.state_dict().items()}
    ours = {
        k: v.shape
        for k, v in gpaco.state_dict().items()
        if not k.startswith('gpaco_head.')
    }
    assert ours == shapes
    channels, alpha = GPACO[name]
    head = gpaco.gpaco_head
    cfg = load('gpaco', name).model
    other = MODELS.build(explicit(cfg, channels, alpha).auxiliary_head[1])
    assert repr(head) == repr(other)
    assert head.num_samples == other.num_samples == 8192
    # As the paper says, unlike the release.
    assert not head.sample_after_projector
    assert head.loss_decode.ignore_index == other.loss_decode.ignore_index

    backbone = name.split('_')[1]
    expected = BACKBONES[backbone]
    head = base.decode_head
    if backbone.startswith('r'):
        assert base.backbone.depth == expected['depth']
        assert head.channels == expected['channels']
        c1 = head.c1_bottleneck.conv.out_channels
        assert c1 == expected['c1_channels']
    else:
        stages = base.backbone.stages
        assert [len(s.blocks) for s in stages] == expected['depths']
        block = stages[0].blocks[0]
        assert block.norm1.normalized_shape == (expected['width'],)
        assert block.attn.window_size == expected['window']
        assert head.channels == 512 and len(head.psp_modules) == 4


def test_adamw_decays_neither_norms_nor_position_biases():
    cfg = load('gpaco', 'upernet_swin-t_ade20k')
    model = MODELS.build(cfg.model)
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.build(
        dict(
            type='DefaultOptimWrapperConstructor',
            optim_wrapper_cfg=dict(
                type='OptimWrapper', optimizer=cfg.optim_wrapper.optimizer
            ),
            paramwise_cfg=cfg.optim_wrapper.paramwise_cfg,
        )
    )
    groups = constructor(model).param_groups
    decays = {id(g['params'][0]): g['weight_decay'] for g in groups}
    for key, parameter in model.named_parameters():
        free = 'norm' in key or 'relative_position_bias_table' in key
        assert decays[id(parameter)] == (0 if free else 0.01), key


@pytest.mark.parametrize('data', DATA)
def test_multi_scale_test_has_the_sizes_of_the_papers(data, tmp_path):
    name = next(x for x in NAMES if x.endswith(data))
    cfg = load('gpaco', name)
    assert cfg.tta_model == dict(type='SegTTAModel')
    image = np.zeros((60, 90, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    cv2.imwrite(str(tmp_path / 'b.png'), image[..., 0] + 1)
    info = dict(
        img_path=str(tmp_path / 'a.png'),
        seg_map_path=str(tmp_path / 'b.png'),
        reduce_zero_label=data
        in ('ade20k', 'coco-stuff10k', 'pascal-context59'),
        seg_fields=[],
    )
    for step in cfg.tta_pipeline:
        info = TRANSFORMS.build(step)(info)
    width, height = SETTINGS[data][7]
    expected = []
    for ratio in RATIOS:
        w, h = int(width * ratio), int(height * ratio)
        scale = min(max(w, h) / 90, min(w, h) / 60)
        shape = (int(60 * scale + 0.5), int(90 * scale + 0.5))
        expected += [(shape, False), (shape, True)]
    found = [
        (tuple(sample.img_shape), bool(sample.flip))
        for sample in info['data_samples']
    ]
    assert found == expected
    for image, (shape, _) in zip(info['inputs'], expected):
        assert tuple(image.shape) == (3, *shape)
    # Scores are for the pixels on disk.
    assert info['data_samples'][0].gt_sem_seg.shape == (60, 90)


# Images in the layout of each data set, and the stock tools on them.


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    roots = {}

    def get(data):
        if data not in roots:
            roots[data] = tmp_path_factory.mktemp(data)
            WRITERS[data](roots[data], np.random.default_rng(0))
        return roots[data]

    return get


@pytest.fixture
def stock(stock_run):
    return functools.partial(stock_run, 'mmseg')


def scalars(work_dir):
    lines = []
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        lines += [json.loads(line) for line in path.read_text().splitlines()]
    return lines


def metrics(work_dir):
    found = [
        json.loads(path.read_text())
        for path in work_dir.glob('*/*.json')
        if path.stem == path.parent.name
    ]
    assert len(found) == 1
    return found[0]


# One of each kind of model and test; all others take minutes.
SUITE = {
    ('gpaco', 'upernet_swin-t_ade20k'),
    ('gpaco', 'deeplabv3plus_r50_pascal-context59'),
    ('gpaco', 'deeplabv3plus_r18_cityscapes'),
    ('baselines', BALANCED),
}


@pytest.mark.parametrize(
    ('kind', 'name'),
    [
        pytest.param(
            kind,
            name,
            marks=() if (kind, name) in SUITE else pytest.mark.slow,
        )
        for kind, names in (('baselines', BASELINES), ('gpaco', NAMES))
        for name in names
    ],
)
def test_stock_tools_train_resume_and_test(
    kind, name, data_root, tmp_path, stock
):
    config = CONFIGS / kind / f'{name}.py'
    root = data_root(data_of(name))
    options = small_options(kind, name, root)
    work_dir = tmp_path / 'train'
    train = ('train', config, '--work-dir', work_dir)
    stock(*train, **options, **{'train_cfg.max_iters': 2})
    stock(*train, '--resume', **options, **{'train_cfg.max_iters': 3})
    losses = [line for line in scalars(work_dir) if 'loss' in line]
    # Resumed, not started anew.
    assert [line['step'] for line in losses] == [1, 2, 3]
    for line in losses:
        terms = {k for k in line if re.search(r'\.loss', k)}
        if kind == 'gpaco':
            assert terms == {
                *('decode.loss_ce', 'aux.loss_ce'),
                'gpaco.loss_gpaco',
            }
            assert line['gpaco.loss_gpaco'] > 0
        elif name == BALANCED:
            assert terms == {'decode.loss_balanced_softmax', 'aux.loss_ce'}
        else:
            assert terms == {'decode.loss_ce', 'aux.loss_ce'}
        assert np.isclose(line['loss'], sum(line[k] for k in terms))

    checkpoint = work_dir / 'iter_3.pth'
    plain, scales = tmp_path / 'plain', tmp_path / 'scales'
    show = tmp_path / 'shown'
    stock('test', config, checkpoint, '--work-dir', plain, **options)
    stock(
        *('test', config, checkpoint, '--work-dir', scales, '--tta'),
        *('--show-dir', show),
        **options,
    )
    for folder in (plain, scales):
        assert 0 <= metrics(folder)['mIoU'] <= 100
    pictures = list(show.rglob('*.png'))
    assert len(pictures) == 2
    assert cv2.imread(str(pictures[0])).std() > 0
    if kind == 'gpaco':
        check_stripped(name, checkpoint, root, tmp_path)


def check_stripped(name, checkpoint, root, tmp_path):
    """Without the heads that only train the checkpoint is the baseline's."""
    ours, baseline = (
        small_config(kind, name, root) for kind in ('gpaco', 'baselines')
    )
    baseline.model.auxiliary_head = None
    content = torch.load(checkpoint, map_location='cpu', weights_only=False)
    state_dict = {
        key: value
        for key, value in content['state_dict'].items()
        if not key.startswith(('auxiliary_head.', 'gpaco_head.'))
    }
    MODELS.build(baseline.model).load_state_dict(state_dict, strict=True)
    stripped, config = tmp_path / 'stripped.pth', tmp_path / 'baseline.py'
    torch.save({**content, 'state_dict': state_dict}, stripped)
    baseline.dump(config)

    dataset = DATASETS.build(ours.test_dataloader.dataset)
    image = dataset.get_data_info(0)['img_path']
    expected = inference_model(
        init_model(ours, str(checkpoint), device='cpu'), image
    )
    found = inference_model(
        init_model(str(config), str(stripped), device='cpu'), image
    )
    for key in ('seg_logits', 'pred_sem_seg'):
        assert torch.equal(found.get(key).data, expected.get(key).data), key
    inferencer = MMSegInferencer(
        model=str(config), weights=str(stripped), device='cpu'
    )
    np.testing.assert_array_equal(
        inferencer(image)['predictions'],
        expected.pred_sem_seg.data[0].numpy(),
    )


@pytest.mark.parametrize('data', DATA)
def test_a_missing_annotation_is_told_with_its_file(data, tmp_path):
    WRITERS[data](tmp_path, np.random.default_rng(0))
    name = next(x for x in NAMES if x.endswith(data))
    options = load('gpaco', name).train_dataloader.dataset
    options.data_root = str(tmp_path)
    dataset = DATASETS.build(options)
    path = dataset.get_data_info(1)['seg_map_path']
    Path(path).unlink()
    with pytest.raises(FileNotFoundError, match=re.escape(path)):
        dataset[1]

    lists = tmp_path / 'ImageSets'
    if lists.exists():
        lists.rename(tmp_path / 'elsewhere')
        # mmseg's own message, which names the file.
        with pytest.raises(AssertionError, match='SegmentationContext/train'):
            DATASETS.build(options)
    else:
        (tmp_path / options.data_prefix.img_path.split('/')[0]).rename(
            tmp_path / 'elsewhere'
        )
        folder = re.escape(options.data_prefix.img_path)
        with pytest.raises(FileNotFoundError, match=folder):
            DATASETS.build(options)


# The deltas of the docs, on configs of mmseg itself.

GUIDE = DOCS / 'segmentation.md'
USERS = {
    'pspnet/pspnet_r50-d8_4xb4-80k_ade20k-512x512': 'type',
    'upernet/upernet_r50_4xb4-80k_ade20k-512x512': 'type',
    # Its training output is a tuple.
    'danet/danet_r50-d8_4xb4-80k_ade20k-512x512': 'type',
    # With two auxiliary heads, and with none.
    'bisenetv1/bisenetv1_r18-d32_4xb4-160k_cityscapes-1024x1024': 'type',
    'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512': 'type',
    'hrnet/fcn_hr18s_4xb2-40k_cityscapes-512x1024': 'type',
    'ocrnet/ocrnet_hr18s_4xb2-40k_cityscapes-512x1024': 'cascade',
    'knet/knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512': 'backbone',
}


def deltas():
    found = re.findall(
        r'<!-- delta: (\w+) -->\n```python\n(.*?)```',
        GUIDE.read_text(encoding='utf-8'),
        re.DOTALL,
    )
    return dict(found)


def test_the_guide_names_only_what_is_there():
    text = GUIDE.read_text(encoding='utf-8')
    paths = set(re.findall(r'(?:configs|tools)/[\w/.+-]+\.(?:py|sh)', text))
    assert len(paths) > 8
    for path in paths:
        assert (ROOT / path).is_file(), path


@pytest.mark.parametrize('name', USERS)
def test_the_delta_of_the_guide_adds_gpaco_to_a_stock_config(name, tmp_path):
    base = STOCK / f'{name}.py'
    config = tmp_path / 'mine.py'
    delta = deltas()[USERS[name]]
    config.write_text(delta.replace("'YOUR_CONFIG.py'", repr(str(base))))
    cfg, stock_cfg = Config.fromfile(config), Config.fromfile(base)
    theirs, ours = stock_cfg.model, copy.deepcopy(cfg.model)
    ours.pop('gpaco', None)
    ours.type = theirs.type
    assert ours == theirs

    # Small images: batch norm over one pixel alone would fail.
    cfg.model.pretrained = None
    cfg.model.backbone.pop('init_cfg', None)
    torch.manual_seed(0)
    model = revert_sync_batchnorm(MODELS.build(cfg.model)).train()
    images = torch.randn(2, 3, 64, 64)
    losses = model.loss(images, samples(model.num_classes, (64, 64)))
    loss = losses['gpaco.loss_gpaco']
    assert torch.isfinite(loss) and loss > 0
    loss.backward()
    weight = model.backbone.parameters()
    assert any(p.grad is not None and p.grad.any() for p in weight)


def samples(num_classes, size):
    generator = torch.Generator().manual_seed(0)
    return [
        SegDataSample(
            gt_sem_seg=PixelData(
                data=torch.randint(
                    0, num_classes, (1, *size), generator=generator
                )
            )
        )
        for _ in range(2)
    ]
