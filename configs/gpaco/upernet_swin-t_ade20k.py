_base_ = '../baselines/upernet_swin-t_ade20k.py'

model = dict(
    type='mmpaco.GPaCoEncoderDecoder',
    auxiliary_head=[
        {{_base_.model.auxiliary_head}},
        dict(
            type='mmpaco.GPaCoAuxHead',
            in_channels=512,
            num_classes=150,
            num_samples=8192,
            norm_cfg={{_base_.norm_cfg}},
            # Of the release; the paper names neither.
            loss_decode=dict(
                type='mmpaco.PaCoLoss', alpha=0.01, temperature=0.07
            ),
        ),
    ],
)
