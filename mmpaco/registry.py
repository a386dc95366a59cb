"""Child registries of mmengine's, in the scope 'mmpaco'.

In a config every type is written ``'mmpaco.X'``; it resolves from any scope,
because mmengine imports this module and then the rooms named below. A room
whose host package is not installed is left out.
"""

from importlib.util import find_spec

from mmpaco.compat import check_stack

# Before the first import of a stack that may be a broken mixture.
check_stack()

from mmengine import registry as root  # noqa: E402

from mmpaco.losses import (  # noqa: E402
    BalancedSoftmaxLoss,
    MultiTaskLoss,
    PaCoLoss,
    SupConLoss,
)

_LOCATIONS = ['mmpaco.engine'] + [
    room
    for host, room in (('mmpretrain', 'mmpaco.cls'), ('mmseg', 'mmpaco.seg'))
    if find_spec(host) is not None
]


def _child(parent: root.Registry, *locations: str) -> root.Registry:
    return root.Registry(
        parent.name,
        parent=parent,
        scope='mmpaco',
        locations=[*_LOCATIONS, *locations],
    )


MODELS = _child(root.MODELS)
MODEL_WRAPPERS = _child(root.MODEL_WRAPPERS)
# Apart from the rooms, since the datasets of some versions of mmpretrain and
# mmseg print when they are imported: looking up a loss or a head should not.
DATASETS = _child(
    root.DATASETS,
    *(
        datasets
        for room, datasets in (
            ('mmpaco.cls', 'mmpaco.cls.datasets.image_list'),
            ('mmpaco.cls', 'mmpaco.cls.datasets.cifar_lt'),
            ('mmpaco.seg', 'mmpaco.seg.datasets'),
        )
        if room in _LOCATIONS
    ),
)
# These, too, import mmpretrain's datasets.
TRANSFORMS = _child(
    root.TRANSFORMS,
    *(['mmpaco.cls.transforms'] if 'mmpaco.cls' in _LOCATIONS else ()),
)
HOOKS = _child(root.HOOKS)
METRICS = _child(root.METRICS)

# The losses know torch alone, so they are named here.
for _loss in (PaCoLoss, BalancedSoftmaxLoss, SupConLoss, MultiTaskLoss):
    MODELS.register_module(module=_loss)
