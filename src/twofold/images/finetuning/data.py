"""Which labelled pictures a training learns from, and in which order."""

from __future__ import annotations

import functools

import torch

from twofold.images.labels.records import Labelled
from twofold.randomness import generator


def place(count: int, seed: int, position: int) -> int:
    """Which of `count` pictures comes at a position of the whole training: every one once in each epoch.

    Batches are parts of this endless row, so they run over the end of an epoch and every one is full.
    """
    epoch, inside = divmod(position, count)
    return _order(count, seed, epoch)[inside]


@functools.lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> list[int]:
    return torch.randperm(count, generator=generator(seed, "fine-tuning order", epoch)).tolist()


def few(data: Labelled, share: float, seed: int) -> Labelled:
    """A share (0..1] of the pictures, at least two; with the same seed a smaller share is part of a larger one."""
    count = min(max(2, round(share * len(data))), len(data))
    order = torch.randperm(len(data), generator=generator(seed, "few labels")).tolist()
    return data if share == 1 else data.select(sorted(order[:count]))
