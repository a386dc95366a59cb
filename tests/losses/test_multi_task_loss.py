"""The multi-task loss: golden vectors, its parts, re-weighting, errors."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from support.loss_cases import (
    COUNTS,
    IMPLS,
    QUEUE,
    VIEW,
    assert_tiled_is_dense,
    check,
    contrast_cases,
    golden_features,
    golden_logits,
    split,
)

from mmpaco.losses import (
    ClassBalancedLoss,
    LDAMLoss,
    MultiTaskLoss,
    effective_number_weights,
    log_class_prior,
    supcon_loss,
)

INPUTS = (
    'features',
    'labels',
    'center_logits',
    'extra_features',
    'extra_labels',
    'class_counts',
)


@pytest.mark.parametrize('impl', IMPLS)
@pytest.mark.parametrize(
    'balanced, golden',
    (
        (True, (3.2199427, 9.94686, 1.387329)),
        (False, (3.1495160, 9.94686, 1.458407)),
    ),
)
def test_golden_vectors_i_and_j(balanced, golden, impl):
    """Of the released losses, whose re-weighting factors are all 1."""
    rows, logits = golden_features(10), golden_logits(6)
    features, targets, extra = split(rows, VIEW + VIEW + QUEUE, 6)
    loss = MultiTaskLoss(
        supcon_weight=0.5, temperature=0.2, balanced=balanced, impl=impl
    )(features, targets, logits, **extra, class_counts=COUNTS)
    check(loss, rows, logits, golden)


def loop_weights(counts):
    effective = [(1 - 0.999**n) / (1 - 0.999) for n in counts]
    return [np.mean(effective) / e for e in effective]


@settings(max_examples=60, deadline=None)
@given(
    contrast_cases(),
    st.integers(1, 300),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 0.05, 1.0]),
    st.sampled_from([0.0, 0.1]),
    st.sampled_from([None, 0.1]),
)
def test_it_is_the_sum_of_its_parts(
    case, tile_elements, balanced, reweight, weight, smoothing, base
):
    """One anchor at a time; both forms agree in value and gradients."""

    def of_case(case, impl):
        return MultiTaskLoss(
            supcon_weight=weight,
            temperature=case['temperature'],
            base_temperature=base,
            balanced=balanced,
            reweight=reweight,
            label_smoothing=smoothing,
            ignore_index=case['ignore_index'],
            impl=impl,
        )(*(case[name] for name in INPUTS))

    upstream = torch.tensor(-1.7, dtype=torch.float64)
    tiled = assert_tiled_is_dense(of_case, case, tile_elements, upstream)
    logits = case['center_logits']
    num_classes = logits.shape[1]
    contrast = supcon_loss(
        case['features'],
        case['labels'],
        num_classes,
        case['extra_features'],
        case['extra_labels'],
        temperature=case['temperature'],
        base_temperature=base,
        ignore_index=case['ignore_index'],
        reduction='none',
        impl='dense',
    ).tolist()
    factors = loop_weights(case['class_counts'].tolist())
    if balanced:
        logits = logits + log_class_prior(case['class_counts'], torch.float64)
    losses = []
    for scores, label, pull in zip(
        logits.tolist(), case['labels'].tolist(), contrast
    ):
        if label == case['ignore_index']:
            continue
        log_z = math.log(sum(math.exp(s) for s in scores))
        loss = sum(
            ((1 - smoothing) * (c == label) + smoothing / num_classes)
            * (log_z - s)
            for c, s in enumerate(scores)
        )
        factor = factors[label] if reweight else 1.0
        losses.append(loss + weight * factor * pull)
    expected = sum(losses) / max(1, len(losses))
    assert tiled.item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_weights_are_those_of_the_effective_numbers():
    counts = [5000, 1280, 100, 20, 5, 1]
    weights = effective_number_weights(torch.tensor(counts))
    assert weights.dtype == torch.float32
    np.testing.assert_allclose(weights, loop_weights(counts), rtol=1e-5)
    # A rare class weighs more, and equal classes weigh one.
    assert (weights.diff() > 0).all()
    torch.testing.assert_close(
        effective_number_weights(torch.full((4,), 37)), torch.ones(4)
    )


def test_a_class_without_images_weighs_as_one_of_one_image():
    weights = effective_number_weights(torch.tensor([100, 1, 0]))
    assert weights.isfinite().all()
    assert weights[2] == pytest.approx(weights[1].item(), rel=1e-5)


@pytest.mark.parametrize('impl', IMPLS)
@pytest.mark.parametrize(
    'labels', ([0, 1, 2, 3], [2], [1, 1, 1]), ids=('alone', 'one', 'class')
)
def test_edge_cases_are_finite(labels, impl):
    """Where there is no positive it is the classification loss."""
    rows, logits = golden_features(len(labels)), golden_logits(len(labels))
    targets = torch.tensor(labels)
    loss = MultiTaskLoss(balanced=False, impl=impl)(rows, targets, logits)
    loss.backward()
    assert rows.grad.isfinite().all() and logits.grad.isfinite().all()
    classified = F.cross_entropy(logits, targets)
    if labels != [1, 1, 1]:
        torch.testing.assert_close(loss, classified)
        assert (rows.grad == 0).all()
    else:
        assert loss > classified


@pytest.mark.parametrize('impl', IMPLS)
@pytest.mark.parametrize('num_rows', (0, 4))
def test_no_valid_anchor_is_an_exact_zero_with_a_graph(num_rows, impl):
    rows, logits = golden_features(num_rows), golden_logits(num_rows)
    loss = MultiTaskLoss(reweight=True, ignore_index=9, impl=impl)(
        rows, torch.full((num_rows,), 9), logits, class_counts=COUNTS
    )
    assert loss.item() == 0.0
    loss.backward()
    assert (rows.grad == 0).all()
    assert (logits.grad == 0).all()


@pytest.mark.parametrize('dtype', (torch.float16, torch.bfloat16))
def test_half_precision_inputs_accumulate_in_float32(dtype):
    """As good as the float64 loss of the very same rounded inputs."""
    torch.manual_seed(0)
    rows = F.normalize(torch.randn(300, 16), dim=1).to(dtype)
    logits, labels = torch.randn(300, 4).to(dtype), torch.randint(4, (300,))
    loss_of = MultiTaskLoss(temperature=0.07, reweight=True)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = loss_of(rows, labels, logits, class_counts=COUNTS)
    expected = loss_of(
        rows.double(), labels, logits.double(), class_counts=COUNTS
    )
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    'options',
    (
        dict(balanced=True),
        dict(balanced=False, reweight=True),
        dict(balanced=True, reweight=True),
    ),
)
def test_missing_class_counts_are_told(options):
    loss = MultiTaskLoss(**options)
    assert loss.uses_class_counts
    with pytest.raises(ValueError, match='need class_counts'):
        loss(golden_features(2), torch.tensor([0, 0]), golden_logits(2))


@pytest.mark.parametrize(
    'options, message',
    (
        (dict(supcon_weight=-0.1), 'supcon_weight must be finite'),
        (dict(supcon_weight=math.inf), 'supcon_weight must be finite'),
        (dict(temperature=0.0), 'temperature must be finite'),
        (dict(label_smoothing=1.0), 'label_smoothing must be finite'),
        (dict(impl='fast'), 'impl must be one of'),
    ),
)
def test_parameter_out_of_range_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MultiTaskLoss(**options)


def test_shares_are_no_numbers_of_images():
    with pytest.raises(ValueError, match='counts, but got shares'):
        effective_number_weights(torch.tensor([0.6, 0.3, 0.1]))
    effective_number_weights(torch.tensor([60.0, 30.0, 10.0]))


def test_shares_on_a_device_are_refused_at_the_first_loss(monkeypatch):
    """What the check of each step cannot read there."""
    monkeypatch.setattr(
        'mmpaco.losses.class_weights.is_readable', lambda tensor: False
    )
    anchors, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
    scores, shares = torch.zeros(4, 2), torch.tensor([0.9, 0.1])
    rows = (anchors, labels, scores)
    for impl in ('tiled', 'dense'):
        loss = MultiTaskLoss(reweight=True, impl=impl)
        with pytest.raises(ValueError, match='counts, but got shares'):
            loss(*rows, class_counts=shares)
        loss(*rows, class_counts=shares * 100)
        MultiTaskLoss(impl=impl)(*rows, class_counts=shares)
    meta = [x.to('meta') for x in (*rows, shares)]
    assert loss(*meta[:3], class_counts=meta[3]).is_meta
    # Set after the weights were switched on.
    for balanced in (ClassBalancedLoss(2), LDAMLoss(2)):
        balanced.set_reweighting(True)
        balanced.prior.set_class_counts(shares)
        with pytest.raises(ValueError, match='counts, but got shares'):
            balanced(scores, labels)
        balanced.prior.set_class_counts([9, 1])
        balanced(scores, labels)
