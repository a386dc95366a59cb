"""A neck that spoils a value of the features."""

import torch
from mmengine.registry import MODELS


@MODELS.register_module()
class SpoilingNeck(torch.nn.Module):
    """Puts a value that is not finite in training iteration 6."""

    def __init__(self, value):
        super().__init__()
        self.value = float(value)
        self.calls = 0

    def forward(self, feats):
        self.calls += self.training
        feature = feats[-1].flatten(1).clone()
        if self.training and self.calls == 6:
            feature[3, 5] = self.value
        return (feature,)
