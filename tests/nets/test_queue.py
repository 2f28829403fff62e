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
