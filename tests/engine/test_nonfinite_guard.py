"""When values that are not finite are told, on a host and on a device."""

import copy
import pickle

import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from mmpaco.engine.nonfinite_guard import NonFiniteGuard


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.projector = nn.Linear(3, 2)
        self.guard = NonFiniteGuard('Head', self.projector)

    def forward(self, x):
        embeddings = self.projector(x)
        self.guard(x, embeddings)
        return embeddings.square().sum()


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


def test_whichever_tensor_the_loss_is_made_of_tells_it(head, on_device):
    """One that has no part in the loss does not, and another does."""
    unused = torch.ones(2, requires_grad=True)
    embeddings = head.projector(BAD)
    head.guard(unused, embeddings)
    with pytest.raises(RuntimeError, match='in iteration 42'):
        embeddings.sum().backward()
