"""Promises of the methods for segmentation, on configs that mmseg ships."""

import copy
from importlib.util import find_spec
from pathlib import Path

import mmseg
import pytest
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmpaco.contrast_strength import PIXELS
from mmpaco.methods import Facts, Options, Refusal, find_method, methods
from mmpaco.methods.settings import merged

STOCK = Path(mmseg.__file__).parent / '.mim' / 'configs'
FCN = 'fcn/fcn_r18-d8_4xb2-80k_cityscapes-512x1024'
DDRNET = 'ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024'
PIDNET = 'pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes'
KNET = 'knet/knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512'
OCRNET = 'ocrnet/ocrnet_hr18s_4xb2-40k_cityscapes-512x1024'
DICE = 'unet/unet-s5-d16_fcn_4xb4-ce-1.0-dice-3.0-40k_drive-64x64'
SIGMOID = 'fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024'
SEGMENTER = 'segmenter/segmenter_vit-s_mask_8xb1-160k_ade20k-512x512'
DPT = 'dpt/dpt_vit-b16_8xb2-160k_ade20k-512x512'
# Cityscapes: 36.9 % of the pixels are road.
COUNTS = (369, 61, 228, 7, 9, 12, 2, 6, 159, 12, 40, 12, 1, 70, 3, 2, 2, 1, 4)


def stock(name):
    return Config.fromfile(STOCK / f'{name}.py', import_custom_modules=False)


def put(method, cfg, facts=None, **given):
    """Put a method on a config; the plan, and the config that results."""
    before = copy.deepcopy(cfg.to_dict())
    plan = find_method(method, 'mmseg').function(
        cfg, facts or Facts(why_unknown='not read'), Options(given=given)
    )
    assert cfg.to_dict() == before
    return plan, Config(merged(before, plan.settings))


def one_step(cfg, counts=None):
    """Build the model and learn from random images; the losses."""
    init_default_scope('mmseg')
    model = copy.deepcopy(cfg.model)
    model.pretrained = model.backbone.init_cfg = None
    model.data_preprocessor = None
    torch.manual_seed(0)
    model = revert_sync_batchnorm(MODELS.build(model))
    for module in model.modules():
        if hasattr(module, 'set_class_counts'):
            module.set_class_counts(counts)
    heads = model.decode_head
    head = heads[-1] if isinstance(heads, torch.nn.ModuleList) else heads
    labels = torch.randint(0, head.num_classes, (2, 64, 64))
    # In mmseg 1.2.2 the class weights of PIDNet forbid what is ignored.
    if 'class_weight' not in str(cfg.model.decode_head):
        labels[:, :9] = 255
    samples = []
    for label in labels:
        sample = SegDataSample(gt_sem_seg=PixelData(data=label[None]))
        # PIDNet learns the edges as well.
        sample.gt_edge_map = PixelData(data=(label[None] == 0).long())
        samples.append(sample)
    losses = model.loss(torch.randn(2, 3, 64, 64), samples)
    total = model.parse_losses(losses)[0]
    total.backward()
    assert total.isfinite()
    return losses, model


def refusal(method, cfg):
    with pytest.raises(Refusal) as caught:
        put(method, cfg)
    return str(caught.value)


def test_gpaco_changes_the_type_of_the_model_alone():
    plan, cfg = put('gpaco', stock(FCN))
    assert plan.settings == dict(model=dict(type='mmpaco.GPaCoEncoderDecoder'))
    assert any('FCNHead' in told for told in plan.decisions)
    losses, _ = one_step(cfg)
    assert losses['gpaco.loss_gpaco'] > 0


def test_gpaco_takes_the_last_head_of_a_cascade():
    plan, cfg = put('gpaco', stock(OCRNET))
    name = 'mmpaco.GPaCoCascadeEncoderDecoder'
    assert plan.settings == dict(model=dict(type=name))
    assert 'OCRHead' in plan.decisions[0]


def test_gpaco_tells_of_a_sigmoid_loss():
    plan, _ = put('gpaco', stock(SIGMOID))
    assert any('sigmoid' in told for told in plan.decisions)


@pytest.mark.parametrize('name', (KNET, SEGMENTER))
def test_a_head_without_cls_seg_is_sent_to_the_backbone(name):
    cfg = stock(name)
    assert 'gpaco-backbone' in refusal('gpaco', cfg)
    assert put('gpaco-backbone', cfg)


def test_the_backbone_of_dpt_is_sent_to_the_head():
    told = refusal('gpaco-backbone', stock(DPT))
    assert 'DPTHead' in told and 'gpaco takes' in told


@pytest.mark.parametrize(
    'name, stage, channels',
    [
        (FCN, 3, 512),
        # What mmseg's auxiliary head is on, as the main one fuses all.
        ('upernet/upernet_r18_4xb2-40k_cityscapes-512x1024', 2, 256),
        # There is none: the last but one.
        ('segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512', 2, 160),
        (OCRNET, 2, 72),
        (PIDNET, 1, 128),
        (KNET, 3, 2048),
    ],
)
def test_gpaco_backbone_finds_a_stage(name, stage, channels):
    base = stock(name)
    plan, cfg = put('gpaco-backbone', base)
    assert (cfg.model.gpaco.in_index, cfg.model.gpaco.in_channels) == (
        stage,
        channels,
    )
    # What was there stays, under its name.
    assert {**cfg.model, 'type': 0, 'gpaco': 0} == {
        **base.model,
        'type': 0,
        'gpaco': 0,
    }
    if name in (PIDNET, KNET):
        losses, model = one_step(cfg)
        assert losses['gpaco.loss_gpaco'] > 0
        norms = [
            m
            for m in model.gpaco_head.projector.modules()
            if 'BatchNorm' in type(m).__name__
        ]
        assert norms


@pytest.mark.parametrize('name', (FCN, DDRNET, PIDNET, KNET, DICE))
def test_balanced_softmax_takes_the_place_of_what_classifies(name):
    base = stock(name)
    plan, cfg = put('balanced-softmax', base)
    hooks = plan.settings['custom_hooks']
    assert hooks == [dict(type='mmpaco.ClassPriorHook')]
    head, before = cfg.model.decode_head, base.model.decode_head
    head, before = (x.get('kernel_generate_head', x) for x in (head, before))
    ours, theirs = (
        x.loss_decode if isinstance(x.loss_decode, list) else [x.loss_decode]
        for x in (head, before)
    )
    assert len(ours) == len(theirs)
    for new, old in zip(ours, theirs):
        if old.type in ('BoundaryLoss', 'DiceLoss'):
            assert new == old
        else:
            assert new.type == 'mmpaco.BalancedSoftmaxLoss'
            assert new.num_classes == head.num_classes
            assert new.get('loss_weight', 1) == old.get('loss_weight', 1)
    assert cfg.model.get('auxiliary_head') == base.model.get('auxiliary_head')
    one_step(cfg, [10.0, *[1.0] * (head.num_classes - 1)])


def test_hooks_of_the_base_stay():
    cfg = stock(FCN)
    cfg.custom_hooks = [dict(type='EMAHook')]
    plan, _ = put('balanced-softmax', cfg)
    names = [hook['type'] for hook in plan.settings['custom_hooks']]
    assert names == ['EMAHook', 'mmpaco.ClassPriorHook']


def test_all_heads_of_a_cascade_are_balanced():
    base = stock(OCRNET)
    _, cfg = put('balanced-softmax', base)
    for new, old in zip(cfg.model.decode_head, base.model.decode_head):
        assert new.loss_decode.type == 'mmpaco.BalancedSoftmaxLoss'
        assert new.loss_decode.get('loss_weight', 1) == old.loss_decode.get(
            'loss_weight', 1
        )
        assert {**new, 'loss_decode': 0} == {**old, 'loss_decode': 0}


def test_plain_cross_entropy_stays_as_it_is():
    plan, _ = put('cross-entropy', stock(FCN))
    assert plan.settings == {} and 'already' in plan.decisions[0]


@pytest.mark.parametrize('name', (DDRNET, PIDNET))
def test_cross_entropy_mines_and_weights_nothing(name):
    """Its losses are the mean of the cross-entropy of the pixels."""
    _, cfg = put('cross-entropy', stock(name))
    losses, _ = one_step(cfg)
    assert 'class_weight' not in str(cfg.model.decode_head)
    ohem = MODELS.build(
        next(
            x
            for x in cfg.model.decode_head.loss_decode
            if x.type == 'OhemCrossEntropy'
        )
    )
    logits = torch.randn(2, 19, 8, 8) * 5
    labels = torch.randint(0, 19, (2, 8, 8))
    labels[0, 0] = 255
    torch.testing.assert_close(
        ohem(logits, labels),
        ohem.loss_weight
        * torch.nn.functional.cross_entropy(logits, labels, ignore_index=255),
    )


def test_cross_entropy_lets_other_losses_and_samplers_go():
    plan, cfg = put('cross-entropy', stock(DICE))
    assert cfg.model.decode_head.loss_decode.type == 'CrossEntropyLoss'
    assert any('DiceLoss' in told for told in plan.decisions)
    cfg = stock(FCN)
    cfg.model.decode_head.sampler = dict(type='OHEMPixelSampler')
    plan, cfg = put('cross-entropy', cfg)
    assert cfg.model.decode_head.sampler is None
    assert any('mining' in told for told in plan.decisions)


def test_a_sigmoid_of_several_classes_becomes_a_softmax():
    for method in ('cross-entropy', 'balanced-softmax'):
        plan, cfg = put(method, stock(SIGMOID))
        assert not cfg.model.decode_head.loss_decode.get('use_sigmoid')
        assert any('softmax' in told for told in plan.decisions)


def test_the_papers_alpha_stays_where_it_is_sane():
    plan, _ = put('gpaco', stock(FCN), Facts(class_counts=COUNTS))
    told = ' '.join(plan.decisions)
    assert (
        'alpha is 0.01' in told
        and '36.9 %' in told
        and 'K is about 30.2' in told
    )
    assert 'gpaco' not in plan.settings['model']


def test_it_is_told_of_how_many_label_maps_the_counts_are():
    facts = Facts(class_counts=COUNTS, source='in 10 of 99 label maps')
    plan, _ = put('gpaco', stock(FCN), facts)
    assert sum('in 10 of 99 label maps' in x for x in plan.decisions) == 2


def test_alpha_comes_from_the_counts_where_it_is_not():
    cfg = stock(FCN)
    cfg.model.decode_head.num_classes = 200
    facts = Facts(class_counts=(5.0,) * 200)
    plan, _ = put('gpaco', cfg, facts)
    alpha = plan.settings['model']['gpaco']['loss_decode']['alpha']
    assert alpha * 8191 / 200 == pytest.approx(PIXELS.aims[0], rel=0.05)
    # What is given stays, and its figures are told.
    plan, _ = put('gpaco', cfg, facts, alpha=0.001)
    assert 'gpaco' not in plan.settings['model']
    assert 'hardly be learnt' in ' '.join(plan.decisions)


def test_without_counts_it_is_said_why():
    plan, _ = put('gpaco', stock(FCN), Facts(why_unknown='no data in DIR'))
    told = plan.decisions[-1]
    assert 'no data in DIR' in told and 'again where the data are' in told


def test_rare_classes_are_scored_where_they_are_known():
    facts = Facts(class_counts=COUNTS)
    for method in methods('mmseg'):
        base = stock(FCN)
        plan, cfg = put(method.name, base, facts)
        for key in ('val_evaluator', 'test_evaluator'):
            assert cfg[key] == {
                **base[key],
                'type': 'mmpaco.RareIoUMetric',
                'rare_classes': [6, 12, 15, 17],
            }


def test_a_metric_beside_that_of_iou_stays():
    base = stock(FCN)
    other = dict(type='CityscapesMetric', output_dir='out')
    base.val_evaluator = [other, base.val_evaluator]
    base.test_evaluator = other
    plan, cfg = put('gpaco', base, Facts(class_counts=COUNTS))
    assert cfg.val_evaluator[0] == other
    assert cfg.val_evaluator[1].type == 'mmpaco.RareIoUMetric'
    assert 'test_evaluator' not in plan.settings


def test_counts_of_other_classes_are_told_and_not_used():
    facts = Facts(class_counts=(3.0, 1.0))
    plan, _ = put('gpaco', stock(FCN), facts)
    assert 'val_evaluator' not in plan.settings
    assert 'check num_classes' in ' '.join(plan.decisions)


def without_model(cfg):
    cfg.pop('model')


def without_data(cfg):
    cfg.pop('train_dataloader')


def without_labels(cfg):
    pipeline = cfg.train_dataloader.dataset.pipeline
    del pipeline[1]


def binary(cfg):
    cfg.model.decode_head.update(num_classes=2, out_channels=1)


def of_a_package(cfg):
    cfg.custom_imports = dict(imports=['no_such_package.models'])


def of_a_scope(cfg):
    cfg.model.backbone.type = 'no_such_package.ResNet'


def of_another_type(cfg):
    cfg.model.type = 'MySegmentor'


@pytest.mark.parametrize(
    'change, message',
    [
        (without_model, 'no model with a decode_head'),
        (without_data, 'no training set'),
        (without_labels, 'add LoadAnnotations'),
        (binary, 'leave out out_channels'),
        (of_a_package, 'no_such_package, which is not installed'),
        (of_a_scope, 'no_such_package, which is not installed'),
        (of_another_type, 'MySegmentor.*EncoderDecoder'),
    ],
)
def test_what_cannot_be_trained_is_refused_by_all(change, message):
    cfg = stock(FCN)
    change(cfg)
    for method in methods('mmseg'):
        with pytest.raises(Refusal, match=message):
            put(method.name, cfg)


def test_labels_in_wrapped_datasets_are_found():
    cfg = stock(FCN)
    inner = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = dict(
        type='RepeatDataset',
        dataset=dict(type='ConcatDataset', datasets=[inner, inner]),
    )
    assert put('gpaco', cfg)


@pytest.mark.parametrize(
    'name, message',
    [
        ('vpd/vpd_sd_4xb8-25k_nyu-512x512', 'depth'),
        ('san/san-vit-b16_coco-stuff164k-640x640', 'EncoderDecoder'),
    ],
)
def test_a_segmentor_of_another_kind_is_refused_by_all(name, message):
    for method in methods('mmseg'):
        assert message in refusal(method.name, stock(name))


def test_a_method_that_is_there_is_refused():
    _, cfg = put('gpaco', stock(FCN))
    assert 'already' in refusal('gpaco', cfg)
    assert 'already' in refusal('gpaco-backbone', cfg)
    # But one may have both of two that differ.
    _, both = put('balanced-softmax', cfg)
    assert both.model.type == cfg.model.type
    assert 'already' in refusal('balanced-softmax', both)


def test_operators_that_must_be_compiled_are_asked_for():
    cfg = stock('ccnet/ccnet_r50-d8_4xb2-40k_cityscapes-512x1024')
    if find_spec('mmcv._ext'):
        assert put('gpaco', cfg)
    else:
        assert 'must be compiled' in refusal('gpaco', cfg)


def test_heads_of_masks_are_sent_to_the_backbone_or_for_their_package():
    name = 'maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512'
    told = refusal('balanced-softmax', stock(name))
    assert ('gpaco-backbone' if find_spec('mmdet') else 'mmdet') in told
