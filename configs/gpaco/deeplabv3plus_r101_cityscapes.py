_base_ = '../baselines/deeplabv3plus_r101_cityscapes.py'

# 8192 pixels of each image, as in the paper. Alpha and temperature (0.07)
# are of the release; the paper names neither.
model = dict(
    type='mmpaco.GPaCoEncoderDecoder',
    gpaco=dict(loss_decode=dict(alpha=0.02)),
)
