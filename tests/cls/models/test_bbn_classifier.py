"""The two branches of BBN, against its release."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmpretrain import ImageClassificationInferencer
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from support.released_losses import CLOSE, FEATURES, LABELS, figures, wave
from support.scope import enter_scope

from mmpaco.cls.models.expert_stages import MultiExpertBase

RARE = LABELS.flip(0)
SHIFTED = wave(8, 6, lambda x: torch.sin(x + 0.5))
CENTERS = wave(5, 12, torch.cos, 0.9, 0.4)
NET = dict(
    type='mmpaco.MultiExpertCIFARResNet',
    depth=20,
    num_experts=2,
    own_blocks=1,
    joined=True,
)
PAIRS = dict(type='mmpaco.MultiViewDataPreprocessor')


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


@MODELS.register_module(force=True)
class GivenFeatures(MultiExpertBase):
    """Its images are features already."""

    def __init__(self, num_experts=2, joined=True):
        torch.nn.Module.__init__(self)
        self.num_experts, self.joined = num_experts, joined
        self.expert_layers = []

    def shared_map(self, x):
        return x


def model(backbone=NET, channels=128, classes=5, **options):
    return MODELS.build(
        dict(
            type='mmpaco.BBNClassifier',
            backbone=backbone,
            neck=dict(type='GlobalAveragePooling'),
            head=dict(
                type='LinearClsHead',
                num_classes=classes,
                in_channels=channels,
                topk=(1,),
                cal_acc=True,
            ),
            **options,
        )
    )


def released():
    found = model(dict(type='GivenFeatures'), 12).double()
    with torch.no_grad():
        found.head.fc.weight.copy_(CENTERS)
        found.head.fc.bias.copy_(torch.arange(5).double() / 10)
    return found


def samples(*labels):
    return [DataSample().set_gt_label(int(x)) for x in torch.cat(labels)]


# Epochs from 1 of 200; l, loss, then L1 and L2 of the gradients.
RELEASED = {
    1: (
        *(1, 0.2865854141, 1.377191471, 0.2906093195, 0, 0),
        *(2.800141397, 0.5662074552),
    ),
    50: (
        *(0.939975, 0.5319381893, 1.323445511, 0.2673502844),
        *(0.07017193669, 0.0148083423, 2.730785619, 0.5551603069),
    ),
    101: (
        *(0.75, 1.171893195, 1.841426211, 0.3323114806),
        *(0.5221127888, 0.09880792902, 3.623669703, 0.6713232467),
    ),
    200: (
        *(0.009975, 4.471044608, 0.0662581072, 0.01307048666),
        *(6.46021894, 1.292290626, 9.65506858, 2.252857681),
    ),
}


@pytest.mark.parametrize('epoch', RELEASED)
def test_loss_and_gradients_are_those_of_the_release(epoch):
    found, (share, loss, *gradients) = released(), RELEASED[epoch]
    found.set_progress((epoch - 1) / 200)
    assert 1 - found.progress**2 == pytest.approx(share, rel=1e-12)
    images = [
        x[:, :, None, None].clone().requires_grad_()
        for x in (FEATURES, SHIFTED)
    ]
    losses = found.loss(torch.cat(images), samples(LABELS, RARE))
    losses['loss'].backward()
    grads = [*(x.grad for x in images), found.head.fc.weight.grad]
    mine = [x for grad in grads for x in figures(grad)[:2]]
    assert [losses['loss'].item(), *mine] == pytest.approx(
        [loss, *gradients], **CLOSE
    )


def test_scores_at_test_are_those_of_the_release():
    found = released()
    maps = [x[:, :, None, None] for x in (FEATURES, SHIFTED)]
    scores = found.head(found.extract_feat(maps)).detach()
    total, length = scores.sum().item(), scores.norm().item()
    assert total == pytest.approx(3.473960013, **CLOSE)
    assert length == pytest.approx(13.41781118, **CLOSE)


def batch(number=4):
    torch.manual_seed(1)
    images = torch.randn(2 * number, 3, 32, 32)
    labels = torch.arange(number) % 5, 4 - torch.arange(number) % 3
    return images, samples(*labels)


def test_each_branch_learns_from_its_own_images():
    torch.manual_seed(0)
    found = model()
    (plain, rare), (images, labels) = [
        (copy.deepcopy(found.backbone), copy.deepcopy(found.backbone)),
        batch(),
    ]
    found.set_progress(0.6)
    losses = found.loss(images, labels)
    # The same by whole passes: of the first all, then all of the second.
    first = plain(images[:4])[0].mean((2, 3))[:, :64]
    trunk = {
        key: value
        for key, value in plain.state_dict().items()
        if 'experts.1' not in key
    }
    rare.load_state_dict({**rare.state_dict(), **trunk})
    second = rare(images[4:])[0].mean((2, 3))[:, 64:]
    share = 1 - 0.6**2
    joined = torch.cat([2 * share * first, 2 * (1 - share) * second], 1)
    scores = found.head.fc(joined)
    classes = torch.cat([x.gt_label for x in labels])
    entropies = [F.cross_entropy(scores, x) for x in classes.chunk(2)]
    expected = share * entropies[0] + (1 - share) * entropies[1]
    torch.testing.assert_close(losses['loss'], expected)
    right = [(scores.argmax(1) == x).float().mean() for x in classes.chunk(2)]
    (accuracy,) = losses['accuracy_top-1']
    expected = 100 * (share * right[0] + (1 - share) * right[1])
    torch.testing.assert_close(accuracy, expected.reshape(1))
    # So are the statistics, of what is shared and of what is not.
    for key, value in found.backbone.state_dict().items():
        of = plain if 'experts.0' in key else rare
        torch.testing.assert_close(value, of.state_dict()[key], msg=key)
    counts = {
        key: int(value)
        for key, value in found.backbone.state_dict().items()
        if key.endswith('num_batches_tracked')
    }
    assert {k: v for k, v in counts.items() if 'experts' in k} == {
        f'layer3.experts.{k}.0.bn{i}.num_batches_tracked': 1
        for k in (0, 1)
        for i in (1, 2)
    }
    assert {v for k, v in counts.items() if 'experts' not in k} == {2}


def test_at_first_the_second_branch_learns_nothing():
    found = model()
    found.set_progress(0.0)
    found.loss(*batch())['loss'].backward()
    for name, x in found.named_parameters():
        # With a gradient still, as DDP demands.
        assert x.grad is not None, name
        assert x.grad.any() == ('experts.1' not in name), name


def test_a_test_sees_one_image_by_both_branches():
    found = model()
    images, _ = batch()
    found.set_progress(0.5)
    found.loss(*batch())
    found.eval()
    with torch.no_grad():
        (joined,) = found.extract_feat(images)
        parts = [
            found.backbone([images, images])[0].chunk(2, 1)[k].mean((2, 3))
            for k in (0, 1)
        ]
        scores = found(images)
    torch.testing.assert_close(joined, torch.cat(parts, 1))
    assert not torch.allclose(*parts)
    torch.testing.assert_close(scores, found.head.fc(joined))


def test_any_loss_of_a_head_is_mixed():
    """Also one that no mixed label could give."""
    found = model(classes=5)
    loss = dict(type='mmpaco.BalancedSoftmaxLoss', num_classes=5)
    found.head.loss_module = MODELS.build(
        dict(loss, class_counts=[50, 20, 5, 3, 1])
    )
    found.set_progress(0.3)
    images, labels = batch()
    value = found.loss(images, labels)['loss']
    alone = [found.loss(images, labels)['loss']]
    for k in (labels[:4], labels[4:]):
        both = samples(torch.cat([x.gt_label for x in k + k]))
        alone.append(found.loss(images, both)['loss'])
    torch.testing.assert_close(value, 0.91 * alone[1] + 0.09 * alone[2])


def test_the_inferencer_gives_what_the_model_does():
    torch.manual_seed(0)
    found = model().eval()
    found._config = Config(
        dict(
            model=dict(),
            test_dataloader=dict(
                dataset=dict(pipeline=[dict(type='PackInputs')])
            ),
        )
    )
    found._metainfo = dict(classes=list('abcde'))
    image = torch.randint(0, 256, (32, 32, 3), dtype=torch.uint8).numpy()
    (result,) = ImageClassificationInferencer(found)(image)
    with torch.no_grad():
        scores = found(torch.tensor(image).permute(2, 0, 1)[None].float())
    torch.testing.assert_close(
        torch.tensor(result['pred_scores']), scores.softmax(1)[0]
    )


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(num_experts=1), 'num_experts=1 and joined=True'),
        (dict(num_experts=3), 'num_experts=3 and joined=True'),
        (dict(joined=False), 'num_experts=2 and joined=False'),
    ],
)
def test_two_joined_branches_are_needed(changes, message):
    with pytest.raises(ValueError, match=message):
        model({**NET, **changes})


def test_mixed_labels_are_refused():
    mixed = dict(type='Mixup', alpha=0.8)
    with pytest.raises(ValueError, match='pairs need one class for each'):
        model(data_preprocessor=dict(batch_augments=mixed))


def test_a_plain_network_is_refused():
    with pytest.raises(ValueError, match='got CIFARResNet with num_experts=1'):
        model(dict(type='mmpaco.CIFARResNet', depth=20))


@pytest.mark.parametrize(
    'prep, name',
    [
        (dict(type='ClsDataPreprocessor'), 'ClsDataPreprocessor'),
        (dict(PAIRS, num_views=3), 'MultiViewDataPreprocessor'),
    ],
)
def test_the_preprocessor_must_take_pairs(prep, name):
    with pytest.raises(ValueError, match=f'takes pairs .* but got {name}'):
        model(data_preprocessor=prep)


@pytest.mark.parametrize(
    'head',
    [
        dict(type='mmpaco.CausalNormHead'),
        dict(
            type='mmpaco.GPaCoHead',
            loss=dict(
                type='mmpaco.PaCoLoss',
                alpha=0.1,
                temperature=0.1,
            ),
        ),
    ],
    ids=lambda head: head['type'],
)
def test_a_head_that_keeps_features_is_refused(head):
    """It would keep those of each batch twice."""
    kept = dict(num_classes=5, in_channels=128, **head)
    kind = head['type'].partition('.')[2]
    with pytest.raises(ValueError, match=f'and {kind} would keep them twice'):
        MODELS.build(
            dict(type='mmpaco.BBNClassifier', backbone=NET, head=kept)
        )


def test_what_a_loss_needs_is_told():
    found = model()
    images, labels = batch()
    with pytest.raises(RuntimeError, match='BBNProgressHook'):
        found.loss(images, labels)
    found.set_progress(0.5)
    with pytest.raises(ValueError, match='PairedDataset'):
        found.loss(images, 2 * labels[:4])
    with pytest.raises(ValueError, match='got 7 images, of 7 samples'):
        found.loss(images[:7], labels[:7])
    for progress in (-0.1, 1.1, float('nan')):
        with pytest.raises(ValueError, match='from 0 to 1'):
            found.set_progress(progress)


def test_images_are_for_all_branches_or_for_each():
    images, _ = batch()
    with pytest.raises(ValueError, match='each of num_experts=2, but got 3'):
        model().backbone(images[:6].chunk(3))
