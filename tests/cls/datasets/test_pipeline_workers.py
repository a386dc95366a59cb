"""Random views in the worker processes of a data loader."""

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from sklearn.datasets import load_sample_image
from support.view_pipelines import config
from torch.utils.data import Dataset


class SameImage(Dataset):
    """Eight times one image, with RandAugment or AutoAugment."""

    def __init__(self, name):
        self.view = Compose(config(name))
        self.image = load_sample_image('flower.jpg')[200:232, 300:332]

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return dict(view=self.view(dict(img=self.image))['img'])


@pytest.mark.parametrize(
    'name', ['randaug_n5-m10_224', 'cifar_autoaug-cutout']
)
def test_draws_differ_between_workers_and_epochs(name):
    init_default_scope('mmpretrain')
    loader = Runner.build_dataloader(
        dict(
            batch_size=1,
            num_workers=2,
            persistent_workers=True,
            dataset=SameImage(name),
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        ),
        seed=0,
    )
    views = [batch['view'].numpy() for _ in range(2) for batch in loader]
    assert len(views) == 16
    for i, view in enumerate(views):
        for other in views[:i]:
            assert not np.array_equal(view, other)
