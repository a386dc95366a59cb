"""The pipelines of the configs, and their steps."""

from mmcv.transforms import Compose
from mmengine.config import Config

from support.paths import CONFIGS

PIPELINES = CONFIGS / '_base_/pipelines'
VARIABLES = {
    'sim_224': 'sim',
    'randaug_n2-m10_224': 'randaug',
    'randaug_n3-m10_224': 'randaug',
    'randaug_n5-m10_224': 'randaug',
    'randaug-stack_n2-m10_224': 'randaug_stack',
    'randaug-stack_n3-m10_224': 'randaug_stack',
    'randaug-stack_n3-m12_224': 'randaug_stack',
    'randaug-stack_n5-m10_224': 'randaug_stack',
    'randaug-stack_n12-m10_224': 'randaug_stack',
    'mae_224': 'mae',
    'cifar_autoaug-cutout': 'autoaug_cutout',
    'cifar_sim': 'cifar_sim',
    'cifar_sim_blur0.2': 'cifar_sim',
    'cifar_crop-flip': 'crop_flip',
    'cifar_crop-flip-rotate': 'crop_flip_rotate',
    'crop-flip_224': 'crop_flip',
    'crop-flip-bicubic_224': 'crop_flip_bicubic',
    'jitter_224': 'jitter',
    'test_224': 'test_view',
    'test-bicubic_224': 'test_bicubic',
}


def load(name):
    return Config.fromfile(str(PIPELINES / f'{name}.py'))


def config(name):
    return load(name)[VARIABLES[name]]


def build(name):
    return Compose(config(name)).transforms


def kind(step):
    """Name a step, without the wrapper of torchvision's."""
    return type(getattr(step, 't', step)).__name__


def find(name, wanted):
    (step,) = (step for step in build(name) if kind(step) == wanted)
    return step
