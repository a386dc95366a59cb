"""GPaCo around the heads of mmpretrain that have layers of their own."""

import copy

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from support.scope import enter_scope

from mmpaco.losses import paco_loss

COUNTS = [30, 10, 3]
CHANNELS = dict(num_classes=3, in_channels=8)
HEADS = {
    'LinearClsHead': CHANNELS,
    'VisionTransformerClsHead': dict(**CHANNELS, hidden_dim=6),
    # A hidden layer with as many outputs as there are classes.
    'StackedLinearClsHead': dict(**CHANNELS, mid_channels=[3]),
    'VigClsHead': dict(**CHANNELS, hidden_dim=6),
    'LeViTClsHead': dict(**CHANNELS, distillation=False),
    'EfficientFormerClsHead': dict(**CHANNELS, distillation=False),
    'ConformerHead': dict(num_classes=3, in_channels=[8, 5]),
}


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


def build(name, **options):
    torch.manual_seed(0)
    head = MODELS.build(
        dict(
            type='mmpaco.GPaCoStockHead',
            stock_head=dict(type=name, **HEADS[name]),
            queue_length=0,
            **options,
        )
    )
    head.init_weights()
    # Some heads begin with zeros.
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    if head.prior is not None:
        head.prior.set_class_counts(COUNTS)
    return head


def batch(name, rows=8):
    feats = torch.randn(rows, 8)
    if name == 'ConformerHead':
        feats = [feats, torch.randn(rows, 5)]
    samples = [DataSample().set_gt_label(i % 3) for i in range(rows // 2)]
    return (feats,), samples * 2


@pytest.mark.parametrize('name', HEADS)
def test_centers_are_the_classifier_of_the_other_head(name):
    """The loss is that of the formula, on what that head computes."""
    head = build(name).eval()
    stock = MODELS.build(dict(type=name, **HEADS[name])).eval()
    stock.load_state_dict(head.state_dict(), strict=False)
    # Its weights have the names that the other head has.
    assert set(stock.state_dict()) <= set(head.state_dict())
    feats, samples = batch(name)
    features = head.pre_logits(feats)
    if name != 'LeViTClsHead':
        # Whose classifier begins with a norm.
        expected = stock.pre_logits(feats)
        if isinstance(expected, list):
            expected = torch.cat(expected, 1)
        torch.testing.assert_close(features, expected)
    assert features.shape == (8, head.in_channels)
    scores = stock(feats)
    for one, other in zip(scores, head(feats)):
        torch.testing.assert_close(one, other)
    if isinstance(scores, tuple):
        scores = sum(scores)
    loss = paco_loss(
        head.projector(features),
        torch.cat([x.gt_label for x in samples]),
        scores,
        class_counts=torch.tensor(COUNTS),
        alpha=0.05,
        temperature=0.2,
    )
    torch.testing.assert_close(head.loss(feats, samples)['loss'], loss)
    for one, other in zip(
        head.predict(feats, copy.deepcopy(samples)),
        stock.predict(feats, copy.deepcopy(samples)),
    ):
        torch.testing.assert_close(one.pred_score, other.pred_score)


@pytest.mark.parametrize('name', HEADS)
def test_every_weight_trains(name):
    head = build(name).train()
    feats, samples = batch(name)
    head.loss(feats, samples)['loss'].backward()
    assert all(x.grad is not None for x in head.parameters())


@pytest.mark.parametrize('hidden', (5, 3))
def test_supcon_freezes_the_classifier_alone(hidden, monkeypatch):
    # A hidden layer may be as large as there are classes.
    name = 'VisionTransformerClsHead'
    monkeypatch.setitem(HEADS, name, dict(HEADS[name], hidden_dim=hidden))
    head = build(name, loss=dict(type='mmpaco.SupConLoss', temperature=0.1))
    frozen = [x for x, p in head.named_parameters() if not p.requires_grad]
    assert frozen == ['layers.head.weight', 'layers.head.bias']


def test_the_other_head_goes_along():
    """A copy is whole, in mode, type and weights."""
    head = build('StackedLinearClsHead')
    feats, _ = batch('StackedLinearClsHead')
    twin = copy.deepcopy(head)
    with torch.no_grad():
        head.layers[-1].fc.weight.zero_()
    assert not torch.equal(twin(feats), head(feats))
    twin.double().eval()
    assert not twin.inner.head.training
    assert twin((feats[0].double(),)).dtype == torch.float64


def test_initialisation_is_that_of_the_other_head():
    """It reaches the classifier, and not the projector."""
    torch.manual_seed(0)
    head = MODELS.build(
        dict(
            type='mmpaco.GPaCoStockHead',
            stock_head=dict(type='VisionTransformerClsHead', **CHANNELS),
        )
    )
    head.init_weights()
    assert not head.layers.head.weight.any()
    assert head.projector.last.weight.std() > 0.1


def test_a_momentum_encoder_has_the_layers_before_the_classifier():
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='mmpaco.PaCoClassifier',
            momentum=0.9,
            backbone=dict(
                type='VisionTransformer',
                arch=dict(
                    embed_dims=8,
                    num_layers=1,
                    num_heads=2,
                    feedforward_channels=8,
                ),
                img_size=16,
                patch_size=8,
            ),
            head=dict(
                type='mmpaco.GPaCoStockHead',
                stock_head=dict(
                    type='VisionTransformerClsHead', **CHANNELS, hidden_dim=6
                ),
                queue_length=0,
            ),
        )
    )
    model.init_weights()
    model.head.prior.set_class_counts(COUNTS)
    assert isinstance(model.momentum_encoder, ExponentialMovingAverage)
    images = torch.randn(8, 3, 16, 16)
    samples = [DataSample().set_gt_label(i % 3) for i in range(4)] * 2
    model(images, samples, mode='loss')['loss'].backward()
    with torch.no_grad():
        keys = model.momentum_encoder(images)
        feats = model.extract_feat(images)
        expected = model.head.projector(model.head.pre_logits(feats))
    torch.testing.assert_close(keys, expected)


def test_views_of_several_features_are_joined():
    from mmpaco.cls.models.paco_classifier import _join

    views = [[torch.full((2, 3), x), torch.full((2, 1), x)] for x in (0.0, 1)]
    joined = _join(views)
    assert [x.shape for x in joined] == [(4, 3), (4, 1)]
    assert joined[0][:, 0].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    'config, told',
    [
        (
            dict(type='ArcFaceClsHead', **CHANNELS),
            'not what its linear layers give',
        ),
        (dict(type='ClsHead'), 'no linear classifier'),
        (
            dict(type='EfficientFormerClsHead', **CHANNELS),
            'not what its linear layers give',
        ),
        (dict(type='mmpaco.Projector', in_channels=3), 'ends with a linear'),
    ],
)
def test_a_head_without_a_linear_classifier_is_an_error(config, told):
    with pytest.raises(TypeError, match=told):
        head = MODELS.build(
            dict(type='mmpaco.GPaCoStockHead', stock_head=config)
        )
        head.loss(*batch('LinearClsHead'))
