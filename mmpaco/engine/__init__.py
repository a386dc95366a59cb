"""What both sides share: queue, hooks, class statistics.

This room imports mmengine and the losses, never mmpretrain or mmseg.
"""

from .channels_last_hook import ChannelsLastHook
from .class_counts import count_labels
from .class_prior_hook import ClassPriorHook
from .embedding_queue import EmbeddingQueue
from .paco_queue_hook import PaCoQueueHook
from .shot_groups import shot_accuracy
from .whole_checkpoint_hook import WholeCheckpointHook

__all__ = [
    'ChannelsLastHook',
    'ClassPriorHook',
    'EmbeddingQueue',
    'PaCoQueueHook',
    'WholeCheckpointHook',
    'count_labels',
    'shot_accuracy',
]
