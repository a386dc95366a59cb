_base_ = '../baselines/upernet_swin-b_ade20k.py'

# 8192 pixels of each image, drawn before the projector, as in the paper; the
# release draws them after it (sample_after_projector=True). Alpha 0.01 and
# temperature 0.07 are of the release; the paper names neither.
model = dict(type='mmpaco.GPaCoEncoderDecoder')
