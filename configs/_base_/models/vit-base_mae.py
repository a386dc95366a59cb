# ViT-B/16 as MAE fine-tunes it: the mean of the patch tokens, then a norm.
# tools/model_converters/official_to_mmpaco.py makes the file of MAE's
# mae_pretrain_vit_base.pth.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='VisionTransformer',
        arch='base',
        drop_path_rate=0.1,
        final_norm=False,
        out_type='avg_featmap',
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone.',
            checkpoint='data/mae/vit-base.pth',
        ),
    ),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=768,
        # The release cuts its normal distribution at +-2, 100,000 deviations,
        # and so now and then gets a weight of 2 by rounding.
        init_cfg=dict(type='Normal', std=2e-5, override=dict(name='fc')),
        # That of timm: the wrong classes and the right one share the 0.1.
        loss=dict(
            type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'
        ),
    ),
)
