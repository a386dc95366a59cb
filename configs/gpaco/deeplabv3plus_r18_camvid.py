_base_ = '../baselines/deeplabv3plus_r18_camvid.py'

model = dict(
    type='mmpaco.GPaCoEncoderDecoder',
    auxiliary_head=[
        {{_base_.model.auxiliary_head}},
        dict(
            type='mmpaco.GPaCoAuxHead',
            in_channels=128,
            num_classes=11,
            # A crop has fewer positions than that, so all take part. Of
            # 1024, 340 are road, hence alpha x K of the head class is 3.4.
            num_samples=8192,
            norm_cfg={{_base_.norm_cfg}},
            loss_decode=dict(
                type='mmpaco.PaCoLoss', alpha=0.01, temperature=0.07
            ),
        ),
    ],
)
