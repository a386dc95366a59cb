"""Settings of the papers' classification runs, typed from their scripts."""

from typing import NamedTuple


class Run(NamedTuple):
    """What the tables of the release's settings give for a run."""

    gpus: int
    batch: int
    lr: float
    decay: float
    alpha: float
    tau: float
    views: tuple[str, str]
    queue: int = 8192
    dim: int = 128
    smoothing: float = 0.0
    amp: bool = False


RA = 'randaug_n{}-m10_224'.format
STACK = 'randaug-stack_n{}-m10_224'.format
SIM = 'sim_224'
CUT, CSIM = 'cifar_autoaug-cutout', 'cifar_sim'
CIFAR_LT = {
    'gpaco': Run(
        *(1, 128, 0.05, 5e-4, 0.01, 0.07),
        *((CUT, 'cifar_sim_blur0.2'), 1024, 128),
    ),
    'paco': Run(1, 128, 0.05, 5e-4, 0.01, 0.05, (CUT, CSIM), 1024, 32),
}
RUNS = {
    'gpaco/resnet50_imagenet-lt': Run(
        4, 128, 0.04, 5e-4, 0.045, 0.2, (RA(2), STACK(2))
    ),
    'gpaco/resnext50-32x4d_imagenet-lt': Run(
        4, 128, 0.06, 5e-4, 0.05, 0.2, (RA(3), STACK(3))
    ),
    'gpaco/resnext101-32x4d_imagenet-lt': Run(
        4, 128, 0.06, 5e-4, 0.05, 0.2, (RA(5), STACK(5))
    ),
    'paco/resnet50_imagenet-lt': Run(
        4, 128, 0.02, 5e-4, 0.05, 0.2, (RA(2), SIM)
    ),
    'paco/resnext50-32x4d_imagenet-lt': Run(
        4, 128, 0.02, 5e-4, 0.05, 0.07, (STACK(2), SIM)
    ),
    'paco/resnext101-32x4d_imagenet-lt': Run(
        4, 128, 0.03, 5e-4, 0.05, 0.2, (STACK(3), SIM)
    ),
    'gpaco/resnet50_inaturalist2018': Run(
        8, 128, 0.04, 1e-4, 0.05, 0.2, (RA(2), SIM)
    ),
    'gpaco/resnet152_inaturalist2018': Run(
        4, 128, 0.04, 1e-4, 0.05, 0.2, (RA(2), SIM)
    ),
    'paco/resnet50_inaturalist2018': Run(
        4, 128, 0.02, 1e-4, 0.05, 0.2, (RA(2), SIM)
    ),
    'paco/resnet152_inaturalist2018': Run(
        4, 128, 0.02, 1e-4, 0.05, 0.2, (RA(2), SIM)
    ),
    'gpaco/resnet152_places-lt': Run(
        4, 128, 0.02, 5e-4, 0.02, 0.2, (SIM, SIM), amp=True
    ),
    'paco/resnet152_places-lt': Run(
        4, 128, 0.02, 5e-4, 0.05, 0.2, (SIM, SIM), amp=True
    ),
    'gpaco/resnet50_cifar100': Run(
        1, 128, 0.05, 5e-4, 0.01, 0.07, (CSIM, CSIM), 1024
    ),
    'paco/resnet50_cifar100': Run(
        1, 256, 0.1, 5e-4, 0.008, 0.07, (CSIM, CSIM), 1024
    ),
    'gpaco/resnet50_imagenet': Run(
        8, 512, 0.08, 1e-4, 0.05, 0.2, (RA(2), STACK(2)), smoothing=0.1
    ),
    'paco/resnet50_imagenet': Run(4, 256, 0.04, 1e-4, 0.05, 0.2, (RA(2), SIM)),
    # Named by the paper alone.
    'paco/resnet50_imagenet_sim': Run(
        4, 256, 0.04, 1e-4, 0.05, 0.2, (SIM, SIM)
    ),
    'paco/resnet101_imagenet': Run(
        4, 256, 0.04, 1e-4, 0.05, 0.2, (RA(2), SIM)
    ),
    'paco/resnet200_imagenet': Run(
        *(4, 256, 0.04, 1e-4, 0.05, 0.2),
        *(('randaug-stack_n3-m12_224', SIM),),
        amp=True,
    ),
    **{
        f'{kind}/resnet32_cifar100-lt-if{factor}': CIFAR_LT[kind]
        for kind in ('gpaco', 'paco')
        for factor in (100, 50, 10)
    },
}
# Classes, mean and deviation of a channel (of 1), whether an epoch is chosen.
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
CIFAR = ([0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010])
DATA = {
    'imagenet-lt': (1000, IMAGENET, True),
    'places-lt': (365, IMAGENET, True),
    'inaturalist2018': (
        8142,
        ([0.466, 0.471, 0.380], [0.195, 0.194, 0.192]),
        False,
    ),
    'imagenet': (1000, IMAGENET, False),
    'cifar100': (100, CIFAR, False),
    'cifar100-lt': (100, CIFAR, False),
}
# Parameters of a backbone; of the large ones torchvision's without classifier.
BACKBONES = {
    'resnet50': 23_508_032,
    'resnet101': 42_500_160,
    'resnet152': 58_143_808,
    'resnet200': 62_624_832,
    'resnext50-32x4d': 22_979_904,
    'resnext101-32x4d': 42_128_704,
    'resnet32': 463_504,
}
# Of two branches, whose last block is there twice.
TWO_BRANCHES = {'resnet32': 537_488, 'resnet50': 27_970_624}
# Of the stem of 7 x 7 pixels, one of 3 x 3 is left.
CIFAR_RESNET50 = 23_508_032 - 64 * 3 * (49 - 9)
