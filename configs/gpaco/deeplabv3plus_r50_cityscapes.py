_base_ = '../baselines/deeplabv3plus_r50_cityscapes.py'

# 8192 pixels of each image, drawn before the projector, as in the paper; the
# release draws them after it (sample_after_projector=True). Alpha and
# temperature (0.07) are of the release; the paper names neither.
model = dict(
    type='mmpaco.GPaCoEncoderDecoder',
    gpaco=dict(loss_decode=dict(alpha=0.03)),
)
