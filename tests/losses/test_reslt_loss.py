"""The loss of ResLT, against its release."""

import copy

import pytest
import torch
from support.released_losses import CLOSE, figures, wave

from mmpaco.losses import ResLTLoss


def branch_scores(num_images, num_classes, num_branches=3):
    """3 sin(1.3 i + 0.7 j + 0.5 k) for image i, class j, branch k."""
    i = torch.arange(num_images, dtype=torch.float64)[:, None]
    j = torch.arange(num_classes, dtype=torch.float64)
    return torch.stack(
        [
            3 * torch.sin(1.3 * i + 0.7 * j + 0.5 * k)
            for k in range(num_branches)
        ]
    )


CIFAR_LABELS = (0, 20, 35, 50, 70, 80, 99, 34)
# Of equal figures one is given: those of M and T in the first entry.
CIFAR = {
    0.995: (
        5.287245397,
        (0.9853775168, 0.1766918956, -0.06268033593),
        (0.6216385938, 0.1401703468, -0.0006243865915),
        (0.3803484393, 0.109558728, -0.0006243865915),
    ),
    0.99: (
        5.300281624,
        (0.9903239055, 0.1775772244, -0.06299288358),
        (0.6284128162, 0.1408899206, -0.001248773183),
        (0.3883351751, 0.1101325384, -0.001248773183),
    ),
    0.72: (
        6.004237894,
        (1.257428891, 0.2258583415, -0.07987045669),
        (0.9942208265, 0.1893566292, -0.03496564912),
        (0.8196189057, 0.160437678, -0.03496564912),
    ),
}
# Classes, beta, groups, what is added to the sum, labels; ImageNet-LT with
# the tail first.
RELEASED = {
    **{
        f'cifar {beta}': ((100, beta, (100, 65, 30), 0.0), CIFAR_LABELS, found)
        for beta, found in CIFAR.items()
    },
    'imagenet': (
        (1000, 0.99, (1000, 825, 220), 1e-7),
        (0, 219, 220, 500, 824, 825, 999, 100),
        (
            9.386256511,
            (0.9397512874, 0.1663699119, -0.05944346355),
            (0.7058905893, 0.143776159, -0.05942706483),
            (0.3569484016, 0.1010424832, -0.05933332618),
        ),
    ),
    'inaturalist': (
        (8142, 0.85, (8142, 6600), 0.0),
        (0, 3000, 6599, 6600, 8141),
        (
            11.8619427,
            (1.339571833, 0.2996388101, -0.1358265372),
            (0.9243953838, 0.2361412264, -0.136138358),
        ),
    ),
}


def counts_of(case, num_classes):
    """Rising or falling with the class, as its release has the order."""
    counts = torch.arange(1, num_classes + 1)
    return counts.flip(0) if case.startswith('cifar') else counts


@pytest.mark.parametrize('is_matrix', (False, True))
@pytest.mark.parametrize('case', RELEASED)
def test_loss_and_gradients_are_those_of_the_release(case, is_matrix):
    (num_classes, beta, groups, eps), labels, expected = RELEASED[case]
    counts = counts_of(case, num_classes)
    if is_matrix:
        groups = [(counts <= size).tolist() for size in groups]
        counts = None
    loss = ResLTLoss(num_classes, beta, groups, 1.0, counts, eps)
    assert loss.num_branches == len(expected) - 1
    scores = branch_scores(len(labels), num_classes, loss.num_branches)
    scores.requires_grad_()
    found = loss(scores, torch.tensor(labels), avg_factor=len(labels))
    found.backward()
    assert found.item() == pytest.approx(expected[0], **CLOSE)
    for gradient, theirs in zip(scores.grad, expected[1:]):
        assert figures(gradient)[:3] == pytest.approx(theirs, **CLOSE)


@pytest.mark.parametrize(
    'beta, case, expected',
    (
        *((1, 'cifar 0.72', 5.27420917), (0, 'cifar 0.72', 7.881454612)),
        *((1, 'imagenet', 9.345927391), (0, 'imagenet', 13.37883939)),
    ),
)
def test_parts_are_those_of_the_release(beta, case, expected):
    (num_classes, _, groups, eps), labels, _ = RELEASED[case]
    counts = counts_of(case, num_classes)
    loss = ResLTLoss(num_classes, beta, groups, 1.0, counts, eps)
    scores = branch_scores(len(labels), num_classes)
    found = loss(scores, torch.tensor(labels))
    assert found.item() == pytest.approx(expected, **CLOSE)


LABELS = torch.tensor([0, 1, 2, 3, 4, 0, 1, 0])
GROUPS = ((1, 1, 1, 1, 1), (0, 1, 0, 1, 1), (0, 0, 0, 0, 1))
SCORES = branch_scores(8, 5)


def test_groups_by_counts_are_the_rarest_and_ties_go_by_the_index():
    loss = ResLTLoss(5, 0.9, (5, 3, 1), class_counts=[9, 2, 2, 1, 2])
    assert loss.members().int().tolist() == [
        *([1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 0, 1, 0])
    ]
    by_hook = ResLTLoss(5, 0.9, (5, 3, 1))
    with pytest.raises(RuntimeError, match='ClassPriorHook'):
        by_hook(SCORES, LABELS)
    by_hook.prior.set_class_counts([9, 2, 2, 1, 2])
    assert torch.equal(by_hook(SCORES, LABELS), loss(SCORES, LABELS))
    restored = ResLTLoss(5, 0.9, (5, 3, 1))
    restored.load_state_dict(copy.deepcopy(by_hook.state_dict()))
    assert torch.equal(restored.members(), loss.members())


def test_gradients_are_those_of_differences():
    loss = ResLTLoss(5, 0.6, GROUPS, sum_eps=1e-7)
    scores = SCORES.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, LABELS), scores)


def test_what_a_branch_does_not_have_moves_it_by_the_sum_alone():
    scores = SCORES.clone().requires_grad_()
    ResLTLoss(5, 1, GROUPS)(scores, LABELS).backward()
    has = torch.tensor(GROUPS)[:, LABELS].bool()
    assert torch.equal(scores.grad.abs().sum(-1) > 0, has)
    # One branch of all classes is plain cross-entropy.
    one = ResLTLoss(5, 0.3, torch.ones(1, 5))(SCORES[:1], LABELS)
    plain = torch.nn.functional.cross_entropy(SCORES[0], LABELS)
    assert one.item() == pytest.approx(plain.item(), rel=1e-6)


def test_means_are_those_that_a_head_asks_for():
    loss, doubled = (ResLTLoss(5, 0.9, GROUPS, x) for x in (1.0, 2.0))
    each = loss(SCORES, LABELS, reduction_override='none')
    assert each.shape == LABELS.shape
    mean = loss(SCORES, LABELS)
    torch.testing.assert_close(mean, each.mean())
    torch.testing.assert_close(loss(SCORES, LABELS, avg_factor=16), mean / 2)
    torch.testing.assert_close(doubled(SCORES, LABELS), 2 * mean)
    half = loss(SCORES.half(), LABELS)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(mean.item(), rel=1e-3)


@pytest.mark.parametrize('num_images', (0, 3))
def test_batches_without_members_are_finite(num_images):
    loss = ResLTLoss(5, 1, ((0, 0, 0, 0, 1),))
    scores = torch.zeros(1, num_images, 5, requires_grad=True)
    found = loss(scores, torch.zeros(num_images, dtype=torch.int64))
    found.backward()
    assert found.item() == 0 and not scores.grad.any()


@pytest.mark.parametrize('size', (20.0, 200.0, 1e4))
def test_the_loss_of_a_branch_is_bounded(size):
    scores = (size * torch.eye(5)).expand(3, 5, 5).clone().requires_grad_()
    loss = ResLTLoss(5, 1, GROUPS)(scores, (torch.arange(5) + 1) % 5)
    loss.backward()
    assert loss.item() <= 16.2 and scores.grad.isfinite().all()


@pytest.mark.parametrize(
    'arguments, told',
    [
        ((1.5, GROUPS), 'beta must lie in'),
        ((float('nan'), GROUPS), 'beta must lie in'),
        ((0.9, GROUPS, 1.0, None, -1), 'sum_eps must lie in'),
        ((0.9, (5, 6)), 'numbers of classes from 1 to 5'),
        ((0.9, (5, 0)), 'numbers of classes from 1 to 5'),
        ((0.9, ()), 'must be a matrix'),
        ((0.9, (5.0, 3.0)), 'must be a matrix'),
        ((0.9, 'many'), 'must be a matrix'),
        ((0.9, [[1, 0]]), r'C=5 \(num_classes\)'),
        ((0.9, [[1, 0], [1]]), 'must be a matrix'),
        ((0.9, [[1, 2, 0, 0, 0]]), 'of 0 and 1'),
        ((0.9, [[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]), 'no class in row 1'),
        ((0.9, GROUPS, 1.0, [1, 2]), 'class counts'),
    ],
)
def test_what_cannot_be_a_loss(arguments, told):
    with pytest.raises(ValueError, match=told):
        ResLTLoss(5, *arguments)


def test_nobody_waits_for_a_device(monkeypatch):
    """Once the counts have been read, at the first loss."""
    # Here, since mmengine may be missing.
    HostReads = pytest.importorskip('support.host_reads').HostReads
    monkeypatch.setattr(torch.Tensor, 'is_cpu', False)
    loss = ResLTLoss(5, 0.9, (5, 3, 1), class_counts=[9, 2, 2, 1, 2])
    scores = SCORES.clone().requires_grad_()
    loss(scores, LABELS)
    with HostReads() as reads:
        loss(scores, LABELS, avg_factor=8).backward()
    assert reads.by == []


def test_what_cannot_be_scores_or_labels():
    loss = ResLTLoss(5, 0.9, GROUPS)
    for scores in (SCORES[0], SCORES[:2], SCORES[..., :4]):
        with pytest.raises(ValueError, match=r'E=3 branches and C=5'):
            loss(scores, LABELS)
    with pytest.raises(ValueError, match='of 8 images'):
        loss(SCORES, LABELS[:3])
    with pytest.raises(ValueError, match='labels must lie in'):
        loss(SCORES, LABELS + 1)


def test_on_a_plain_batch_of_features():
    """As in a loop of one's own: it trains a classifier of three branches."""
    torch.manual_seed(0)
    layers = torch.nn.ModuleList(torch.nn.Linear(6, 5) for _ in range(3))
    features = wave(8, 6).float()
    loss = ResLTLoss(5, 0.9, (5, 3, 1), class_counts=[5, 4, 3, 2, 1])
    optimizer = torch.optim.SGD(layers.parameters(), 1.0)
    found = []
    for _ in range(60):
        value = loss(torch.stack([x(features) for x in layers]), LABELS)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        found.append(value.item())
    assert found[-1] < 0.5 * found[0]
