"""The classifiers of experts."""

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from support.scope import enter_scope

from mmpaco.cls.models import CosineClsHead, MultiExpertClsHead


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


def head(num_classes=5, in_channels=6, **options):
    torch.manual_seed(0)
    loss = dict(
        type='mmpaco.RIDELoss', num_classes=5, class_counts=[9, 5, 3, 2, 1]
    )
    options = {'loss': loss, **options}
    return MultiExpertClsHead(num_classes, in_channels, **options)


def features(experts=3, images=4):
    torch.manual_seed(1)
    return tuple(torch.randn(experts, images, 6))


def samples(labels=(0, 1, 4, 2)):
    return [DataSample().set_gt_label(x) for x in labels]


def test_each_expert_has_the_cosines_of_a_head_of_one():
    found, feats = head(), features()
    scores = found.expert_scores(feats)
    assert scores.shape == (3, 4, 5)
    for k in range(3):
        one = CosineClsHead(5, 6)
        one.fc.weight.data.copy_(found.fc[k].weight)
        assert torch.equal(scores[k], one((feats[k],)))
    assert torch.equal(found(feats), scores.mean(0))
    weights = {str(x.weight.tolist()) for x in found.fc}
    assert len(weights) == 3


def test_prediction_is_that_of_the_mean():
    found, feats = head(), features()
    scores = found.expert_scores(feats).mean(0).softmax(1)
    predicted = found.predict(feats)
    for row, sample in zip(scores, predicted):
        torch.testing.assert_close(sample.pred_score, row)
        assert sample.pred_label.item() == row.argmax()


def test_a_loss_of_experts_sees_each_and_another_the_mean():
    found, feats = head(cal_acc=True), features()
    labels = torch.tensor([0, 1, 4, 2])
    scores = found.expert_scores(feats)
    losses = found.loss(feats, samples())
    assert losses['loss'] == found.loss_module(scores, labels)
    right = (scores.mean(0).argmax(1) == labels).float().mean() * 100
    assert losses['accuracy_top-1'].item() == pytest.approx(right.item())
    plain = head(loss=dict(type='CrossEntropyLoss'))
    expected = torch.nn.functional.cross_entropy(scores.mean(0), labels)
    torch.testing.assert_close(plain.loss(feats, samples())['loss'], expected)
    # One image of three experts is not three images.
    one = features(images=1)
    assert found.loss(one, samples([3]))['loss'] == found.loss_module(
        found.expert_scores(one), torch.tensor([3])
    )


def test_mixed_labels_are_refused_and_not_overlooked():
    mixed = [x.set_gt_score(torch.full((5,), 0.2)) for x in samples()]
    with pytest.raises(ValueError, match='one class for each image'):
        head().loss(features(), mixed)
    plain = head(loss=dict(type='CrossEntropyLoss'))
    assert plain.loss(features(), mixed)['loss'].isfinite()


@pytest.mark.parametrize('experts', (1, 2))
def test_features_of_another_number_of_experts_are_refused(experts):
    with pytest.raises(ValueError, match=f'but got {experts} features'):
        head()(features(experts))


def test_features_must_be_pooled():
    maps = tuple(x[:, :, None, None] for x in features())
    with pytest.raises(ValueError, match='GlobalAveragePooling'):
        head()(maps)


@pytest.mark.parametrize(
    'options, told',
    [
        (dict(scale=16.0), 'scale must be positive, and that of the loss'),
        (dict(num_experts=0), 'must be positive'),
        (dict(in_channels=0), 'must be positive'),
    ],
)
def test_what_is_out_of_range_is_refused(options, told):
    with pytest.raises(ValueError, match=told):
        head(**options)


def test_one_expert_is_the_classifier_of_ldam():
    """With the network of one, as RIDE without diversity."""

    def model(backbone, kind, loss, **options):
        return MODELS.build(
            dict(
                type='ImageClassifier',
                backbone=dict(type=backbone, depth=20, **options),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(
                    type=kind,
                    num_classes=5,
                    in_channels=64,
                    loss=dict(
                        type=loss,
                        num_classes=5,
                        class_counts=[9, 5, 3, 2, 1],
                    ),
                    **options,
                ),
            )
        )

    plain = model(
        'mmpaco.CIFARResNet', 'mmpaco.CosineClsHead', 'mmpaco.LDAMLoss'
    )
    ride = model(
        *('mmpaco.MultiExpertCIFARResNet', 'mmpaco.MultiExpertClsHead'),
        'mmpaco.RIDELoss',
        num_experts=1,
    )
    state = {}
    for key, x in plain.state_dict().items():
        for stage in ('layer2', 'layer3'):
            key = key.replace(f'{stage}.', f'{stage}.experts.0.')
        state[key.replace('head.fc.', 'head.fc.0.')] = x
    ride.load_state_dict(state)
    images, labels = torch.randn(4, 3, 32, 32), samples()
    found, expected = (
        x.train().loss(images, labels)['loss'] for x in (ride, plain)
    )
    assert found == expected
