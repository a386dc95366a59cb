"""Per-view forwards, and the momentum encoder against the formula."""

import copy
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from support.scope import enter_scope

from mmpaco.engine.hooks import PaCoQueueHook
from mmpaco.losses import paco_loss

COUNTS = [30, 10, 3]


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


def classifier(**options):
    torch.manual_seed(0)
    config = dict(
        type='mmpaco.PaCoClassifier',
        backbone=dict(
            type='ResNet_CIFAR',
            depth=18,
            stem_channels=4,
            base_channels=4,
            num_stages=1,
            strides=(1,),
            dilations=(1,),
            out_indices=(0,),
        ),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='mmpaco.GPaCoHead',
            num_classes=3,
            in_channels=4,
            queue_length=8,
            projector=dict(
                type='mmpaco.Projector',
                num_layers=2,
                out_channels=5,
                norm_cfg=dict(type='BN1d'),
            ),
        ),
    )
    config.update(options)
    model = MODELS.build(config)
    model.init_weights()
    model.head.prior.set_class_counts(COUNTS)
    return model.train()


def batch(num_images=4, seed=1):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(2 * num_images, 3, 8, 8, generator=generator)
    labels = torch.randint(0, 3, (num_images,), generator=generator)
    samples = [DataSample().set_gt_label(int(x)) for x in labels]
    return images, samples * 2, labels


def test_views_are_forwarded_one_after_the_other():
    """Batch norm sees a view at a time, as running statistics show."""
    model = classifier()
    by_hand = copy.deepcopy(model)
    images, samples, _ = batch()
    model(images, samples, mode='loss')
    for view in images.chunk(2):
        by_hand.extract_feat(view)
    assert model.backbone.norm1.num_batches_tracked == 2
    torch.testing.assert_close(
        model.backbone.norm1.running_mean, by_hand.backbone.norm1.running_mean
    )
    assert model.momentum_encoder is None


def test_momentum_keys_and_weights_follow_the_papers():
    """Keys come from weights that were updated before the key forward."""
    momentum = 0.9
    model = classifier(momentum=momentum)
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=0.5
    )
    averaged = None
    for step in range(3):
        images, samples, labels = batch(seed=step)
        query = {
            name: value.detach().clone()
            for name, value in model._encoder().named_parameters()
        }
        averaged = (
            query
            if averaged is None
            else {
                name: momentum * averaged[name] + (1 - momentum) * value
                for name, value in query.items()
            }
        )
        before = copy.deepcopy(model)
        losses = model(images, samples, mode='loss')
        for name, value in model.momentum_encoder.module.named_parameters():
            torch.testing.assert_close(value, averaged[name])
            assert not value.requires_grad

        feats = before.extract_feat(images[:4])[-1]
        keys = model.momentum_encoder(images[4:])
        rows, row_labels = before.head.queue.contents()
        expected = paco_loss(
            before.head.projector(feats),
            labels,
            before.head.fc(feats),
            torch.cat([keys, rows]),
            torch.cat([labels, row_labels]),
            torch.tensor(COUNTS),
            alpha=0.05,
            temperature=0.2,
            impl='dense',
        )
        torch.testing.assert_close(losses['loss'], expected)

        staged, _ = model.head.queue.take_staged()
        torch.testing.assert_close(staged, keys)
        model.head.queue.append(staged, labels)
        optimizer.zero_grad()
        losses['loss'].backward()
        optimizer.step()
        model.end_iteration()


def test_momentum_encoder_moves_once_for_a_step_of_gathered_gradients():
    preprocessor = dict(type='mmpaco.MultiViewDataPreprocessor')
    model = classifier(momentum=0.9, data_preprocessor=preprocessor)
    optimizer = OptimWrapper(
        torch.optim.SGD(
            [p for p in model.parameters() if p.requires_grad], lr=0.5
        ),
        accumulative_counts=3,
    )
    hook = PaCoQueueHook()
    runner = SimpleNamespace(
        model=model, hooks=[], iter=0, optim_wrapper=optimizer
    )
    hook.before_train(runner)
    optimizer.initialize_count_status(model, 0, 6)
    averaged = {
        name: value.detach().clone()
        for name, value in model._encoder().named_parameters()
    }
    for step in range(6):
        images, samples, _ = batch(seed=step)
        loss = model(images, samples, mode='loss')['loss']
        for name, value in model.momentum_encoder.module.named_parameters():
            torch.testing.assert_close(value, averaged[name])
        optimizer.update_params(loss)
        hook.after_train_iter(runner, step)
        if step % 3 == 2:
            for name, value in model._encoder().named_parameters():
                averaged[name] = 0.9 * averaged[name] + 0.1 * value.detach()
    assert int(model.momentum_encoder.steps) == 1 + 2


def test_a_wrapper_that_gathers_by_itself_counts_as_a_step():
    hook = PaCoQueueHook()
    preprocessor = dict(type='mmpaco.MultiViewDataPreprocessor')
    model = classifier(momentum=0.9, data_preprocessor=preprocessor)
    runner = SimpleNamespace(
        model=model, hooks=[], iter=0, optim_wrapper=SimpleNamespace()
    )
    hook.before_train(runner)
    images, samples, _ = batch()
    model(images, samples, mode='loss')
    hook.after_train_iter(runner, 0)
    assert int(model.momentum_encoder.steps) == 2


def test_momentum_encoder_that_nobody_moves_is_told():
    model = classifier(momentum=0.9)
    images, samples, _ = batch()
    model(images, samples, mode='loss')
    model.head.queue.take_staged()
    with pytest.raises(RuntimeError, match='PaCoQueueHook.*end_iteration'):
        model(images, samples, mode='loss')
    # A validation between iterations is none.
    model.end_iteration()
    model.eval()(images, samples, mode='loss')
    model.train()(images, samples, mode='loss')


def test_query_side_gets_gradients_and_key_side_none():
    model = classifier(momentum=0.999)
    images, samples, _ = batch()
    model(images, samples, mode='loss')['loss'].backward()
    for name, parameter in model.named_parameters():
        if name.startswith('momentum_encoder'):
            assert parameter.grad is None
        else:
            assert parameter.grad is not None, name


def test_checkpoint_loads_in_the_stock_classifier_and_predicts_the_same():
    model = classifier(momentum=0.999)
    images, samples, _ = batch()
    model(images, samples, mode='loss')
    stock = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(
                type='ResNet_CIFAR',
                depth=18,
                stem_channels=4,
                base_channels=4,
                num_stages=1,
                strides=(1,),
                dilations=(1,),
                out_indices=(0,),
            ),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=3, in_channels=4),
        )
    )
    missing, unexpected = stock.load_state_dict(
        model.state_dict(), strict=False
    )
    assert not missing
    assert all(
        name.startswith(
            ('momentum_encoder', 'head.projector', 'head.queue', 'head.prior')
        )
        for name in unexpected
    )
    ours, theirs = (m.eval()(images, mode='tensor') for m in (model, stock))
    assert torch.equal(ours, theirs)


def test_batch_that_does_not_divide_by_the_views_is_refused():
    images, samples, _ = batch()
    for options in (dict(), dict(momentum=0.999)):
        with pytest.raises(ValueError, match='2 views'):
            classifier(**options)(images[:7], samples[:7], mode='loss')


def test_batch_of_single_views_is_refused():
    images, samples, _ = batch()
    samples = [copy.deepcopy(sample) for sample in samples]
    for options in (dict(), dict(momentum=0.999)):
        with pytest.raises(ValueError, match='MultiViewDataPreprocessor'):
            classifier(**options)(images, samples, mode='loss')


@pytest.mark.parametrize(
    'options, error, message',
    (
        (dict(momentum=1.0), ValueError, 'between 0 and 1'),
        (dict(momentum=0.0), ValueError, 'between 0 and 1'),
        (
            dict(
                momentum=0.999,
                head=dict(
                    type='mmpaco.GPaCoHead',
                    num_classes=3,
                    in_channels=4,
                    num_views=1,
                ),
            ),
            ValueError,
            'num_views=2',
        ),
        (
            dict(
                head=dict(type='LinearClsHead', num_classes=3, in_channels=4)
            ),
            TypeError,
            'GPaCoHead',
        ),
    ),
)
def test_bad_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        classifier(**options)
