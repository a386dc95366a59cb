"""A method put on any config, by a function from config to settings.

``classification``, ``classifier_losses``, ``deferred_weights``,
``classifier_branches``, ``experts``, ``second_stages`` and ``segmentation``
hold the methods; a new one is a function under ``@method(...)`` there.
``tools/apply_method.py`` and ``mmpaco.comparison`` call them. Nothing here
imports torch.
"""

from . import (  # noqa: F401
    classification,
    classifier_branches,
    classifier_losses,
    deferred_weights,
    experts,
    second_stages,
    segmentation,
)
from .base import (
    Facts,
    Method,
    Options,
    Plan,
    Refusal,
    WrongSetting,
    find_method,
    method,
    methods,
    toolbox_of,
)

__all__ = [
    'Facts',
    'Method',
    'Options',
    'Plan',
    'Refusal',
    'WrongSetting',
    'find_method',
    'method',
    'methods',
    'toolbox_of',
]
