# A view from a loaded image (BGR) to a BGR array of 224 x 224 pixels, that of
# MAE's fine-tuning: timm's rand-m9-mstd0.5-inc1, whose operations all get
# stronger with the level, and random erasing.
mae = [
    dict(
        type='mmpaco.RandomResizedCropToPIL',
        size=224,
        scale=(0.08, 1.0),
        ratio=(3 / 4, 4 / 3),
        interpolation='bicubic',
        to_rgb=True,
    ),
    dict(type='torchvision/RandomHorizontalFlip', p=0.5),
    dict(
        type='RandAugment',
        num_policies=2,
        magnitude_level=9,
        magnitude_std=0.5,
        hparams=dict(pad_val=(124, 116, 104), interpolation='bicubic'),
        policies=[
            dict(type='mmpaco.PillowOp', op='AutoContrast'),
            dict(type='mmpaco.PillowOp', op='Equalize'),
            dict(type='mmpaco.PillowOp', op='Invert'),
            # timm rounds what is taken off down, so what is left up.
            dict(
                type='mmpaco.PillowOp',
                op='Posterize',
                magnitude_range=(4.9999, 0.9999),
            ),
            dict(
                type='mmpaco.PillowOp',
                op='Solarize',
                magnitude_range=(256.9999, 0.9999),
            ),
            dict(
                type='mmpaco.PillowOp',
                op='SolarizeAdd',
                magnitude_range=(0, 110),
            ),
            *(
                dict(
                    type='mmpaco.PillowOp',
                    op=op,
                    magnitude_range=(0, most),
                    random_negative_prob=0.5,
                )
                for op, most in (
                    *(('Color', 0.9), ('Contrast', 0.9)),
                    *(('Brightness', 0.9), ('Sharpness', 0.9)),
                    *(('Rotate', 30), ('ShearX', 0.3), ('ShearY', 0.3)),
                    *(('TranslateX', 0.45), ('TranslateY', 0.45)),
                )
            ),
        ],
    ),
    dict(type='PILToNumpy', to_bgr=True),
    # timm erases what is normalised already. Here its noise is rounded, and
    # cut at black and white.
    dict(
        type='RandomErasing',
        erase_prob=0.25,
        mode='rand',
        min_area_ratio=0.02,
        max_area_ratio=1 / 3,
        fill_color=[103.53, 116.28, 123.675],
        fill_std=[57.375, 57.12, 58.395],
    ),
]
