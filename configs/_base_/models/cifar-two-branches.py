# The network of BBN's release for CIFAR, in the place of the backbone of
# cifar-resnet32.py: the last block is there twice, and both maps are joined to
# one of 128 channels. 0.54 million parameters.
two_branches = dict(
    type='mmpaco.MultiExpertCIFARResNet',
    num_experts=2,
    own_blocks=1,
    joined=True,
)
