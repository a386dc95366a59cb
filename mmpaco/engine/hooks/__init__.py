"""Hooks of mmengine's runner."""

from .bbn_progress_hook import BBNProgressHook
from .causal_norm_hook import CausalNormHook
from .channels_last_hook import ChannelsLastHook
from .class_prior_hook import ClassPriorHook
from .compile_hook import CompileHook
from .deferred_reweighting_hook import DeferredReweightingHook
from .frozen_weights_hook import FrozenWeightsHook
from .paco_queue_hook import PaCoQueueHook
from .whole_checkpoint_hook import WholeCheckpointHook

__all__ = [
    'BBNProgressHook',
    'CausalNormHook',
    'ChannelsLastHook',
    'ClassPriorHook',
    'CompileHook',
    'DeferredReweightingHook',
    'FrozenWeightsHook',
    'PaCoQueueHook',
    'WholeCheckpointHook',
]
