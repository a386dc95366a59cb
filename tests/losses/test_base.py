"""The contract of contrastive losses, for ours and for one's own."""

import inspect
import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from support.prototype_loss import PrototypeLoss

from mmpaco.losses import (
    ContrastiveLoss,
    MultiTaskLoss,
    PaCoLoss,
    SupConLoss,
    base,
    paco_loss,
)

COUNTS = torch.tensor([7, 2, 1])


LOSSES = (
    lambda **options: PaCoLoss(0.05, 0.2, **options),
    lambda **options: SupConLoss(0.2, **options),
    lambda **options: MultiTaskLoss(reweight=True, **options),
    lambda **options: PrototypeLoss(0.2, **options),
)


def inputs(dtype=torch.float32, scores=None):
    generator = torch.Generator().manual_seed(0)
    rows = F.normalize(torch.randn(9, 4, generator=generator), dim=1)
    return dict(
        features=rows[:6].to(dtype),
        labels=torch.tensor([0, 1, 2, 0, 1, 1], dtype=torch.int32),
        center_logits=torch.randn(6, 3, generator=generator).to(
            scores or dtype
        ),
        extra_features=rows[6:].to(dtype),
        extra_labels=torch.tensor([2, 0, 1]),
        class_counts=COUNTS,
    )


@pytest.mark.parametrize('make', LOSSES)
@pytest.mark.parametrize('counts', (torch.int64, torch.float64, torch.float16))
@pytest.mark.parametrize(
    'rows, scores, expected',
    (
        (torch.float16, torch.float16, torch.float32),
        (torch.bfloat16, torch.float32, torch.float32),
        (torch.float32, torch.float32, torch.float32),
        (torch.float64, torch.float32, torch.float64),
        (torch.float32, torch.float64, torch.float64),
    ),
)
def test_rows_and_scores_decide_the_dtype(
    make, counts, rows, scores, expected
):
    given = inputs(rows, scores)
    given['class_counts'] = COUNTS.to(counts)
    assert make()(**given).dtype == expected


@pytest.mark.parametrize('make', LOSSES)
def test_whole_counts_lose_nothing_in_float64(make):
    """A prior in float32 would be off by 1e-8."""
    given = inputs(torch.float64)
    found = make()(**given)
    given['class_counts'] = COUNTS.double()
    assert abs(float(found - make()(**given))) < 1e-15


@pytest.mark.parametrize('make', LOSSES)
def test_reductions_agree_and_ignored_anchors_add_nothing(make):
    given = inputs()
    each = make(reduction='none')(**given)
    assert each.shape == (6,)
    torch.testing.assert_close(make()(**given), each.mean())
    torch.testing.assert_close(make(reduction='sum')(**given), each.sum())


@pytest.mark.parametrize('make', LOSSES[:3])
def test_where_nothing_is_counted_the_loss_is_zero_with_a_graph(make):
    given = inputs()
    given['labels'] = torch.full((6,), 255)
    given['features'].requires_grad_()
    loss = make(ignore_index=255)(**given)
    assert loss.item() == 0
    (grad,) = torch.autograd.grad(loss, given['features'])
    assert not grad.any()


@pytest.mark.parametrize('make', LOSSES)
def test_no_extra_rows_are_as_zero_of_them(make):
    given = inputs()
    given['extra_features'] = torch.zeros(0, 4)
    given['extra_labels'] = torch.zeros(0, dtype=torch.int64)
    empty = make()(**given)
    given['extra_features'] = given['extra_labels'] = None
    assert torch.equal(make()(**given), empty)


@pytest.mark.parametrize('make', LOSSES)
@pytest.mark.parametrize(
    'changes, error, message',
    (
        (dict(features=torch.zeros(6)), ValueError, 'features must have'),
        (dict(labels=torch.zeros(6)), TypeError, 'labels must be int64'),
        (dict(labels=torch.zeros(5).long()), ValueError, 'one label'),
        (dict(center_logits=torch.zeros(5, 3)), ValueError, 'N=6'),
        (dict(extra_labels=None), ValueError, 'go together'),
        (dict(extra_features=torch.zeros(3, 5)), ValueError, 'dimensions'),
        (dict(class_counts=torch.ones(4)), ValueError, 'one class count'),
    ),
)
def test_every_loss_refuses_the_same_inputs(make, changes, error, message):
    with pytest.raises(error, match=message):
        make()(**{**inputs(), **changes})


@pytest.mark.parametrize('make', LOSSES)
@pytest.mark.parametrize(
    'options, message',
    (
        (dict(reduction='max'), 'reduction must be one of'),
        (dict(impl='fast'), 'impl must be one of'),
        (dict(base_temperature=0.0), 'base_temperature must be finite'),
        (dict(base_temperature=math.inf), 'base_temperature must be finite'),
    ),
)
def test_every_loss_refuses_the_same_arguments(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


@pytest.mark.parametrize('make', LOSSES)
def test_a_printed_loss_shows_all_arguments(make):
    loss = make()
    shown = repr(loss)
    for kind in type(loss).__mro__:
        if not issubclass(kind, ContrastiveLoss):
            continue
        for name in inspect.signature(kind).parameters:
            if name != 'kwargs':
                assert f'{name}={getattr(loss, name)!r}' in shown


def test_a_loss_of_ones_own_has_no_dense_form_unless_it_says_so():
    with pytest.raises(ValueError, match='PrototypeLoss has no dense form'):
        PrototypeLoss(0.2, impl='dense')


def test_a_loss_without_a_method_says_which():
    with pytest.raises(NotImplementedError, match='anchor_losses'):
        ContrastiveLoss(0.2)(**inputs())


@pytest.mark.parametrize('dtype', (torch.bfloat16,))
def test_autocast_changes_nothing_inside(dtype):
    expected = PrototypeLoss(0.2)(**inputs())
    with torch.autocast('cpu', dtype=dtype):
        assert torch.equal(PrototypeLoss(0.2)(**inputs()), expected)


@pytest.mark.parametrize('make', LOSSES[:3])
@pytest.mark.parametrize('impl', ('tiled', 'dense'))
@pytest.mark.parametrize('name', ('labels', 'extra_labels'))
@pytest.mark.parametrize('wrong', (3, 255, -1, -100))
def test_a_label_that_is_no_class_is_refused(make, impl, name, wrong):
    given = inputs()
    given[name] = given[name].clone()
    given[name][1] = wrong
    loss = make(impl=impl, ignore_index=7)
    with pytest.raises(ValueError, match=rf'lie in \[0, 3\).*\[{wrong}\]'):
        loss(**given)
    given[name][1] = 7
    assert loss(**given).isfinite()


def test_rows_that_are_not_normalised_are_told_once(monkeypatch):
    monkeypatch.setattr(base, '_TOLD_OF_LENGTHS', [])
    given = inputs()
    given['features'] = 3 * given['features']
    given['features'][0] = 0
    with pytest.warns(UserWarning, match='length one.*lengths of 0 to 3'):
        paco_loss(**given, alpha=0.05, temperature=0.2)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        paco_loss(**given, alpha=0.05, temperature=0.2)


@pytest.mark.parametrize(
    'dtype', (torch.float64, torch.float32, torch.float16, torch.bfloat16)
)
def test_rows_that_were_normalised_in_any_precision_are_not_told(
    monkeypatch, dtype
):
    monkeypatch.setattr(base, '_TOLD_OF_LENGTHS', [])
    rows = torch.randn(4096, 128).to(dtype)
    rows = rows / rows.norm(dim=1, keepdim=True)
    rows[5] = 0
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        SupConLoss(0.2)(rows, torch.arange(4096) % 3, torch.zeros(4096, 3))


@pytest.mark.parametrize('impl', ('tiled', 'dense'))
def test_a_class_that_is_masked_out_by_its_score_has_no_part(impl):
    given = inputs(torch.float64)
    given['center_logits'] = given['center_logits'].requires_grad_()
    masked = torch.cat(
        [given['center_logits'], torch.full((6, 1), -math.inf).double()], 1
    )
    del given['class_counts']
    loss = PaCoLoss(0.05, 0.2, impl=impl)
    expected = loss(**given)
    found = loss(**{**given, 'center_logits': masked})
    torch.testing.assert_close(found, expected)
    (grad,) = torch.autograd.grad(found, given['center_logits'])
    assert grad.isfinite().all()


def test_a_beta_that_float32_rounds_to_zero_is_refused():
    with pytest.raises(ValueError, match='beta must be finite and at least'):
        PaCoLoss(0.05, 0.2, beta=1e-50)


@pytest.mark.parametrize(
    'wrong, told',
    (
        (lambda n: torch.arange(1.0 * n)[:, None], r'\(6,\), but gave .*6, 1'),
        (lambda n: torch.tensor(1.0), r'\(6,\), but gave torch.Size\(\[\]\)'),
        (lambda n: None, 'but gave None'),
    ),
)
def test_a_loss_of_ones_own_that_gives_another_shape_is_told(wrong, told):
    class Wrong(ContrastiveLoss):
        def anchor_losses(self, batch):
            return wrong(len(batch.labels))

    with pytest.raises(ValueError, match=f'Wrong.anchor_losses.*{told}'):
        Wrong(0.2)(**inputs())


def test_a_second_derivative_of_the_scores_alone_raises():
    """What comes in has no graph then, if there are no contrasts."""
    given = inputs(torch.float64)
    names = ('features', 'center_logits')
    rows = [given[name].requires_grad_() for name in names]
    loss = PaCoLoss(alpha=0.05, temperature=0.2, gamma=0.0)(**given)
    grads = torch.autograd.grad(loss, rows, create_graph=True)
    with pytest.raises(RuntimeError, match='differentiated twice'):
        torch.autograd.grad(sum(x.square().sum() for x in grads), rows)


@pytest.mark.parametrize('make', LOSSES[:3])
@pytest.mark.parametrize('temperature', (0.2, 0.01))
def test_a_second_derivative_of_the_tiled_form_raises(make, temperature):
    """And is right in the dense form."""
    given = inputs(torch.float64)
    del given['extra_features'], given['extra_labels']
    given['features'].requires_grad_()
    for impl in ('tiled', 'dense'):
        loss = make(impl=impl)
        loss.temperature = temperature
        (grad,) = torch.autograd.grad(
            loss(**given), given['features'], create_graph=True
        )
        if impl == 'dense':
            torch.autograd.grad(grad.square().sum(), given['features'])
            continue
        with pytest.raises(RuntimeError, match='differentiated twice'):
            torch.autograd.grad(grad.square().sum(), given['features'])
