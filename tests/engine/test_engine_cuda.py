"""What is read of a card late, and values that are not finite there."""

import time

import pytest
import torch
import torch.nn.functional as F
from support.cuda import DEVICE, no_waits
from torch import nn

pytest.importorskip('mmengine')

from mmengine.logging import MessageHub

from mmpaco.engine.host_copy import HostCopy
from mmpaco.engine.nonfinite_guard import NonFiniteGuard
from mmpaco.losses import PaCoLoss

pytestmark = pytest.mark.cuda

# About a second of a card, and what it takes to ask it.
LONG, QUICK = 2_000_000_000, 0.2


@pytest.fixture
def head():
    MessageHub.get_current_instance().update_info('iter', 41)
    torch.manual_seed(0)
    yield Head().to(DEVICE)
    MessageHub.get_current_instance().update_info('iter', 0)


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


def rows(value=1.0):
    return torch.tensor([[1.0, value, 2.0]], device=DEVICE)


def is_busy():
    return not torch.cuda.current_stream().query()


def test_reading_waits_for_what_was_launched_before_the_copy():
    torch.cuda.synchronize()
    torch.cuda._sleep(LONG)
    values = torch.arange(3, device=DEVICE)
    start = time.perf_counter()
    made = HostCopy(values)
    assert not made.is_there()
    assert time.perf_counter() - start < QUICK
    assert made.read().tolist() == [0, 1, 2]
    assert made.is_there()


def test_reading_does_not_wait_for_what_was_launched_after_it():
    torch.cuda.synchronize()
    made = HostCopy(torch.arange(3, device=DEVICE))
    torch.cuda._sleep(LONG)
    start = time.perf_counter()
    assert made.read().tolist() == [0, 1, 2]
    assert time.perf_counter() - start < QUICK
    assert is_busy()
    torch.cuda.synchronize()


def test_a_value_is_told_before_the_optimizer_takes_the_step(head):
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    before = head.projector.weight.detach().clone()
    loss = head(rows(float('nan')))
    with pytest.raises(RuntimeError, match='Head: .* in iteration 42'):
        loss.backward()
        optimizer.step()
    assert torch.equal(head.projector.weight, before)
    # It is told once.
    head(rows()).backward()
    head.state_dict()


def test_rows_that_are_too_long_for_a_card_are_told(head):
    """Their length is read on a host only, where exponentials are shifted."""
    embeddings = F.normalize(torch.randn(64, 16, device=DEVICE), dim=1)
    embeddings = (10 * embeddings).requires_grad_()
    labels = torch.arange(64, device=DEVICE) % 4
    scores = torch.zeros(64, 4, device=DEVICE)
    loss = PaCoLoss(0.05, 0.07)(embeddings, labels, scores)
    head.guard(loss, embeddings, 0.07, scores)
    told = 'the loss is not finite in iteration 42.* are up to 10 long'
    with pytest.raises(RuntimeError, match=told):
        loss.backward()


def test_a_value_is_told_by_the_next_loss_without_a_backward(head):
    head(rows(float('inf')))
    with pytest.raises(RuntimeError, match='in iteration 42'):
        head(rows())


def test_no_state_is_given_of_a_bad_step(head):
    head(rows(float('nan')))
    with pytest.raises(RuntimeError, match='in iteration 42'):
        head.state_dict()


def test_nobody_waits_for_the_card(head):
    given = rows()
    head(given).backward()
    with no_waits():
        head(given).backward()


def test_it_waits_for_the_forward_alone(head):
    """Not for what the backward launched, nor what runs after it."""
    head(rows()).backward()
    loss = head(rows())
    torch.cuda.synchronize()
    loss.register_hook(lambda grad: torch.cuda._sleep(LONG))
    start = time.perf_counter()
    loss.backward()
    assert time.perf_counter() - start < QUICK
    assert is_busy()
    torch.cuda.synchronize()
