"""Hooks of mmengine's runner."""

from .channels_last_hook import ChannelsLastHook
from .class_prior_hook import ClassPriorHook
from .deferred_reweighting_hook import DeferredReweightingHook
from .paco_queue_hook import PaCoQueueHook
from .whole_checkpoint_hook import WholeCheckpointHook

__all__ = [
    'ChannelsLastHook',
    'ClassPriorHook',
    'DeferredReweightingHook',
    'PaCoQueueHook',
    'WholeCheckpointHook',
]
