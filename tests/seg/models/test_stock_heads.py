"""Every decode head of mmseg, through a stock config of it."""

import importlib.util
from pathlib import Path

import mmseg
import pytest
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS
from mmengine.structures import PixelData

CONFIGS = Path(mmseg.__file__).parent / '.mim' / 'configs'
needs_ops = pytest.mark.skipif(
    importlib.util.find_spec('mmcv._ext') is None,
    reason='this head needs the compiled operators of mmcv',
)
needs_mmdet = pytest.mark.skipif(
    importlib.util.find_spec('mmdet') is None,
    reason='this head needs mmdet',
)
VIT = dict(num_layers=4, out_indices=(0, 1, 2, 3))
R50 = '{0}/{0}_r50-d8_4xb2-40k_cityscapes-512x1024'

# name: (config, channels of the main feature[, changes to the backbone
# [, size of the image]])
STOCK = {
    'ANNHead': (R50.format('ann'), 512),
    'APCHead': (R50.format('apcnet'), 512),
    'ASPPHead': (R50.format('deeplabv3'), 512),
    'DepthwiseSeparableASPPHead': (R50.format('deeplabv3plus'), 512),
    'DAHead': (R50.format('danet'), 512),
    'DMHead': (R50.format('dmnet'), 512),
    'DNLHead': pytest.param(
        'dnlnet/dnl_r50-d8_4xb2-40k_cityscapes-512x1024',
        512,
        marks=pytest.mark.xfail(
            torch.__version__.startswith('2.1.'),
            reason='the stock head changes in place what its backward needs',
        ),
    ),
    'EMAHead': (R50.format('emanet').replace('40k', '80k'), 256),
    'EncHead': (R50.format('encnet'), 512),
    'FCNHead': (R50.format('fcn'), 512),
    'GCHead': (R50.format('gcnet'), 512),
    'ISAHead': (R50.format('isanet'), 512),
    'NLHead': (
        'nonlocal_net/nonlocal_r50-d8_4xb2-40k_cityscapes-512x1024',
        512,
    ),
    'PSPHead': (R50.format('pspnet'), 512),
    'UPerHead': ('upernet/upernet_r18_4xb2-40k_cityscapes-512x1024', 512),
    'FPNHead': ('sem_fpn/fpn_r50_4xb2-80k_cityscapes-512x1024', 128),
    'OCRHead': ('ocrnet/ocrnet_hr18s_4xb2-40k_cityscapes-512x1024', 512),
    'DDRHead': (
        'ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024',
        64,
    ),
    'PIDHead': ('pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes', 128),
    'SegformerHead': (
        'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512',
        256,
    ),
    'LightHamHead': (
        'segnext/segnext_mscan-t_1xb16-adamw-160k_ade20k-512x512',
        256,
    ),
    'DepthwiseSeparableFCNHead': (
        'fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024',
        128,
    ),
    'FCNHead beside STDCHead': (
        'stdc/stdc1_4xb12-80k_cityscapes-512x1024',
        256,
    ),
    # The pooling of this head takes 49 x 49 positions at least.
    'LRASPPHead': (
        'mobilenet_v3/mobilenet-v3-d8-scratch-s_lraspp_4xb4-320k_'
        'cityscapes-512x1024',
        128,
        {},
        (400, 400),
    ),
    'SETRMLAHead': (
        'setr/setr_vit-l_mla_8xb2-160k_ade20k-512x512',
        512,
        VIT,
    ),
    'SETRUPHead': ('setr/setr_vit-l_pup_8xb2-160k_ade20k-512x512', 256, VIT),
    'DPTHead': ('dpt/dpt_vit-b16_8xb2-160k_ade20k-512x512', 256, VIT),
    'CCHead': pytest.param(R50.format('ccnet'), 512, marks=needs_ops),
    'PSAHead': pytest.param(R50.format('psanet'), 512, marks=needs_ops),
}


def gpaco_model(config, backbone=None, size=(64, 64), **gpaco):
    """Change the type of the model of a stock config, as users are told."""
    model = Config.fromfile(str(CONFIGS / f'{config}.py')).model
    model.pretrained = model.backbone.init_cfg = None
    model.backbone.update(backbone or {})
    if 'img_size' in model.backbone:
        model.backbone.img_size = size
    is_cascade = isinstance(model.decode_head, list)
    model.type = f'mmpaco.GPaCo{"Cascade" * is_cascade}EncoderDecoder'
    model.gpaco = dict(gpaco, num_samples=50)
    model.data_preprocessor = None
    return model


def cases(table):
    for name, case in table.items():
        marks = getattr(case, 'marks', ())
        values = getattr(case, 'values', case)
        yield pytest.param(name, values, marks=marks, id=name)


@pytest.mark.parametrize('name, case', cases(STOCK))
def test_head_trains_with_its_feature_and_logits(
    name, case, samples, monkeypatch
):
    config, channels, *changes = case
    model = revert_sync_batchnorm(MODELS.build(gpaco_model(config, *changes)))
    is_cascade = isinstance(model.decode_head, torch.nn.ModuleList)
    main = model.decode_head[-1] if is_cascade else model.decode_head
    assert type(main).__name__ == name.split()[0]
    size = case[3] if len(case) > 3 else (64, 64)
    # None is ignored: in mmseg 1.2.2 the class weights of PIDNet forbid it.
    labels = torch.randint(0, main.num_classes, (2, *size))
    data_samples = samples(labels)
    for sample, label in zip(data_samples, labels):
        # PIDNet learns the edges as well.
        sample.gt_edge_map = PixelData(data=(label[None] == 0).long())
    seen = {}
    gpaco = model.gpaco_head
    assert gpaco.channels == channels
    assert gpaco.norm_cfg == main.norm_cfg
    forward = gpaco.forward
    # Taken back at the end, or the model would outlive the test.
    monkeypatch.setattr(
        gpaco,
        'forward',
        lambda inputs: seen.update(found=inputs) or forward(inputs),
    )
    main.conv_seg.register_forward_hook(
        lambda _, args, out: seen.update(dropped=args[0], logits=out)
    )
    losses = model.loss(torch.randn(2, 3, *size), data_samples)

    feature, logits = seen['found']
    assert logits is seen['logits']
    assert logits.shape[1] == main.num_classes
    # Dropout2d keeps a channel, larger by a factor, or makes it zero.
    kept = seen['dropped'].flatten(2).any(2)
    factor = 1 if main.dropout is None else 1 - main.dropout_ratio
    torch.testing.assert_close(
        feature[kept], seen['dropped'][kept] * factor, rtol=1e-4, atol=1e-6
    )
    key = 'gpaco.loss_gpaco'
    assert losses[key].isfinite() and losses[key].item() > 0
    inputs = [feature, *main.conv_seg.parameters(), *gpaco.parameters()]
    for gradient in torch.autograd.grad(
        losses[key], inputs, retain_graph=True
    ):
        assert gradient.isfinite().all()
    model.parse_losses(losses)[0].backward()
    for module in model.modules():
        if module is not main.conv_seg:
            assert not module._forward_hooks


# name: (config, channels of the last stage of its backbone)
OTHERS = {
    'IterativeDecodeHead': (
        'knet/knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512',
        2048,
    ),
    'SegmenterMaskTransformerHead': (
        'segmenter/segmenter_vit-s_mask_8xb1-160k_ade20k-512x512',
        384,
    ),
    'SideAdapterCLIPHead': pytest.param(
        'san/san-vit-b16_coco-stuff164k-640x640', None, marks=needs_ops
    ),
    'PointHead': pytest.param(
        'point_rend/pointrend_r50_4xb2-80k_cityscapes-512x1024',
        None,
        marks=needs_ops,
    ),
    'MaskFormerHead': pytest.param(
        'maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512',
        None,
        marks=needs_mmdet,
    ),
    'Mask2FormerHead': pytest.param(
        'mask2former/mask2former_r50_8xb2-160k_ade20k-512x512',
        None,
        marks=needs_mmdet,
    ),
}


@pytest.mark.parametrize('name, case', cases(OTHERS))
def test_head_of_another_kind_is_refused_by_name(name, case, segmentor_cfg):
    model = Config.fromfile(str(CONFIGS / f'{case[0]}.py')).model
    cfg = segmentor_cfg(decode_head=model.decode_head, auxiliary_head=None)
    if isinstance(model.decode_head, list):
        cfg.type = 'mmpaco.GPaCoCascadeEncoderDecoder'
        cfg.num_stages = len(model.decode_head)
    with pytest.raises(ValueError, match=f"^{name}.*source='backbone'"):
        MODELS.build(cfg)


@pytest.mark.parametrize(
    'name', ('IterativeDecodeHead', 'SegmenterMaskTransformerHead')
)
def test_what_the_refusal_proposes_works(name, samples, label_maps):
    config, in_channels = OTHERS[name]
    gpaco = dict(source='backbone', in_channels=in_channels, channels=16)
    model = MODELS.build(gpaco_model(config, **gpaco))
    model = revert_sync_batchnorm(model)
    data_samples = samples(label_maps(2, num_classes=150))
    losses = model.loss(torch.randn(2, 3, 64, 64), data_samples)
    losses['gpaco.loss_gpaco'].backward()
    for parameter_name, parameter in model.gpaco_head.named_parameters():
        assert parameter.grad is not None, parameter_name
