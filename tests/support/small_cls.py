"""Images in the layouts of the classification sets, and options for them."""

import pickle

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmpretrain.datasets import CIFAR100
from mmpretrain.registry import MODELS

from mmpaco.cls.datasets.cifar_lt import CIFAR100LT
from mmpaco.cls.datasets.image_list import ImageNetLT, ListFacts, PlacesLT
from mmpaco.cls.datasets.inaturalist import INaturalist2018
from support.paths import CONFIGS
from support.released_settings import BACKBONES, CIFAR_RESNET50
from support.released_settings import DATA as SETTINGS
from support.scope import enter_scope

DATA = ('imagenet-lt', 'places-lt', 'inaturalist2018', 'imagenet')
CIFAR = ('cifar100-lt-if100', 'cifar100-lt-if50', 'cifar100-lt-if10')
NAMES = sorted(
    path.relative_to(CONFIGS).with_suffix('').as_posix()
    for kind in ('gpaco', 'paco', 'baselines')
    for path in (CONFIGS / kind).glob('*.py')
    if set(path.stem.split('_')) & {*DATA, *CIFAR, 'cifar100'}
)
TRANSFORMERS = [name for name in NAMES if 'vit-' in name]
NAMES = [name for name in NAMES if name not in TRANSFORMERS]
# As released, and in the papers' setting; tests/projects has the small ones.
COMPARED = sorted(
    path.relative_to(CONFIGS).with_suffix('').as_posix()
    for path in (CONFIGS / 'compared').glob('*.py')
    if 'tiny-imagenet100' not in path.stem
)
LISTS = {
    'imagenet-lt': (ImageNetLT, 1000),
    'places-lt': (PlacesLT, 365),
    'inaturalist2018': (INaturalist2018, 8142),
}


def load(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def parts_of(name):
    """The backbone and the data that a config's name names."""
    parts = name.rpartition('/')[2].split('_')
    (place,) = (
        i
        for i, part in enumerate(parts)
        if part in (*DATA, *CIFAR, 'cifar100')
    )
    return parts[place - 1], parts[place]


def data_of(name):
    """The data that a config's name names, without the factor."""
    data = parts_of(name)[1]
    return 'cifar100-lt' if data in CIFAR else data


def views_of(cfg):
    """The pipeline file of each view."""
    (transform,) = (
        step
        for step in cfg.train_dataloader.dataset.pipeline
        if step['type'] == 'MultiView'
    )
    steps = transform['transforms']
    if transform['num_views'] == 2:
        steps = steps * 2
    else:
        assert transform['num_views'] == [1, 1]
    return steps


def pipeline(name):
    cfg = Config.fromfile(CONFIGS / f'_base_/pipelines/{name}.py')
    (steps,) = cfg.values()
    return steps


def build(cfg, name):
    """Build a model at full size, and check its size."""
    model = MODELS.build(cfg.model)
    backbone, _ = parts_of(name)
    expected = BACKBONES[backbone]
    if name.endswith('resnet50_cifar100'):
        expected = CIFAR_RESNET50
    assert sum(p.numel() for p in model.backbone.parameters()) == expected
    classes, channels = model.head.fc.weight.shape
    assert classes == SETTINGS[data_of(name)][0]
    assert channels == (64 if backbone == 'resnet32' else 2048)

    # Everything that is trained decays alike.
    optimizer = build_optim_wrapper(
        model, {**cfg.optim_wrapper, 'type': 'OptimWrapper'}
    )
    (group,) = optimizer.param_groups
    assert group['weight_decay'] == cfg.optim_wrapper.optimizer.weight_decay
    assert not group['nesterov']
    assert {id(p) for p in model.parameters() if p.requires_grad} <= {
        id(p) for p in group['params']
    }
    return model


def jpegs():
    """Endless small photographs, of four kinds."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (4, 4, 5, 3), np.uint8)
    kinds = []
    for image in coarse:
        image = cv2.resize(image, (50, 40), interpolation=cv2.INTER_CUBIC)
        kinds.append(cv2.imencode('.jpg', image)[1].tobytes())
    while True:
        yield from kinds


def write_lists(root, data):
    """An image of each class to train, four to validate, four to test."""
    dataset, num_classes = LISTS[data]
    images = jpegs()
    for split, facts in dataset.SPLITS.items():
        lines = []
        for label in range(num_classes if split == 'train' else 4):
            name = f'images/{label}/{split}.JPEG'
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(next(images))
            lines.append(f'{name} {label}')
        (root / facts.ann_file).write_text('\n'.join(lines) + '\n')


def write_imagenet(root):
    images = jpegs()
    for split in ('train', 'val'):
        for label in range(1000):
            folder = root / split / f'n{label:08}'
            folder.mkdir(parents=True)
            (folder / f'{split}_{label}.JPEG').write_bytes(next(images))


def write_cifar100(root):
    """Files of CIFAR-100 with 100 images a class to train."""
    rng = np.random.default_rng(0)
    folder = root / 'cifar-100-python'
    folder.mkdir()
    tile = rng.integers(0, 256, (100, 3072), np.uint8)
    for split, per_class in (('train', 100), ('test', 1)):
        batch = dict(
            data=np.tile(tile, (per_class, 1)),
            fine_labels=list(range(100)) * per_class,
        )
        (folder / split).write_bytes(pickle.dumps(batch))


def write(root, data):
    if data in LISTS:
        write_lists(root, data)
    elif data == 'imagenet':
        write_imagenet(root)
    else:
        write_cifar100(root)


def believe(monkeypatch, data):
    """Let the datasets take what was written for what was published."""
    if data in LISTS:
        dataset, _ = LISTS[data]
        facts = {
            split: ListFacts(published.ann_file, *(None,) * 3)
            for split, published in dataset.SPLITS.items()
        }
        monkeypatch.setattr(dataset, 'SPLITS', facts)
    for dataset in (CIFAR100, CIFAR100LT):
        for name in ('train_list', 'test_list'):
            files = [[file, None] for file, _ in getattr(dataset, name)]
            monkeypatch.setattr(dataset, name, files)


def write_first_stage(model, path):
    """Write a checkpoint of a first stage, with a number for each weight."""
    enter_scope('mmpretrain')
    shapes = MODELS.build({**model, 'pretrained': None}).state_dict()
    state = {
        name: torch.tensor(0.01 + name.endswith('running_var')).expand(x.shape)
        for name, x in shapes.items()
        if name.startswith(('backbone.', 'head.fc.'))
    }
    torch.save({'state_dict': state}, path)


def small_options(name, root):
    """Options for two iterations of two images.

    The model keeps its size, but for ViT-L: its optimizer alone takes 5 GB.
    """
    cfg = load(name)
    options = {
        'train_cfg.max_epochs': 1,
        'default_hooks.logger.interval': 1,
        'optim_wrapper.type': 'OptimWrapper',
        'model.backbone.init_cfg': None,
    }
    if 'vit-large' in name:
        options['model.backbone.arch'] = 'deit-tiny'
        options['model.head.in_channels'] = 192
    if 'pretrained' in cfg.model:
        path = f'{root}/{name.replace("/", "_")}.pth'
        write_first_stage(cfg.model, path)
        options['model.pretrained'] = path
    for split, images in (('train', 4), ('val', 2), ('test', 2)):
        loader = f'{split}_dataloader'
        if cfg.get(loader) is None:
            continue
        dataset = f'{loader}.dataset'
        if 'dataset' in cfg[loader].dataset:
            dataset += '.dataset'
        options[f'{dataset}.data_root'] = root
        options[f'{dataset}.indices'] = images
        options[f'{loader}.batch_size'] = 2
        options[f'{loader}.num_workers'] = 0
        options[f'{loader}.persistent_workers'] = False
        if split != 'train' and 'train_dataset' in cfg[f'{split}_evaluator']:
            evaluator = f'{split}_evaluator.train_dataset'
            options[f'{evaluator}.data_root'] = root
    return options
