"""Gradient norms of the classifier against plain autograd."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.registry import MODELS
from support.paths import CONFIGS as SHIPPED

from mmpaco.analysis.gradient_norm import (
    gradient_norms,
    plot_gradient_norms,
)
from mmpaco.cls.models import BBNClassifier
from mmpaco.runner.loaded_runner import loaded_runner

# SupCon's two stages train a classifier in the second alone, which needs a
# checkpoint of the first.
CONFIGS = sorted(
    str(path.relative_to(SHIPPED))
    for path in SHIPPED.glob('*/*lenet5_mnist5k-lt.py')
    if 'supcon' not in path.name
)


@MODELS.register_module(force=True)
class FrozenClassifierHead(LinearClsHead):
    def __init__(self, **options):
        super().__init__(**options)
        self.fc.requires_grad_(False)


@pytest.fixture
def tiny(tiny_config):
    """A tiny config and a checkpoint of one epoch."""
    folder = tiny_config()
    cfg = Config.fromfile(str(folder / 'tiny.py'))
    cfg.work_dir, cfg.experiment_name = str(folder / 'run'), folder.name
    cfg.train_cfg.max_epochs, cfg.train_cfg.val_interval = 1, 9
    Runner.from_cfg(cfg).train()
    return folder, folder / 'run' / 'epoch_1.pth'


def test_norms_are_those_of_the_loss_of_each_batch(tiny):
    """By hand: softmax minus one-hot, times the feature, per class."""
    folder, checkpoint = tiny
    found = gradient_norms(folder / 'tiny.py', checkpoint)

    cfg = Config.fromfile(str(folder / 'tiny.py'))
    with loaded_runner(cfg, checkpoint) as runner:
        model = runner.model.train()
        loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
        loader.sampler.set_epoch(0)
        expected = np.zeros(2)
        for batch in loader:
            batch = model.data_preprocessor(batch, training=True)
            labels = torch.cat([x.gt_label for x in batch['data_samples']])
            feats = model.extract_feat(batch['inputs'])[-1]
            scores = model.head.fc(feats)
            wrong = scores.softmax(1) - torch.eye(2)[labels]
            gradient = wrong.t() @ feats / len(labels)
            expected += gradient.norm(dim=1).detach().numpy()
    np.testing.assert_allclose(found, expected / len(loader), rtol=1e-4)


def test_every_kind_of_method_is_there():
    kinds = {name.split('_')[0] for name in CONFIGS}
    assert {
        'baselines/cross-entropy',
        'baselines/balanced-softmax',
        'gpaco/lenet5',
        'paco/lenet5',
    } <= kinds


@pytest.mark.parametrize('config', CONFIGS)
def test_every_method_has_norms_and_its_checkpoint_stays(
    mnist_config, tmp_path, config
):
    cfg = mnist_config(config)
    model = Runner.from_cfg(cfg).model
    model.init_weights()
    checkpoint = tmp_path / 'start.pth'
    torch.save({'state_dict': model.state_dict()}, checkpoint)
    before = checkpoint.read_bytes()
    norms = gradient_norms(cfg, checkpoint, max_iters=1)
    assert norms.shape == (10,)
    assert np.isfinite(norms).all() and (norms > 0).all()
    assert checkpoint.read_bytes() == before


def test_a_classifier_that_the_loss_does_not_reach_is_refused(tiny):
    folder, checkpoint = tiny
    cfg = Config.fromfile(str(folder / 'tiny.py'))
    cfg.model.head.loss = dict(type='CrossEntropyLoss', loss_weight=0.0)
    with pytest.raises(ValueError, match='second stage'):
        gradient_norms(cfg, checkpoint)
    cfg.model.head.type = 'FrozenClassifierHead'
    cfg.model.head.loss.loss_weight = 1.0
    with pytest.raises(ValueError, match='FrozenClassifierHead has no grad'):
        gradient_norms(cfg, checkpoint)
    with pytest.raises(ValueError, match='max_iters must be positive'):
        gradient_norms(cfg, checkpoint, max_iters=0)
    cfg.model.head = dict(
        type='StackedLinearClsHead',
        num_classes=2,
        in_channels=8,
        mid_channels=[4],
        topk=(1,),
    )
    with pytest.raises(ValueError, match='lacks .* head.layers'):
        gradient_norms(cfg, checkpoint)


def test_the_picture_sorts_the_classes_by_frequency(drawn, tmp_path):
    plot_gradient_norms(
        {'a': [1.0, 3.0, 2.0]}, [5, 100, 20], tmp_path / 'x.png'
    )
    (line,) = drawn[0].axes[0].lines
    assert list(line.get_ydata()) == [3.0, 2.0, 1.0]


def test_class_weights_are_those_with_which_the_training_ended(tiny):
    folder, checkpoint = tiny
    content = torch.load(checkpoint, weights_only=False)
    counts = torch.tensor([16, 6])
    content['state_dict']['head.loss_module.prior.class_counts'] = counts
    torch.save(content, checkpoint)
    norms = []
    # Of four epochs: without weights, with them, in the last one, never.
    for hooks in ([], [0], [3], [4]):
        cfg = Config.fromfile(str(folder / 'tiny.py'))
        cfg.train_dataloader.dataset.indices = 22
        cfg.model.head.loss = dict(
            type='mmpaco.ClassBalancedLoss', num_classes=2
        )
        if not hooks:
            cfg.model.head.loss.beta = 0
        cfg.custom_hooks = [
            dict(type='mmpaco.ClassPriorHook'),
            *(
                dict(type='mmpaco.DeferredReweightingHook', epoch=epoch)
                for epoch in hooks
            ),
        ]
        # Where iterations are counted, too.
        norms.append(gradient_norms(cfg, checkpoint, max_iters=3))
    plain, weighted, deferred, never = norms
    np.testing.assert_array_equal(weighted, deferred)
    np.testing.assert_allclose(never, plain, rtol=1e-5)
    assert not np.allclose(plain, weighted)


def test_branches_are_mixed_as_in_the_last_epoch(tiny_config, tmp_path):
    tiny_config()
    cfg = Config.fromfile(str(tmp_path / 'tiny.py'))
    cfg.merge_from_dict(
        {
            'model.type': 'mmpaco.BBNClassifier',
            'model.data_preprocessor.type': 'mmpaco.MultiViewDataPreprocessor',
            'model.backbone.type': 'mmpaco.MultiExpertResNetCIFAR',
            'model.backbone.num_experts': 2,
            'model.backbone.own_blocks': 1,
            'model.backbone.joined': True,
            'model.head.in_channels': 16,
            'custom_hooks': [dict(type='mmpaco.BBNProgressHook', epochs=5)],
            'val_cfg': None,
            'val_dataloader': None,
            'val_evaluator': None,
            'work_dir': str(tmp_path / 'run'),
            'experiment_name': tmp_path.name,
        }
    )
    loader = cfg.train_dataloader
    loader.sampler = dict(type='mmpaco.PairSampler')
    loader.dataset = dict(type='mmpaco.PairedDataset', dataset=loader.dataset)
    Runner.from_cfg(cfg).train()
    shares = []

    def note(self, *inputs):
        shares.append(self.progress)
        return plain(self, *inputs)

    plain = BBNClassifier.loss
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BBNClassifier, 'loss', note)
        for iters in (None, 3):
            norms = gradient_norms(
                cfg, tmp_path / 'run/epoch_4.pth', max_iters=iters
            )
            assert np.isfinite(norms).all() and norms.min() > 0
    # The fourth of five epochs, of 8 iterations and of 3.
    assert shares == 11 * [3 / 5]
