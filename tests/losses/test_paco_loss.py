"""The loss: golden vectors, the tiled form against the dense one, theory."""

import math

import numpy as np
import pytest
import torch
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

from mmpaco.losses import PaCoLoss, log_class_prior, paco_loss

IGNORE = 4
SEG_LABELS = [0, 0, 1, 4, 2, 2, 4, 3]


# name: (anchors, labels, arguments, loss, L1 of dL/dF, L1 of dL/ds)
GOLDEN = {
    'A PaCo with prior': (
        3,
        VIEW + VIEW + QUEUE,
        dict(alpha=0.05, temperature=0.2, class_counts=COUNTS),
        4.6820342,
        12.17617,
        0.924818,
    ),
    'B PaCo without prior': (
        3,
        VIEW + VIEW + QUEUE,
        dict(alpha=0.05, temperature=0.2),
        3.5840675,
        10.51247,
        1.006616,
    ),
    'C GPaCo with prior': (
        6,
        VIEW + VIEW + QUEUE,
        dict(alpha=0.05, temperature=0.2, class_counts=COUNTS),
        4.8371840,
        11.01756,
        0.924548,
    ),
    'C0 GPaCo without prior': (
        6,
        VIEW + VIEW + QUEUE,
        dict(alpha=0.05, temperature=0.2),
        3.7182299,
        9.69768,
        0.965720,
    ),
    'D GPaCo with label smoothing': (
        6,
        VIEW + VIEW + QUEUE,
        dict(alpha=0.05, temperature=0.2, label_smoothing=0.1),
        3.7345539,
        9.69768,
        0.850574,
    ),
    'E GPaCo with uniform prior': (
        6,
        VIEW + VIEW + QUEUE,
        dict(alpha=0.05, temperature=0.2, class_counts=torch.ones(4)),
        4.7643204,
        11.07840,
        0.928815,
    ),
    'G segmentation with ignored pixels': (
        8,
        SEG_LABELS,
        dict(alpha=0.01, temperature=0.07, ignore_index=IGNORE),
        7.4198434,
        49.04376,
        1.038886,
    ),
    'H segmentation, all pixels ignored': (
        8,
        [IGNORE] * 8,
        dict(alpha=0.01, temperature=0.07, ignore_index=IGNORE),
        0.0,
        0.0,
        0.0,
    ),
    'S single view': (
        3,
        VIEW + QUEUE,
        dict(alpha=0.05, temperature=0.2, class_counts=COUNTS),
        4.6359846,
        12.17540,
        0.967013,
    ),
}


@pytest.mark.parametrize('impl', IMPLS)
@pytest.mark.parametrize('case', GOLDEN)
def test_golden_vector(case, impl):
    anchors, labels, arguments, *golden = GOLDEN[case]
    rows, logits = golden_features(len(labels)), golden_logits(anchors)
    features, targets, extra = split(rows, labels, anchors)
    loss = paco_loss(
        features, targets, logits, **extra, **arguments, impl=impl
    )
    check(loss, rows, logits, golden)


@pytest.mark.parametrize('impl', IMPLS)
def test_golden_vector_f_all_parameters(impl):
    """The released divisor of the center group, 2, goes into the logits."""
    rows, logits = golden_features(10), golden_logits(6)
    features, targets, extra = split(rows, VIEW + VIEW + QUEUE, 6)
    loss = PaCoLoss(
        alpha=0.2,
        temperature=0.2,
        beta=0.5,
        gamma=0.3,
        base_temperature=0.1,
        impl=impl,
    )(
        features,
        targets,
        (logits + log_class_prior(COUNTS, torch.float64)) / 2,
        **extra,
    )
    check(loss, rows, logits, (5.7865115, 24.46676, 0.644152))


@pytest.mark.parametrize('impl', IMPLS)
def test_golden_vector_g2_ignored_pixels_deleted(impl):
    keep = [0, 1, 2, 4, 5, 7]
    rows, logits = golden_features(8), golden_logits(8)
    labels = torch.tensor(SEG_LABELS)[keep]
    loss = paco_loss(
        rows[keep],
        labels,
        logits[keep],
        alpha=0.01,
        temperature=0.07,
        impl=impl,
    )
    check(loss, rows, logits, (7.0797147, 49.61398, 1.051135))


def test_centers_are_not_divided_by_the_temperature():
    rows, logits = golden_features(10), golden_logits(6)
    features, targets, extra = split(rows, VIEW + VIEW + QUEUE, 6)
    prior = log_class_prior(COUNTS, torch.float64)
    wrong = paco_loss(
        features,
        targets,
        (logits + prior) / 0.2,
        alpha=0.05,
        temperature=0.2,
        **extra,
    )
    assert wrong.item() == pytest.approx(11.33358, abs=1e-4)


def loop_loss(
    features,
    labels,
    logits,
    extra,
    extra_labels,
    alpha,
    beta,
    gamma,
    temperature,
    smoothing,
    ignore,
):
    """The definition in plain Python, one pair at a time."""
    rows = np.concatenate([features, extra])
    all_labels = np.concatenate([labels, extra_labels])
    losses, num_classes = [], logits.shape[1]
    for i in range(len(features)):
        if labels[i] == ignore:
            losses.append(0.0)
            continue
        z = sum(math.exp(u) for u in logits[i])
        for j in range(len(rows)):
            if j != i:
                z += gamma * math.exp(features[i] @ rows[j] / temperature)
        total, weight = 0.0, 0.0
        for c in range(num_classes):
            t = (
                1 - smoothing
                if c == labels[i]
                else smoothing / (num_classes - 1)
            )
            total += beta * t * (logits[i, c] - math.log(z))
            weight += beta * t
        for j in range(len(rows)):
            if j != i and all_labels[j] == labels[i]:
                total += alpha * (
                    features[i] @ rows[j] / temperature - math.log(z)
                )
                weight += alpha
        losses.append(-total / weight)
    return np.array(losses)


@st.composite
def cases(draw):
    case = draw(contrast_cases())
    return dict(
        case,
        class_counts=draw(st.sampled_from([None, case['class_counts']])),
        alpha=draw(st.sampled_from([0.0, 0.01, 0.05, 1.0])),
        beta=draw(st.sampled_from([0.5, 1.0])),
        gamma=draw(st.sampled_from([0.0, 0.3, 1.0])),
        label_smoothing=draw(st.sampled_from([0.0, 0.1])),
    )


def check_tiled(case, tile_elements):
    """Under an upstream gradient that is not uniform."""
    return assert_tiled_is_dense(
        lambda case, impl: paco_loss(**case, reduction='none', impl=impl),
        case,
        tile_elements,
        torch.linspace(-1, 2, len(case['labels']), dtype=torch.float64),
    )


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(cases(), st.integers(1, 300))
def test_tiled_equals_dense_in_ten_thousand_cases(case, tile_elements):
    check_tiled(case, tile_elements)


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(1, 300))
def test_tiled_equals_dense_equals_the_definition(case, tile_elements):
    """Values and gradients under an upstream gradient that is not uniform."""
    tiled = check_tiled(case, tile_elements)
    logits = case['center_logits']
    if case['class_counts'] is not None:
        logits = logits + log_class_prior(case['class_counts'], torch.float64)
    expected = loop_loss(
        case['features'].numpy(),
        case['labels'].numpy(),
        logits.numpy(),
        case['extra_features'].numpy(),
        case['extra_labels'].numpy(),
        case['alpha'],
        case['beta'],
        case['gamma'],
        case['temperature'],
        case['label_smoothing'],
        case['ignore_index'],
    )
    np.testing.assert_allclose(
        tiled.detach().numpy(), expected, rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize('with_extra', (True, False))
def test_gradcheck_of_the_tiled_form(with_extra):
    torch.manual_seed(0)
    labels = torch.tensor([0, 1, 1, 255, 2])
    extra = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)

    def loss(features, logits, extra):
        return paco_loss(
            features,
            labels,
            logits,
            extra if with_extra else None,
            torch.tensor([2, 0, 255, 1]) if with_extra else None,
            torch.tensor([5, 3, 1]),
            alpha=0.1,
            temperature=0.5,
            label_smoothing=0.1,
            ignore_index=255,
            reduction='none',
        )

    inputs = [
        torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
        for _ in range(2)
    ]
    assert torch.autograd.gradcheck(loss, (*inputs, extra))


@pytest.mark.parametrize('impl', IMPLS)
@pytest.mark.parametrize(
    'labels',
    ([1, 1, 1, 1], [0, 1, 2, 3], [2]),
    ids=('one class', 'singletons', 'one anchor'),
)
def test_edge_cases_are_finite(labels, impl):
    rows, logits = golden_features(len(labels)), golden_logits(len(labels))
    loss = paco_loss(
        rows,
        torch.tensor(labels),
        logits,
        alpha=0.05,
        temperature=0.2,
        impl=impl,
    )
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(rows.grad).all()
    if labels == [2]:
        # Nothing to contrast with: plain cross-entropy.
        expected = torch.nn.functional.cross_entropy(
            logits, torch.tensor(labels)
        )
        torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize('impl', IMPLS)
def test_no_valid_anchor_is_an_exact_zero_with_a_graph(impl):
    rows, logits = golden_features(4), golden_logits(4)
    loss = paco_loss(
        rows,
        torch.full((4,), 9),
        logits,
        alpha=0.05,
        temperature=0.2,
        ignore_index=9,
        impl=impl,
    )
    assert loss.item() == 0.0
    loss.backward()
    assert (rows.grad == 0).all()
    assert (logits.grad == 0).all()


@pytest.mark.parametrize('dtype', (torch.float16, torch.bfloat16))
def test_half_precision_inputs_accumulate_in_float32(dtype):
    """As good as the float64 loss of the very same rounded inputs."""
    torch.manual_seed(0)
    rows = torch.nn.functional.normalize(torch.randn(300, 16), dim=1)
    rows, logits = rows.to(dtype), torch.randn(300, 7).to(dtype)
    labels = torch.randint(0, 7, (300,))
    arguments = dict(alpha=0.05, temperature=0.07)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = paco_loss(rows, labels, logits, **arguments)
    expected = paco_loss(rows.double(), labels, logits.double(), **arguments)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('reduction', ('mean', 'sum'))
def test_reductions(reduction):
    rows, logits = golden_features(8), golden_logits(8)
    arguments = dict(alpha=0.01, temperature=0.07, ignore_index=IGNORE)
    labels = torch.tensor(SEG_LABELS)
    each = paco_loss(rows, labels, logits, **arguments, reduction='none')
    got = paco_loss(rows, labels, logits, **arguments, reduction=reduction)
    assert (each[labels == IGNORE] == 0).all()
    expected = each.sum() / (6 if reduction == 'mean' else 1)
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize(
    'alpha, num_positives', ((0.05, 8), (0.5, 3), (1.0, 1))
)
def test_remark_2_optimal_probabilities(alpha, num_positives):
    """Free similarities and logits settle at a/(1+aK) and 1/(1+aK)."""
    # Contrast rows of a unit matrix make every similarity a free variable.
    contrasts = torch.eye(num_positives + 2, dtype=torch.float64)
    contrast_labels = torch.tensor([0] * num_positives + [1, 2])
    anchor = torch.zeros(
        1, num_positives + 2, dtype=torch.float64, requires_grad=True
    )
    logits = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [anchor, logits],
        lr=0.5,
        max_iter=2000,
        tolerance_grad=1e-12,
        tolerance_change=1e-16,
    )

    def closure():
        optimizer.zero_grad()
        loss = paco_loss(
            anchor,
            torch.tensor([0]),
            logits,
            contrasts,
            contrast_labels,
            alpha=alpha,
            temperature=1.0,
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    scores = torch.cat([logits[0], anchor[0]]).detach().softmax(0)
    center, pairs = scores[0], scores[3 : 3 + num_positives]
    expected = 1 / (1 + alpha * num_positives)
    assert center.item() == pytest.approx(expected, abs=1e-4)
    assert pairs.numpy() == pytest.approx(alpha * expected, abs=1e-4)


def test_remark_1_supervised_contrast_settles_at_1_over_k():
    """Where the center has no weight, each of K pairs gets 1/K."""
    num_positives = 4
    contrasts = torch.eye(num_positives + 1, dtype=torch.float64)
    labels = torch.tensor([0] * num_positives + [1])
    anchor = torch.zeros(
        1, num_positives + 1, dtype=torch.float64, requires_grad=True
    )
    logits = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([anchor, logits], lr=0.5, max_iter=2000)

    def closure():
        optimizer.zero_grad()
        loss = paco_loss(
            anchor,
            torch.tensor([0]),
            logits,
            contrasts,
            labels,
            alpha=1.0,
            beta=1e-9,
            temperature=1.0,
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    scores = torch.cat([logits[0], anchor[0]]).detach().softmax(0)
    assert scores[2 : 2 + num_positives].numpy() == pytest.approx(
        1 / num_positives, abs=1e-3
    )


def good_inputs(**changes):
    inputs = dict(
        features=torch.ones(3, 2),
        labels=torch.tensor([0, 1, 1]),
        center_logits=torch.ones(3, 2),
    )
    inputs.update(changes)
    return inputs


@pytest.mark.parametrize(
    'changes, error, message',
    (
        (
            dict(features=torch.ones(3, 2, 1, 1)),
            ValueError,
            'features must have',
        ),
        (
            dict(features=torch.ones(3, 2).long()),
            TypeError,
            'must be floating',
        ),
        (dict(labels=torch.ones(3)), TypeError, 'labels must be int64'),
        (dict(labels=torch.tensor([0, 1])), ValueError, 'one label for'),
        (dict(center_logits=torch.ones(2, 2)), ValueError, 'center_logits'),
        (dict(center_logits=torch.ones(3)), ValueError, 'center_logits'),
        (dict(center_logits=torch.ones(3, 2).int()), TypeError, 'floating'),
        (dict(extra_features=torch.ones(1, 2)), ValueError, 'go together'),
        (
            dict(
                extra_features=torch.ones(1, 3), extra_labels=torch.tensor([0])
            ),
            ValueError,
            '2 dimensions',
        ),
        (
            dict(
                extra_features=torch.ones(2, 2), extra_labels=torch.tensor([0])
            ),
            ValueError,
            'one label for',
        ),
        (dict(class_counts=torch.ones(3)), ValueError, 'one class count'),
    ),
)
def test_bad_input_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        paco_loss(**good_inputs(**changes), alpha=0.05, temperature=0.2)


@pytest.mark.parametrize(
    'name, value',
    (
        ('alpha', -0.1),
        ('alpha', math.nan),
        ('temperature', 0.0),
        ('temperature', -1.0),
        ('temperature', math.inf),
        ('gamma', -1.0),
        ('beta', 0.0),
        ('base_temperature', 0.0),
        ('label_smoothing', 1.0),
        ('reduction', 'max'),
        ('impl', 'sparse'),
    ),
)
def test_parameter_out_of_range_is_refused(name, value):
    arguments = {**dict(alpha=0.05, temperature=0.2), name: value}
    with pytest.raises(ValueError, match=name):
        PaCoLoss(**arguments)
    with pytest.raises(ValueError, match=name):
        paco_loss(**good_inputs(), **arguments)


def test_no_gradient_is_formed_where_none_is_wanted():
    rows, logits = golden_features(10).detach(), golden_logits(6)
    features, targets, extra = split(rows, VIEW + VIEW + QUEUE, 6)
    loss = paco_loss(
        features, targets, logits, alpha=0.05, temperature=0.2, **extra
    )
    loss.backward()
    assert rows.grad is None
    with torch.no_grad():
        assert (
            paco_loss(
                features, targets, logits, alpha=0.05, temperature=0.2
            ).grad_fn
            is None
        )
