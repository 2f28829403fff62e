"""The queue is a ring that checkpoints hold."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from twofold.nets.queue import Queue


def test_queue_longer_batches_than_the_ring_keep_the_newest():
    queue = Queue(4, 2)
    assert_close(queue.rows.norm(dim=1), torch.ones(4))
    queue.enqueue(torch.arange(12.0).view(6, 2))
    assert queue.rows.flatten().sort().values.tolist() == list(range(4, 12))


def test_queue_is_in_the_state():
    assert set(Queue(4, 2).state_dict()) == {"rows", "pointer"}


def test_how_many_slots_are_taken_follows_from_rows_and_pointer():
    queue = Queue(10, 3)
    assert queue.filled() == 0 and queue.stored(True).shape == (0, 3) and len(queue.stored(False)) == 10
    expected = 0
    for step, count in enumerate((4, 3, 2, 1, 4)):
        keys = torch.full((count, 3), float(step))
        queue.enqueue(keys)
        expected = min(expected + count, 10)
        again = Queue(10, 3)
        again.load_state_dict(queue.state_dict())
        for one in (queue, again, again.double()):
            assert one.filled() == expected and len(one.stored(True)) == expected
        taken = queue.stored(True)
        assert (taken == taken.round()).all()  # keys, no noise
    queue = Queue(10, 3)
    queue.enqueue(torch.ones(25, 3))
    assert queue.filled() == 10
