"""Child registries of mmengine's, in the scope 'mmpaco'.

In a config every type is written ``'mmpaco.X'``; it resolves from any scope,
because mmengine imports this module and then the rooms named below. A room
whose host package is not installed is left out.
"""

from importlib.util import find_spec

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODEL_WRAPPERS as MMENGINE_MODEL_WRAPPERS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import Registry

from mmpaco.losses import BalancedSoftmaxLoss, PaCoLoss

_LOCATIONS = ['mmpaco.engine'] + [
    room
    for host, room in (('mmpretrain', 'mmpaco.cls'),)
    if find_spec(host) is not None
]


def _child(parent: Registry) -> Registry:
    return Registry(
        parent.name, parent=parent, scope='mmpaco', locations=_LOCATIONS
    )


MODELS = _child(MMENGINE_MODELS)
MODEL_WRAPPERS = _child(MMENGINE_MODEL_WRAPPERS)
DATASETS = _child(MMENGINE_DATASETS)
HOOKS = _child(MMENGINE_HOOKS)
METRICS = _child(MMENGINE_METRICS)

# The losses know torch alone, so they are named here.
for _loss in (PaCoLoss, BalancedSoftmaxLoss):
    MODELS.register_module(module=_loss)
