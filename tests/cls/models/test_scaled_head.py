"""LWS and cRT by the figures of the release, and in the stock inferencer."""

import pytest
import torch
from mmengine.config import Config
from mmpretrain import ImageClassificationInferencer
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from support.scope import enter_scope
from torch import linspace

CLASSES, CHANNELS = 5, 6
LABELS = [0, 1, 2, 3, 4, 0, 1, 2]


def grid(rows, columns, function, a, b):
    i, j = (torch.arange(x, dtype=torch.float64) for x in (rows, columns))
    return function(a * i[:, None] + b * j)


FEATURES = grid(8, CHANNELS, torch.sin, 1.3, 0.7)
WEIGHTS = grid(CLASSES, CHANNELS, torch.cos, 0.9, 0.4)
BIAS = linspace(0, 0.4, CLASSES, dtype=torch.float64)
SCALE = 1 + BIAS


def build(kind, **options):
    enter_scope('mmpretrain')
    head = MODELS.build(
        dict(type=kind, num_classes=CLASSES, in_channels=CHANNELS, **options)
    ).double()
    head.fc.weight.data.copy_(WEIGHTS)
    head.fc.bias.data.copy_(BIAS)
    if hasattr(head, 'scale'):
        # Until it is trained it changes nothing.
        assert head.scale.tolist() == [1] * CLASSES
        head.scale.data.copy_(SCALE)
    samples = [DataSample().set_gt_label(x) for x in LABELS]
    head.loss_of_all = head.loss((FEATURES,), samples)['loss']
    head.loss_of_all.backward()
    return head


def close(found, expected):
    # Ten digits are printed.
    found = torch.stack([x.detach() for x in found])
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)


def facts(gradient):
    return gradient.abs().sum(), gradient.norm(), gradient.flatten()[0]


def test_crt():
    head = build('LinearClsHead')
    close([head.loss_of_all], [0.5081273143])
    close(
        facts(head.fc.weight.grad), (1.627456246, 0.3379155414, 0.07817934377)
    )
    close(
        facts(head.fc.bias.grad), (0.2432152794, 0.1200764805, 0.03977477477)
    )


def test_lws_trains_the_scale_alone():
    head = build('mmpaco.ScaledClsHead')
    scores = head((FEATURES,))
    close((scores.sum(), scores.norm()), (11.36079104, 14.02823273))
    close([head.loss_of_all], [0.4666366179])
    close(
        head.scale.grad,
        [
            *(0.06907946394, -0.2338679059, -0.266253132),
            *(-0.0655596154, 0.1734959234),
        ],
    )
    assert head.fc.weight.grad is head.fc.bias.grad is None
    trained = [name for name, x in head.named_parameters() if x.requires_grad]
    assert trained == ['scale']


def test_mislas_trains_the_classifier_too():
    """Smoothing of 0.4 to 0.1, from the head class to that of the tail."""
    loss = dict(
        type='mmpaco.LabelAwareSmoothLoss',
        num_classes=CLASSES,
        head=0.4,
        tail=0.1,
        class_counts=[500, 150, 45, 13, 4],
    )
    head = build('mmpaco.ScaledClsHead', train_fc=True, loss=loss)
    close([head.loss_of_all], [1.036425375])
    gradient = head.scale.grad
    close(facts(gradient), (0.7231416464, 0.3708802459, 0.2112662008))
    close([gradient.sum()], [0.1705131868])
    close(
        facts(head.fc.weight.grad), (1.60421597, 0.3328895185, 0.06474986774)
    )
    close(facts(head.fc.bias.grad), (0.3182594467, 0.155527352, 0.08297187121))


def test_the_stock_inferencer_scales(tmp_path):
    enter_scope('mmpretrain')
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='ImageClassifier',
                backbone=dict(type='mmpaco.CIFARResNet', depth=20),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(
                    type='mmpaco.ScaledClsHead',
                    num_classes=CLASSES,
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
    torch.nn.init.normal_(model.head.fc.weight)
    model.head.scale.data.copy_(linspace(0.5, 2, CLASSES))
    path = tmp_path / 'model.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    inferencer = ImageClassificationInferencer(
        cfg, str(path), classes=list('abcde'), device='cpu'
    )
    image = torch.randint(256, (32, 32, 3), dtype=torch.uint8)
    (found,) = inferencer(image.numpy())
    # Arrays are BGR, as the network is told here.
    inputs = (image.permute(2, 0, 1)[None].float() - 127) / 64
    feats = model.eval().extract_feat(inputs)
    scores = model.head.scale * model.head.fc(feats[-1])
    torch.testing.assert_close(
        torch.from_numpy(found['pred_scores']), scores[0].softmax(0).detach()
    )
    assert found['pred_class'] == 'abcde'[scores.argmax()]


@pytest.mark.parametrize('train_fc', (False, True))
def test_it_takes_the_classifier_of_a_linear_head(train_fc):
    enter_scope('mmpretrain')
    first = MODELS.build(
        dict(type='LinearClsHead', num_classes=3, in_channels=4)
    )
    head = MODELS.build(
        dict(
            type='mmpaco.ScaledClsHead',
            num_classes=3,
            in_channels=4,
            train_fc=train_fc,
        )
    )
    missing, unexpected = head.load_state_dict(
        first.state_dict(), strict=False
    )
    assert missing == ['scale'] and not unexpected
    feats = (torch.randn(7, 4),)
    torch.testing.assert_close(head(feats), first(feats))
