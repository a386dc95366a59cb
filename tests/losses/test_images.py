"""Several images in one call: each is contrasted with itself alone."""

import pytest
import torch
import torch.nn.functional as F
from support.prototype_loss import PrototypeLoss

from mmpaco.losses import MultiTaskLoss, PaCoLoss, SupConLoss, base

CLASSES, IGNORE = 4, 255
COUNTS = torch.tensor([9, 5, 2, 1])
LOSSES = {
    'paco': lambda **options: PaCoLoss(0.05, 0.2, **options),
    'smoothed': lambda **options: PaCoLoss(
        0.05, 0.2, gamma=0.5, label_smoothing=0.1, **options
    ),
    'cold': lambda **options: PaCoLoss(0.05, 0.01, **options),
    'supcon': lambda **options: SupConLoss(0.2, **options),
    'multi-task': lambda **options: MultiTaskLoss(reweight=True, **options),
}


def images(num_extra, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def rows(*shape):
        made = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return F.normalize(made, dim=-1).requires_grad_()

    labels = torch.randint(0, CLASSES, (3, 11), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.3] = IGNORE
    # An image without an anchor.
    labels[1] = IGNORE
    made = dict(
        features=rows(3, 11, 6),
        labels=labels,
        center_logits=torch.randn(
            3, 11, CLASSES, generator=generator, dtype=torch.float64
        ).requires_grad_(),
    )
    if num_extra:
        made['extra_features'] = rows(3, num_extra, 6)
        made['extra_labels'] = torch.randint(
            0, CLASSES, (3, num_extra), generator=generator
        )
    return made


def one(made, index):
    return {name: value[index] for name, value in made.items()}


@pytest.mark.parametrize('num_extra', (0, 7))
@pytest.mark.parametrize('impl', ('tiled', 'dense'))
@pytest.mark.parametrize('name', LOSSES)
@pytest.mark.parametrize('reduction', ('mean', 'sum', 'none'))
def test_a_call_for_all_images_is_one_for_each(
    name, impl, num_extra, reduction
):
    loss = LOSSES[name](impl=impl, ignore_index=IGNORE, reduction=reduction)
    made = images(num_extra)
    found = loss(**made, class_counts=COUNTS)
    each = torch.stack(
        [loss(**one(made, i), class_counts=COUNTS) for i in range(3)]
    )
    expected = {
        'mean': each.mean,
        'sum': each.sum,
        'none': lambda: each,
    }[reduction]()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    trained = [x for x in made.values() if x.requires_grad]
    upstream = torch.linspace(0.2, 2, found.numel()).double()
    upstream = upstream.view(found.shape)
    for ours, theirs in zip(
        torch.autograd.grad(found, trained, upstream, allow_unused=True),
        torch.autograd.grad(expected, trained, upstream, allow_unused=True),
    ):
        if theirs is None:
            assert ours is None
            continue
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_an_image_without_anchors_adds_zero_and_counts():
    loss = LOSSES['paco'](ignore_index=IGNORE)
    made = images(0)
    each = [loss(**one(made, i)) for i in range(3)]
    assert each[1] == 0
    torch.testing.assert_close(loss(**made), (each[0] + each[2]) / 3)


def test_a_loss_of_ones_own_gets_one_image_at_a_time():
    loss = PrototypeLoss(0.2)
    made = images(5)
    made['labels'] = made['labels'].clamp(max=CLASSES - 1)
    each = [loss(**one(made, i)) for i in range(3)]
    torch.testing.assert_close(loss(**made), sum(each) / 3)


@pytest.mark.parametrize(
    'name, shape, message',
    (
        ('labels', (11,), 'labels must have shape'),
        ('labels', (2, 11), 'labels must have shape'),
        ('center_logits', (11, 4), 'center_logits must have shape'),
        ('extra_features', (7, 6), 'extra_labels must have shape'),
        ('extra_features', (2, 7, 6), 'extra_labels must have shape'),
    ),
)
def test_images_that_do_not_fit_are_refused(name, shape, message):
    made = images(7)
    made[name] = torch.zeros(shape, dtype=made[name].dtype)
    with pytest.raises(ValueError, match=message):
        LOSSES['paco']()(**made)


def test_extra_rows_of_another_number_of_images_are_refused():
    made = images(7)
    made['extra_features'] = made['extra_features'][:2]
    made['extra_labels'] = made['extra_labels'][:2]
    with pytest.raises(ValueError, match='those of each image'):
        LOSSES['paco']()(**made)


class Mine(PaCoLoss):
    """Written for the rows of one image, as its base need not be."""

    def anchor_losses(self, batch):
        mean = batch.features.mean(0)
        similar = (batch.features * mean).sum(-1)
        return super().anchor_losses(batch) + 1 - similar


def test_a_subclass_of_a_loss_that_takes_images_gets_one_at_a_time():
    made = images(0)
    made['labels'] = made['labels'].clamp(max=CLASSES - 1)
    each = [Mine(0.1, 0.2)(**one(made, i)) for i in range(3)]
    torch.testing.assert_close(Mine(0.1, 0.2)(**made), sum(each) / 3)


@pytest.mark.parametrize('name', LOSSES)
@pytest.mark.parametrize('impl', ('tiled', 'dense'))
@pytest.mark.parametrize('reduction', ('mean', 'sum', 'none'))
def test_no_image_is_a_zero_with_a_graph(name, impl, reduction):
    made = {name: value[:0] for name, value in images(0).items()}
    loss = LOSSES[name](impl=impl, reduction=reduction)
    found = loss(**made, class_counts=COUNTS)
    assert found.shape == ((0, 11) if reduction == 'none' else ())
    assert found.sum().item() == 0
    found.sum().backward()


def test_a_label_that_nobody_could_read_is_no_class_of_the_next_image(
    monkeypatch,
):
    """As on a device, where indexing stops at it."""
    monkeypatch.setattr(base, 'is_readable', lambda tensor: False)
    made = images(0)
    made['labels'] = torch.zeros(3, 11, dtype=torch.int64)
    made['labels'][0, 3] = CLASSES + 1
    with pytest.raises((IndexError, RuntimeError)):
        SupConLoss(0.2)(**made)
