"""The branches of ResLT, against its release."""

import pytest
import torch
from mmengine.config import Config
from mmpretrain import ImageClassificationInferencer
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from support.released_losses import CLOSE, wave
from support.scope import enter_scope
from torch.nn import functional as F

from mmpaco.cls.models import ResLTHead


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


def head(num_classes, in_channels, groups=(5, 3, 1), **options):
    loss = dict(
        type='mmpaco.ResLTLoss',
        num_classes=num_classes,
        beta=0.9,
        groups=list(groups),
    )
    options = {'loss': loss, **options}
    return ResLTHead(num_classes, in_channels, **options).double()


def maps(channels):
    """sin(1.3 n + 0.7 c + 0.3 h + 0.2 w), of 2 x 2 pixels."""
    n, c, h, w = (
        torch.arange(x, dtype=torch.float64) for x in (4, channels, 2, 2)
    )
    return torch.sin(
        1.3 * n[:, None, None, None]
        + 0.7 * c[:, None, None]
        + 0.3 * h[:, None]
        + 0.2 * w
    )


def with_norms(**options):
    """As on CIFAR."""
    found = head(5, 64, **options)
    affine = ((1.0, 0.0), (0.5, 0.0), (0.25, 0.1))
    with torch.no_grad():
        found.fc.weight.copy_(wave(5, 64, torch.cos, 0.9, 0.4) / 8)
        found.fc.bias.copy_(0.1 * torch.arange(5).double())
        for branch, (weight, bias) in zip(found.branches, affine):
            branch.weight.fill_(weight)
            branch.bias.fill_(bias)
    return found


def with_convs(**options):
    """As on ImageNet-LT."""
    found = head(5, 512, branch='conv', **options)
    block = wave(1536, 512, torch.cos, 0.9, 0.4) / 16
    fc = wave(5, 512, torch.cos, 0.9, 0.4) / 16
    with torch.no_grad():
        found.branches[0].weight.copy_(block[..., None, None])
        found.fc.weight.copy_(torch.arange(1, 6)[:, None] * fc)
        found.fc.bias.copy_(0.1 * torch.arange(5).double())
    return found


def check(scores, *expected):
    """Compare sum and length of the scores of each branch."""
    found = [x for s in scores for x in (s.sum().item(), s.norm().item())]
    assert found == pytest.approx(expected, **CLOSE)


def test_norms_are_those_of_the_release():
    found, feats = with_norms(), (maps(64),)
    check(
        found.eval().branch_scores(feats),
        *(3.957667469, 1.096186979, 3.978833734, 1.082333699),
        *(3.962337259, 1.053916143),
    )
    check(
        found.train().branch_scores(feats),
        *(4, 1.201970152, 4, 1.12302407, 3.972920392, 1.070317842),
    )


def test_convolutions_are_those_of_the_release():
    found, feats = with_convs(), (maps(512),)
    check(
        found.train().branch_scores(feats),
        *(2.109833754, 1.723102489, 2.193089697, 1.773308802),
        *(2.13256139, 1.724746815),
    )
    pooled = (maps(512).mean((2, 3), keepdim=True),)
    check(
        found.branch_scores(pooled),
        *(2.063243077, 1.725757564, 2.172792647, 1.779411954),
        *(2.093407022, 1.733239693),
    )
    at_test = with_convs(test_tau=0.7, test_pool_first=True).eval()
    check(
        at_test.branch_scores(feats),
        *(-0.1901322095, 0.08971954481, -0.1496196146, 0.08703470633),
        *(-0.181294546, 0.1023809853),
    )


def test_what_is_for_test_is_not_in_training():
    """Nor is it at test unless it is asked for."""
    feats = (maps(512),)
    plain = with_convs()
    at_test = with_convs(test_tau=0.7, test_pool_first=True)
    assert torch.equal(
        at_test.train().branch_scores(feats), plain.branch_scores(feats)
    )
    one = with_convs(test_tau=0.0)
    for found in (plain, one, at_test):
        found.branches[1].reset_running_stats()
        found.eval()
    # Without a bias, and else as trained.
    torch.testing.assert_close(one(feats) + 3 * plain.fc.bias, plain(feats))
    assert not torch.equal(at_test(feats), one(feats))


@pytest.mark.parametrize('make', (with_norms, with_convs))
def test_the_sum_predicts_as_the_mean_of_the_features(make):
    found = make().eval()
    feats = (maps(found.in_channels),)
    scores = found(feats)
    torch.testing.assert_close(scores, found.branch_scores(feats).sum(0))
    torch.testing.assert_close(scores, 3 * found.fc(found.pre_logits(feats)))


@pytest.mark.parametrize(
    'depth, kind, branch, num_classes, groups, expected',
    [
        (32, 'mmpaco.CIFARResNet', 'norm', 100, (100, 65, 30), 470_388),
        (50, 'ResNeXt', 'conv', 1000, (1000, 825, 220), 37_624_104),
        (50, 'ResNet', 'conv', 1000, (1000, 825, 220), 38_152_232),
    ],
)
@pytest.mark.usefixtures('no_init')
def test_numbers_of_parameters(
    depth, kind, branch, num_classes, groups, expected
):
    backbone = dict(type=kind, depth=depth)
    if kind == 'ResNeXt':
        backbone.update(groups=32, width_per_group=4)
    network = MODELS.build(backbone)
    channels = 64 if depth == 32 else 2048
    found = head(num_classes, channels, groups, branch=branch)
    parameters = [*network.parameters(), *found.parameters()]
    assert sum(x.numel() for x in parameters) == expected


def test_the_loss_is_that_of_branches_and_sum():
    found = with_norms(topk=(1, 2), cal_acc=True)
    found.loss_module.prior.set_class_counts([50, 20, 9, 4, 2])
    feats, labels = (maps(64),), torch.tensor([0, 1, 4, 2])
    samples = [DataSample().set_gt_label(int(x)) for x in labels]
    losses = found.loss(feats, samples)
    scores = found.branch_scores(feats)
    expected = found.loss_module(scores, labels)
    assert losses['loss'].item() == pytest.approx(expected.item())
    right = scores.sum(0).topk(2, 1).indices == labels[:, None]
    assert losses['accuracy_top-1'] == 100 * right[:, 0].double().mean()
    assert losses['accuracy_top-2'] == 100 * right.any(1).double().mean()
    losses['loss'].backward()
    for name, x in found.named_parameters():
        assert x.grad is not None and x.grad.any(), name
    with pytest.raises(ValueError, match='one class for each image'):
        mixed = [DataSample().set_gt_score(torch.rand(5)) for _ in labels]
        found.loss(feats, mixed)


def test_what_cannot_be_a_head():
    with pytest.raises(TypeError, match='mmpaco.ResLTLoss, but got Cross'):
        head(5, 64, loss=dict(type='CrossEntropyLoss'))
    with pytest.raises(ValueError, match="'norm' or 'conv', but got 'relu'"):
        head(5, 64, branch='relu')
    for tau in (-0.1, float('inf'), float('nan')):
        with pytest.raises(ValueError, match='test_tau must be a number'):
            head(5, 64, test_tau=tau)
    for feats in (torch.zeros(2, 64), torch.zeros(2, 32, 4, 4)):
        with pytest.raises(ValueError, match='set neck=None'):
            head(5, 64)((feats.double(),))


@pytest.mark.parametrize('branch, tau', (('norm', None), ('conv', 0.7)))
def test_the_stock_inferencer_sums_the_branches(tmp_path, branch, tau):
    loss = dict(
        type='mmpaco.ResLTLoss', num_classes=5, beta=0.9, groups=[5, 3]
    )
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='ImageClassifier',
                backbone=dict(type='mmpaco.CIFARResNet', depth=20),
                head=dict(
                    type='mmpaco.ResLTHead',
                    num_classes=5,
                    in_channels=64,
                    loss=loss,
                    branch=branch,
                    test_tau=tau,
                ),
            ),
            data_preprocessor=dict(mean=[127.0] * 3, std=[64.0] * 3),
            test_dataloader=dict(
                dataset=dict(
                    type='CustomDataset', pipeline=[dict(type='PackInputs')]
                )
            ),
        )
    )
    model = MODELS.build(cfg.model)
    model.init_weights()
    torch.nn.init.normal_(model.head.fc.weight)
    torch.nn.init.normal_(model.head.fc.bias)
    path = tmp_path / 'model.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    inferencer = ImageClassificationInferencer(
        cfg, str(path), classes=list('abcde'), device='cpu'
    )
    image = torch.randint(256, (32, 32, 3), dtype=torch.uint8)
    (found,) = inferencer(image.numpy())
    # Arrays are BGR, as the network is told here.
    inputs = (image.permute(2, 0, 1)[None].float() - 127) / 64
    (found_map,) = model.eval().extract_feat(inputs)
    weight, bias = model.head.fc.weight, model.head.fc.bias
    if tau:
        weight = weight / weight.norm(dim=1, keepdim=True) ** tau
        pooled = model.head.branches(found_map).mean((2, 3))
        total = pooled[:, :64] + pooled[:, 64:]
        scores = F.linear(total, weight)
    else:
        pooled = [x(found_map).mean((2, 3)) for x in model.head.branches]
        scores = sum(F.linear(x, weight, bias) for x in pooled)
    torch.testing.assert_close(
        torch.from_numpy(found['pred_scores']),
        scores[0].softmax(0).detach(),
        rtol=1e-4,
        atol=1e-6,
    )
    assert found['pred_class'] == 'abcde'[scores.argmax()]
