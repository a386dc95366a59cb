"""The queue against a deque, and through a checkpoint."""

import copy
import io
from collections import deque

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from mmpaco.losses import EmbeddingQueue

CHANNELS = 3


def keys(num_rows, seed):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(num_rows, CHANNELS, generator=generator)
    return rows, torch.randint(0, 9, (num_rows,), generator=generator)


class QueueMachine(RuleBasedStateMachine):
    """A queue and a deque that are told the same."""

    @initialize(length=st.integers(1, 7))
    def make(self, length):
        self.queue = EmbeddingQueue(length, CHANNELS)
        self.deque = deque(maxlen=length)

    @rule(
        sizes=st.lists(st.integers(0, 12), min_size=1, max_size=3),
        seed=st.integers(0, 999),
    )
    def append(self, sizes, seed):
        """Batches of one rank or more, also larger than the queue."""
        parts = [keys(size, seed + i) for i, size in enumerate(sizes)]
        rows, labels = (torch.cat(x) for x in zip(*parts))
        self.queue.append(rows, labels)
        self.deque.extend(
            (row / row.norm(), int(label)) for row, label in zip(rows, labels)
        )

    @rule(size=st.integers(1, 5))
    def stage_what_nobody_appends(self, size):
        self.queue.stage(*keys(size, 0))
        self.queue.take_staged()

    @rule()
    def restore_from_a_checkpoint(self):
        file = io.BytesIO()
        torch.save(self.queue.state_dict(), file)
        file.seek(0)
        self.queue = EmbeddingQueue(self.queue.length, CHANNELS)
        self.queue.load_state_dict(torch.load(file, weights_only=True))

    @rule()
    def copy_it(self):
        self.queue = copy.deepcopy(self.queue)

    @invariant()
    def both_hold_the_same(self):
        rows, labels = self.queue.contents()
        start = (
            int(self.queue.pointer) if len(rows) == self.queue.length else 0
        )
        rows, labels = rows.roll(-start, 0), labels.roll(-start, 0)
        assert labels.tolist() == [label for _, label in self.deque]
        if self.deque:
            expected = torch.stack([row for row, _ in self.deque])
            torch.testing.assert_close(rows, expected)


TestQueueAgainstADeque = QueueMachine.TestCase
TestQueueAgainstADeque.settings = settings(max_examples=60, deadline=None)


@pytest.mark.slow
def test_queue_holds_what_a_deque_holds_for_ten_thousand_steps():
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=200, stateful_step_count=50, deadline=None
        ),
    )


@pytest.mark.parametrize(
    'length, channels', [(5, CHANNELS), (4, CHANNELS + 1)]
)
def test_a_queue_of_another_shape_is_not_loaded_in_part(length, channels):
    """Else the pointer would show rows that nobody appended."""
    saved = EmbeddingQueue(length, channels)
    saved.append(torch.ones(3, channels), torch.tensor([1, 2, 3]))
    queue = EmbeddingQueue(4, CHANNELS)
    queue.append(*keys(2, 0))
    before = copy.deepcopy(queue.state_dict())
    with pytest.raises(RuntimeError, match=f'rows.*{length}, {channels}'):
        queue.load_state_dict(saved.state_dict())
    for name, value in queue.state_dict().items():
        assert torch.equal(value, before[name])
    assert len(queue.contents()[0]) == 2


def test_unfilled_rows_are_never_shown():
    queue = EmbeddingQueue(10, CHANNELS)
    assert queue.contents()[0].shape == (0, CHANNELS)
    queue.append(*keys(4, 0))
    rows, labels = queue.contents()
    assert rows.shape == (4, CHANNELS)
    assert (labels >= 0).all()
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(4))


def test_half_precision_keys_are_normalised_in_the_precision_of_the_queue():
    queue = EmbeddingQueue(4, CHANNELS)
    rows, labels = keys(4, 0)
    queue.append(rows.bfloat16(), labels)
    assert queue.rows.dtype == torch.float32
    torch.testing.assert_close(
        queue.rows.norm(dim=1), torch.ones(4), rtol=1e-6, atol=1e-6
    )


def test_staged_keys_are_taken_once_and_carry_no_graph():
    queue = EmbeddingQueue(4, CHANNELS)
    rows, labels = keys(2, 0)
    queue.stage(rows.requires_grad_(), labels)
    assert queue.contents()[0].shape[0] == 0
    taken, _ = queue.take_staged()
    assert len(taken) == 2 and not taken.requires_grad
    assert len(queue.take_staged()[0]) == 0


def test_keys_that_nobody_collects_raise_and_name_the_hook():
    queue = EmbeddingQueue(4, CHANNELS)
    queue.stage(*keys(2, 0))
    with pytest.raises(RuntimeError, match='PaCoQueueHook'):
        queue.stage(*keys(2, 1))


@pytest.mark.parametrize(
    'length, channels', ((0, 3), (-1, 3), (4, 0), (2.5, 3))
)
def test_empty_queue_is_refused(length, channels):
    with pytest.raises(ValueError, match='positive length'):
        EmbeddingQueue(length, channels)


def test_rows_that_do_not_fit_are_refused_and_nothing_is_lost():
    queue = EmbeddingQueue(4, CHANNELS)
    queue.append(*keys(3, 0))
    before = copy.deepcopy(queue.state_dict())
    with pytest.raises(ValueError, match='shape'):
        queue.append(torch.ones(2, CHANNELS + 1), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match='labels'):
        queue.append(torch.ones(2, CHANNELS), torch.tensor([0]))
    for name, value in queue.state_dict().items():
        assert torch.equal(value, before[name])
