"""The papers' views are those of the shipped configs."""

import pytest
from mmengine.config import Config
from support.paths import CONFIGS

from mmpaco.methods import Refusal
from mmpaco.methods.views import own_views, papers_views

LOAD, PACK = dict(type='LoadImageFromFile'), dict(type='PackInputs')
CROP = dict(type='RandomResizedCrop', scale=224)


def shipped(name):
    path = CONFIGS / f'_base_/pipelines/two_views/{name}.py'
    return Config.fromfile(path).train_pipeline


@pytest.mark.parametrize(
    'dataset, name',
    [
        (
            dict(type='ImageNet', pipeline=[LOAD, CROP, PACK]),
            'randaug_n2-m10_sim',
        ),
        (
            dict(
                type='CIFAR10',
                pipeline=[dict(type='RandomCrop', crop_size=32), PACK],
            ),
            'cifar_autoaug-cutout_sim',
        ),
    ],
)
def test_papers_views_are_those_of_the_papers_configs(dataset, name):
    views = papers_views(dataset)
    assert views.settings['pipeline'] == shipped(name)
    for file in views.bases:
        assert (CONFIGS / file).is_file()


def test_papers_views_have_the_size_of_the_config():
    crop = dict(type='RandomResizedCrop', scale=(384, 384))
    dataset = dict(type='ImageNet', pipeline=[LOAD, crop, PACK])
    transforms = papers_views(dataset).settings['pipeline'][1]['transforms']
    sizes = [x['size'] for view in transforms for x in view if 'size' in x]
    assert sizes == [384, 384]


def test_papers_views_need_a_size():
    flip = dict(type='RandomFlip', prob=0.5)
    with pytest.raises(Refusal, match='how large its images are'):
        papers_views(dict(type='ImageNet', pipeline=[LOAD, flip, PACK]))


def test_own_views_are_the_transforms_between_loading_and_packing():
    views = own_views(dict(type='ImageNet', pipeline=[LOAD, CROP, PACK]))
    assert views.settings['pipeline'] == [
        LOAD,
        dict(type='MultiView', num_views=2, transforms=[[CROP]]),
        PACK,
    ]
    assert 'RandomResizedCrop' in views.decision
