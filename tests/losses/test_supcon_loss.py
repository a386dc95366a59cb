"""Supervised contrast: the definition, the tiled form, its edges."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from support.loss_cases import (
    IMPLS,
    assert_tiled_is_dense,
    contrast_cases,
    golden_features,
)
from torch._subclasses.fake_tensor import FakeTensorMode

from mmpaco.losses import SupConLoss, paco_loss, supcon_loss


def loop_loss(
    features, labels, extra_features, extra_labels, temperature, ignore_index
):
    """The definition in plain Python, one pair at a time."""
    rows = np.concatenate([features, extra_features])
    all_labels = np.concatenate([labels, extra_labels])
    losses = []
    for i in range(len(features)):
        others = [j for j in range(len(rows)) if j != i]
        positives = [j for j in others if all_labels[j] == labels[i]]
        if labels[i] == ignore_index or not positives:
            losses.append(0.0)
            continue
        similarity = {j: features[i] @ rows[j] / temperature for j in others}
        z = sum(math.exp(similarity[j]) for j in others)
        log_p = [similarity[j] - math.log(z) for j in positives]
        losses.append(-sum(log_p) / len(positives))
    return np.array(losses)


def of_case(case, impl):
    case = dict(case)
    del case['class_counts']
    case['num_classes'] = case.pop('center_logits').shape[1]
    return supcon_loss(**case, reduction='none', impl=impl)


@settings(max_examples=80, deadline=None)
@given(contrast_cases(), st.integers(1, 300))
def test_tiled_equals_dense_equals_the_definition(case, tile_elements):
    """Values and gradients under an upstream gradient that is not uniform."""
    upstream = torch.linspace(-1, 2, len(case['labels']), dtype=torch.float64)
    tiled = assert_tiled_is_dense(of_case, case, tile_elements, upstream)
    names = ('features', 'labels', 'extra_features', 'extra_labels')
    expected = loop_loss(
        *(case[name].numpy() for name in names),
        case['temperature'],
        case['ignore_index'],
    )
    np.testing.assert_allclose(
        tiled.detach().numpy(), expected, rtol=1e-6, atol=1e-6
    )


@settings(max_examples=50, deadline=None)
@given(contrast_cases())
def test_it_is_the_limit_of_paco_without_centers(case):
    """Scores of minus infinity and a center of no weight leave SupCon."""
    ours = of_case(case, 'tiled')
    del case['class_counts']
    case['center_logits'] = torch.full_like(case['center_logits'], -1e4)
    paco = paco_loss(**case, alpha=1.0, beta=1e-12, reduction='none')
    has_positive = ours != 0
    torch.testing.assert_close(
        ours[has_positive], paco[has_positive], rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize('with_extra', (True, False))
def test_gradcheck_of_the_tiled_form(with_extra):
    torch.manual_seed(0)
    labels = torch.tensor([0, 1, 1, 255, 2, 0])
    features = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    extra = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)

    def loss(features, extra):
        return supcon_loss(
            features,
            labels,
            4,
            extra if with_extra else None,
            torch.tensor([3, 0, 255, 1]) if with_extra else None,
            temperature=0.5,
            ignore_index=255,
            reduction='none',
        )

    assert torch.autograd.gradcheck(loss, (features, extra))


@pytest.mark.parametrize('impl', IMPLS)
@pytest.mark.parametrize(
    'labels, ignore_index',
    (([0, 1, 2, 3], None), ([2], None), ([9, 9, 9], 9), ([], None)),
    ids=('singletons', 'one anchor', 'all ignored', 'no anchor'),
)
def test_without_positives_it_is_an_exact_zero_with_a_graph(
    labels, ignore_index, impl
):
    rows = golden_features(len(labels))
    for temperature in (0.2, 0.01):
        loss = supcon_loss(
            rows,
            torch.tensor(labels, dtype=torch.int64),
            4,
            temperature=temperature,
            ignore_index=ignore_index,
            impl=impl,
        )
        assert loss.item() == 0.0
        (grad,) = torch.autograd.grad(loss, rows)
        assert (grad == 0).all()


@pytest.mark.parametrize('impl', IMPLS)
def test_anchors_without_positives_count_in_the_mean(impl):
    """Two of five anchors have positives, and one is ignored."""
    rows = golden_features(5)
    labels = torch.tensor([0, 0, 1, 2, 9])
    arguments = dict(temperature=0.2, ignore_index=9, impl=impl)
    each = supcon_loss(rows, labels, 3, **arguments, reduction='none')
    assert (each[:2] > 0).all() and (each[2:] == 0).all()
    mean = supcon_loss(rows, labels, 3, **arguments)
    torch.testing.assert_close(mean, each.sum() / 4)
    total = supcon_loss(rows, labels, 3, **arguments, reduction='sum')
    torch.testing.assert_close(total, each.sum())


def test_base_temperature_is_a_factor():
    rows, labels = golden_features(6), torch.tensor([0, 0, 1, 1, 0, 2])
    plain = supcon_loss(rows, labels, 3, temperature=0.2)
    scaled = supcon_loss(
        rows, labels, 3, temperature=0.2, base_temperature=0.1
    )
    torch.testing.assert_close(scaled, 2 * plain)


@pytest.mark.parametrize('dtype', (torch.float16, torch.bfloat16))
def test_half_precision_inputs_accumulate_in_float32(dtype):
    """As good as the float64 loss of the very same rounded inputs."""
    torch.manual_seed(0)
    rows = F.normalize(torch.randn(300, 16), dim=1).to(dtype)
    labels = torch.randint(0, 7, (300,))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = supcon_loss(rows, labels, 7, temperature=0.07)
    expected = supcon_loss(rows.double(), labels, 7, temperature=0.07)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-5)


def test_module_takes_of_the_scores_their_number_alone():
    rows = golden_features(9)
    labels, extra_labels = torch.tensor([0, 0, 1, 1, 2]), torch.arange(4)
    logits = torch.randn(5, 4, requires_grad=True)
    loss = SupConLoss(temperature=0.2)(
        rows[:5], labels, logits, rows[5:], extra_labels, torch.ones(4)
    )
    expected = supcon_loss(
        rows[:5], labels, 4, rows[5:], extra_labels, temperature=0.2
    )
    assert torch.equal(loss, expected)
    (grad,) = torch.autograd.grad(loss, logits, allow_unused=True)
    assert grad is None


@pytest.mark.parametrize('impl', IMPLS)
def test_no_value_is_read(impl):
    """A device would be waited for; a fake tensor has no value to read."""
    with FakeTensorMode():
        features = torch.empty(300, 8, requires_grad=True)
        labels = torch.empty(300, dtype=torch.int64)
        loss = supcon_loss(
            features,
            labels,
            5,
            torch.empty(70, 8),
            labels[:70],
            temperature=0.07,
            ignore_index=3,
            impl=impl,
        )
        loss.backward()
        assert features.grad.shape == (300, 8)


@pytest.mark.parametrize(
    'changes, error, message',
    (
        (dict(features=torch.ones(3)), ValueError, 'features must have'),
        (dict(labels=torch.ones(4)), TypeError, 'labels must be int64'),
        (dict(labels=torch.zeros(3).long()), ValueError, 'one label for'),
        (dict(extra_features=torch.ones(2, 5)), ValueError, 'go together'),
        (
            dict(
                extra_features=torch.ones(2, 3),
                extra_labels=torch.zeros(2).long(),
            ),
            ValueError,
            '5 dimensions',
        ),
        (dict(num_classes=0), ValueError, 'num_classes must be positive'),
        (dict(temperature=0.0), ValueError, 'temperature must be finite'),
        (dict(base_temperature=math.nan), ValueError, 'base_temperature'),
        (dict(reduction='max'), ValueError, 'reduction must be one of'),
        (dict(impl='fast'), ValueError, 'impl must be one of'),
    ),
)
def test_bad_input_is_refused(changes, error, message):
    inputs = dict(
        features=torch.ones(4, 5),
        labels=torch.zeros(4, dtype=torch.int64),
        num_classes=2,
        temperature=0.2,
    )
    with pytest.raises(error, match=message):
        supcon_loss(**{**inputs, **changes})
