"""The queue against a deque, and through a checkpoint."""

import copy
from collections import deque

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpaco.engine import EmbeddingQueue

CHANNELS = 3


def keys(num_rows, seed):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(num_rows, CHANNELS, generator=generator)
    return rows, torch.randint(0, 9, (num_rows,), generator=generator)


def oldest_first(queue):
    """What a queue holds, unrolled."""
    rows, labels = queue.contents()
    start = int(queue.pointer) if len(labels) == queue.length else 0
    return rows.roll(-start, 0), labels.roll(-start, 0)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 7),
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=8),
)
def test_queue_holds_what_a_deque_holds(length, steps):
    """Any batch size, also larger than the queue, saved in between or not."""
    queue = EmbeddingQueue(length, CHANNELS)
    expected = deque(maxlen=length)
    for seed, (num_rows, goes_through_a_checkpoint) in enumerate(steps):
        rows, labels = keys(num_rows, seed)
        queue.append(rows, labels)
        for row, label in zip(rows, labels):
            expected.append((row / row.norm(), label))
        if goes_through_a_checkpoint:
            restored = EmbeddingQueue(length, CHANNELS)
            restored.load_state_dict(copy.deepcopy(queue.state_dict()))
            queue = restored
        rows, labels = oldest_first(queue)
        assert len(rows) == len(expected)
        if expected:
            torch.testing.assert_close(
                rows, torch.stack([row for row, _ in expected])
            )
            assert labels.tolist() == [int(label) for _, label in expected]


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


@pytest.mark.parametrize('length, channels', ((0, 3), (-1, 3), (4, 0)))
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
