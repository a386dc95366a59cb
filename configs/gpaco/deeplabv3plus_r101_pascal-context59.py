_base_ = '../baselines/deeplabv3plus_r101_pascal-context59.py'

# 8192 pixels of each image, drawn before the projector, as in the paper; the
# release draws them after it (sample_after_projector=True). Alpha 0.01 and
# temperature 0.07 are of the release; the paper names neither.
model = dict(type='mmpaco.GPaCoEncoderDecoder')
