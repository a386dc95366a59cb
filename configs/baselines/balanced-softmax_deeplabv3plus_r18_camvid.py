_base_ = './deeplabv3plus_r18_camvid.py'

# The prior is that of the pixels; the auxiliary head keeps cross-entropy.
model = dict(
    decode_head=dict(
        loss_decode=dict(
            _delete_=True, type='mmpaco.BalancedSoftmaxLoss', num_classes=11
        )
    )
)
custom_hooks = [dict(type='mmpaco.ClassPriorHook')]
