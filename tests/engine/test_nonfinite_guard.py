"""When values that are not finite are told, on a host and on a device."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from mmengine.logging import MessageHub
from torch import nn

from mmpaco.engine.nonfinite_guard import NonFiniteGuard
from mmpaco.losses import PaCoLoss, base
from mmpaco.losses.contrast_range import longest_rows


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.projector = nn.Linear(3, 2)
        self.guard = NonFiniteGuard('Head', self.projector)

    def forward(self, x):
        embeddings = self.projector(x)
        loss = embeddings.square().sum()
        self.guard(loss, embeddings, 0.07, x)
        return loss


@pytest.fixture
def head():
    MessageHub.get_current_instance().update_info('iter', 41)
    torch.manual_seed(0)
    yield Head()
    MessageHub.get_current_instance().update_info('iter', 0)


@pytest.fixture
def on_device(monkeypatch):
    """Tensors say that they are on a device, so nobody waits for them."""
    monkeypatch.setattr(torch.Tensor, 'is_cpu', False)


BAD = torch.tensor([[1.0, float('nan'), 2.0]])


def test_on_the_host_it_is_told_before_the_backward(head):
    with pytest.raises(RuntimeError, match='Head: .* in iteration 42'):
        head(BAD)
    assert head(torch.ones(1, 3)).isfinite()


def test_on_a_device_it_is_told_when_the_backward_ends(head, on_device):
    loss = head(BAD)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    before = head.projector.weight.detach().clone()
    with pytest.raises(RuntimeError, match='Head: .* in iteration 42'):
        loss.backward()
        optimizer.step()
    assert torch.equal(head.projector.weight, before)
    # It is told once.
    head(torch.ones(1, 3)).backward()
    head.state_dict()


def test_on_a_device_it_is_told_by_the_next_loss_without_a_backward(
    head, on_device
):
    head(BAD)
    with pytest.raises(RuntimeError, match='in iteration 42'):
        head(torch.ones(1, 3))


def test_on_a_device_no_state_is_given_of_a_bad_step(head, on_device):
    head(BAD)
    with pytest.raises(RuntimeError, match='in iteration 42'):
        head.state_dict()


def test_no_state_is_given_of_what_another_rank_spoiled(head):
    """Gradients are averaged: this rank has seen finite values alone."""
    head(torch.ones(1, 3)).backward()
    head.projector.weight.data[0, 0] = float('inf')
    with pytest.raises(RuntimeError, match='Another rank'):
        head.state_dict()
    head.eval()
    head.state_dict()


def test_it_adds_nothing_to_the_state(head):
    assert list(head.state_dict()) == ['projector.weight', 'projector.bias']
    assert len(list(head.parameters())) == 2


@pytest.mark.parametrize('is_pickled', (False, True))
def test_a_model_with_a_pending_answer_can_be_copied(
    head, on_device, is_pickled
):
    """Events of a device cannot be."""
    head(BAD)
    copied = (
        pickle.loads(pickle.dumps(head)) if is_pickled else copy.deepcopy(head)
    )
    assert copied.guard._projector[0] is copied.projector
    with pytest.raises(RuntimeError, match='in iteration 42'):
        copied(torch.ones(1, 3))


def test_tensors_without_values_are_not_asked(head):
    head.to('meta')(torch.ones(1, 3, device='meta'))
    head.state_dict()


@pytest.mark.parametrize('where', ('embeddings', 'others', 'scores'))
@pytest.mark.parametrize('value', (float('nan'), float('inf'), -float('inf')))
def test_whatever_the_loss_is_made_of_tells_it(head, on_device, where, value):
    """In any precision and of any shape, by one value."""
    tensors = dict(
        embeddings=torch.ones(2, 3, 4, 5),
        others=torch.ones(3, 2, dtype=torch.float16),
        scores=torch.ones(3, dtype=torch.bfloat16),
    )
    tensors[where].view(-1)[2] = value
    loss = torch.ones((), requires_grad=True) * 2
    head.guard(loss, tensors['embeddings'], 0.07, *list(tensors.values())[1:])
    with pytest.raises(RuntimeError, match='scores are not .* iteration 42'):
        loss.backward()


def contrast_of_rows(head, length, temperature):
    rows = length * F.normalize(torch.ones(4, 2), dim=1)
    rows.requires_grad_()
    scores = torch.zeros(4, 2)
    loss = PaCoLoss(0.05, temperature)(rows, torch.arange(4) % 2, scores)
    head.guard(loss, rows, temperature, scores)
    return loss


def test_rows_that_are_too_long_on_a_device_are_told(head, on_device):
    """Nobody reads lengths there, and exponentials overflow."""
    loss = contrast_of_rows(head, 3, 0.07)
    message = 'iteration 42.* up to 3 long.* 0.07 up to 1.67 .*normalize'
    with pytest.raises(RuntimeError, match=message):
        loss.backward()
    # Those that are safe are, as is a temperature that needs a shift anyhow.
    for length, temperature in ((longest_rows(0.07), 0.07), (3, 0.02)):
        contrast_of_rows(head, length, temperature).backward()


def test_rows_that_are_too_long_are_right_on_the_host(head, monkeypatch):
    monkeypatch.setattr(base, '_TOLD_OF_LENGTHS', [])
    with pytest.warns(UserWarning, match='length one'):
        assert contrast_of_rows(head, 3, 0.07).isfinite()


def test_a_loss_that_fails_by_itself_is_told(head):
    rows = F.normalize(torch.ones(4, 2), dim=1)
    with pytest.raises(RuntimeError, match='loss is not .* itself'):
        head.guard(torch.tensor(float('nan')), rows, 0.07)


def test_nothing_is_said_of_no_rows(head):
    head.guard(torch.zeros(0), torch.zeros(0, 4), 0.07, torch.zeros(0, 3))
