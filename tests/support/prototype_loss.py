"""A contrastive loss as a user would write one."""

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS

from mmpaco.losses import ContrastiveLoss


@MODELS.register_module()
class PrototypeLoss(ContrastiveLoss):
    """Cross-entropy of an anchor's similarities to the means of classes."""

    def anchor_losses(self, batch):
        rows = torch.cat([batch.features, batch.extra_features])
        labels = torch.cat([batch.labels, batch.extra_labels])
        num_classes = batch.center_logits.shape[1]
        belongs = F.one_hot(labels, num_classes).to(rows.dtype)
        means = F.normalize(belongs.t() @ rows, dim=1)
        scores = batch.features @ means.t() / self.temperature
        return F.cross_entropy(scores, batch.labels, reduction='none')
