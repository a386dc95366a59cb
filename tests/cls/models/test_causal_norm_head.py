"""The classifier of De-confound-TDE, against its release."""

import pytest
import torch
from mmengine.config import Config
from mmpretrain import ImageClassificationInferencer
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from support.released_losses import CENTERS, CLOSE, FEATURES, LABELS, figures
from support.scope import enter_scope

from mmpaco.cls.models import CausalNormHead
from mmpaco.losses import FeatureMean

SHIFTED = 2 * FEATURES + 0.3
MEAN = torch.sin(0.7 * torch.arange(6, dtype=torch.float64) + 0.4) + 0.5


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


def head(scale_of_mean=1.0, **options):
    found = CausalNormHead(5, 6, **options).double()
    with torch.no_grad():
        found.fc.weight.copy_(CENTERS)
        found.mean.value.copy_(scale_of_mean * MEAN)
    return found


# Whether in training; alpha, parts; sum, length and first of the scores.
RELEASED = [
    (True, 3.0, 2, (-6.090138461, 62.43940467, 11.40064317)),
    (False, 3.0, 2, (58.24866445, 92.72920085, -25.44711967)),
    (False, 1.5, 2, (26.079263, 38.21822622, -7.023238248)),
    (False, 1.0, 2, (15.35612918, 34.77501713, -0.8819444421)),
    (True, 3.0, 1, (-20.05728244, 63.69949129, 11.31459573)),
    (False, 3.0, 1, (81.22151802, 107.5573712, -28.45583063)),
]


@pytest.mark.parametrize('scale_of_mean', (1, 7))
@pytest.mark.parametrize('training, alpha, num_heads, expected', RELEASED)
def test_scores_are_those_of_the_release(
    training, alpha, num_heads, expected, scale_of_mean
):
    found = head(scale_of_mean, alpha=alpha, num_heads=num_heads)
    scores = found.train(training)((SHIFTED,))
    mine = scores.sum(), scores.norm(), scores[0, 0]
    assert [x.item() for x in mine] == pytest.approx(expected, **CLOSE)
    if (alpha, num_heads) == (3, 2):
        classes = [3, 2, 0, 0, 3, 3, 2, 0]
        if training:
            classes = [0, 1, 1, 4, 4, 0, 1, 2]
        assert scores.argmax(1).tolist() == classes


def test_loss_and_gradients_are_those_of_the_release():
    found, features = head(), SHIFTED.clone().requires_grad_()
    samples = [DataSample().set_gt_label(int(x)) for x in LABELS]
    loss = found.loss((features,), samples)['loss']
    loss.backward()
    assert loss.item() == pytest.approx(1.255026528, **CLOSE)
    x, w = figures(features.grad), figures(found.fc.weight.grad)
    assert [*x[:2], x[3]] == pytest.approx(
        [2.471040507, 0.8339739195, 1.758878558], **CLOSE
    )
    assert w == pytest.approx(
        [7.228522614, 1.832803268, 0.006058680034, -3.996325754], **CLOSE
    )
    # What a forward pass leaves is the sum of the features, not yet the mean.
    assert torch.equal(found.mean(), MEAN)
    total, number = found.mean.take_staged()
    torch.testing.assert_close(total / number, SHIFTED.mean(0))


def test_the_mean_is_that_of_the_release():
    mean = FeatureMean(6).double()
    for factor in (1, 2, 3):
        mean.move((factor * SHIFTED).mean(0))
    expected = [
        *(3.703442115, 3.441563332, 2.352604736),
        *(0.9487205702, -0.1098205067, -0.3251700857),
    ]
    assert mean().tolist() == pytest.approx(expected, **CLOSE)


def test_the_momentum_of_imagenet_lt():
    """1 - 0.1 min(50 rate, 1)."""
    for rate in (0.2, 0.02, 0.013, 0.002, 0.0, None):
        mean = FeatureMean(6, full_rate=0.02).double()
        mean.value.fill_(1.0)
        mean.move(torch.zeros(6), rate)
        high = 1.0 if rate is None else rate
        expected = 1 - 0.1 * min(50 * high, 1)
        assert mean().tolist() == pytest.approx([expected] * 6, rel=1e-12)


def test_before_any_training_nothing_is_taken_out():
    found = head(0.0).eval()
    scores = found((SHIFTED,))
    assert torch.equal(scores, found.train()((SHIFTED,)))
    # Nor of a feature of zeros, or along a part of zeros of the mean.
    found.mean.value[3:] = 1
    for features in (SHIFTED, 0 * SHIFTED):
        assert found.eval()((features,)).isfinite().all()
    # In float16, too, in which PyTorch 2.1 has no linear layer on the host.
    zeros = torch.zeros(2, 6).half()
    assert torch.equal(found.fc.parts(zeros), zeros.reshape(2, 2, 3))


def test_what_is_not_finite_does_not_enter():
    mean = FeatureMean(2)
    mean.move(torch.ones(2))
    for bad in (float('inf'), float('nan')):
        mean.move(torch.tensor([1.0, bad]))
    assert mean().tolist() == [1, 1]


def test_half_precision_is_summed_in_float32():
    found = CausalNormHead(5, 6)
    features = torch.full((4096, 6), 40.0).half()
    found.mean.stage(features)
    total, number = found.mean.take_staged()
    assert (total / number).tolist() == [40] * 6
    # A head of less precision than its mean.
    found.bfloat16().mean.float()
    found.mean.move(torch.arange(6.0))
    scores = found.eval()((features.bfloat16(),))
    assert scores.dtype == torch.bfloat16 and scores.isfinite().all()


def test_mixed_labels_can_be_trained_by():
    found = head()
    mixed = torch.softmax(torch.arange(5.0).double(), 0)
    samples = [DataSample().set_gt_score(mixed) for _ in LABELS]
    assert found.loss((SHIFTED,), samples)['loss'].isfinite()


def test_features_that_nobody_took_are_told():
    found = head()
    samples = [DataSample().set_gt_label(int(x)) for x in LABELS]
    found.loss((SHIFTED,), samples)
    with pytest.raises(RuntimeError, match='mmpaco.CausalNormHook'):
        found.loss((SHIFTED,), samples)
    # Of a loss on validation images there are none.
    found.mean.take_staged()
    for _ in range(2):
        found.eval().loss((SHIFTED,), samples)


def test_weights_begin_uniform_by_the_channels():
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(type='mmpaco.CIFARResNet', depth=32),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(
                type='mmpaco.CausalNormHead', num_classes=100, in_channels=64
            ),
            # What models do to all linear layers has no part in it.
            init_cfg=dict(type='Constant', layer='Linear', val=3.0),
        )
    )
    # No bias; the release has a wider network.
    assert sum(x.numel() for x in model.parameters()) == 463_504 + 6_400
    model.init_weights()
    weight = model.head.fc.weight.detach()
    assert 0.12 < weight.abs().max() <= 1 / 8
    assert weight.std().item() == pytest.approx(1 / 8 / 3**0.5, rel=0.03)


@pytest.mark.parametrize(
    'options, told',
    [
        (dict(alpha=-1.0), 'alpha must be finite and not negative'),
        (dict(alpha=float('nan')), 'alpha must be finite'),
        (dict(scale=0.0), 'scale must be finite and positive'),
        (dict(gamma=0.0), 'gamma must be finite and positive'),
        (dict(num_heads=4), 'divide in_channels=6, but got 4'),
        (dict(num_heads=0), 'num_heads must be positive'),
        (dict(momentum=1.5), 'momentum must lie in'),
        (dict(full_rate=0.0), 'full_rate must be a positive'),
    ],
)
def test_what_cannot_be(options, told):
    with pytest.raises(ValueError, match=told):
        CausalNormHead(5, 6, **options)


def test_features_must_be_pooled():
    with pytest.raises(ValueError, match='GlobalAveragePooling'):
        head()((torch.zeros(2, 6, 3, 3).double(),))


def test_the_stock_inferencer_takes_the_mean_out(tmp_path):
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='ImageClassifier',
                backbone=dict(type='mmpaco.CIFARResNet', depth=20),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(
                    type='mmpaco.CausalNormHead',
                    num_classes=5,
                    in_channels=64,
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
    model.head.mean.move(torch.rand(64))
    path = tmp_path / 'model.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    inferencer = ImageClassificationInferencer(
        cfg, str(path), classes=list('abcde'), device='cpu'
    )
    image = torch.randint(256, (32, 32, 3), dtype=torch.uint8)
    (found,) = inferencer(image.numpy())
    # Arrays are BGR, as the network is told here.
    inputs = (image.permute(2, 0, 1)[None].float() - 127) / 64
    x = model.eval().extract_feat(inputs)[-1].view(2, 32)
    e = torch.nn.functional.normalize(model.head.mean().view(2, 32))
    x = torch.nn.functional.normalize(x)
    x = x - 1.5 * (x * e).sum(1, keepdim=True) * e
    w = model.head.fc.weight.view(5, 2, 32)
    w = w / (w.norm(dim=2, keepdim=True) + 1 / 32)
    scores = 8 * (w * x).sum((1, 2))
    torch.testing.assert_close(
        torch.from_numpy(found['pred_scores']),
        scores.softmax(0).detach(),
        rtol=1e-4,
        atol=1e-6,
    )
    assert found['pred_class'] == 'abcde'[scores.argmax()]
