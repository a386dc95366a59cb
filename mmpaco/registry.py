"""Child registries of mmengine's, in the scope 'mmpaco'.

In a config every type is written ``'mmpaco.X'``; it resolves from any scope,
because mmengine imports this module and then the rooms named below, those of
the kind that is looked up. A room whose host package is not installed is left
out.
"""

from importlib.util import find_spec

from mmpaco.compat import check_stack
from mmpaco.losses import (
    BalancedSoftmaxLoss,
    ClassBalancedLoss,
    LabelAwareSmoothLoss,
    LDAMLoss,
    MultiTaskLoss,
    PaCoLoss,
    ResLTLoss,
    RIDELoss,
    SupConLoss,
)

# Before the first import of a stack that may be a broken mixture.
check_stack()

from mmengine import registry as root  # noqa: E402

_HOSTS = {'cls': 'mmpretrain', 'seg': 'mmseg'}


def _child(parent: root.Registry, *rooms: str) -> root.Registry:
    return root.Registry(
        parent.name,
        parent=parent,
        scope='mmpaco',
        locations=[
            f'mmpaco.{room}'
            for room in rooms
            if find_spec(_HOSTS.get(room.split('.')[0], 'mmengine'))
        ],
    )


MODELS = _child(root.MODELS, 'cls.models', 'seg.models')
OPTIM_WRAPPERS = _child(root.OPTIM_WRAPPERS, 'engine.bfloat16_optim_wrapper')
MODEL_WRAPPERS = _child(root.MODEL_WRAPPERS, 'runner.cpu_ddp')
STRATEGIES = _child(root.STRATEGIES, 'runner.fsdp_strategy')
# mmpretrain and mmseg print when their datasets are imported: looking up a
# head or a hook does not.
DATASETS = _child(
    root.DATASETS,
    'cls.datasets.cifar_lt',
    'cls.datasets.corrupted',
    'cls.datasets.image_list',
    'cls.datasets.imagenet_robustness',
    'cls.datasets.inaturalist',
    'cls.datasets.long_tailed',
    'engine.paired_dataset',
    'engine.split_dataset',
    'seg.datasets',
)
DATA_SAMPLERS = _child(
    root.DATA_SAMPLERS, 'engine.class_power_sampler', 'engine.paired_dataset'
)
TRANSFORMS = _child(
    root.TRANSFORMS,
    'cls.datasets.corrupt',
    'cls.datasets.pillow_views',
    'cls.datasets.transforms',
)
HOOKS = _child(root.HOOKS, 'engine.hooks')
METRICS = _child(root.METRICS, 'cls.evaluation', 'seg.evaluation')

# The losses know torch alone, so they are named here.
for _loss in (
    *(PaCoLoss, SupConLoss, MultiTaskLoss),
    *(BalancedSoftmaxLoss, ClassBalancedLoss, LDAMLoss, LabelAwareSmoothLoss),
    ResLTLoss,
    RIDELoss,
):
    MODELS.register_module(module=_loss)
