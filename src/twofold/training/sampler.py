"""Which things of the data make up which batch: a function of (seed, step, rank) alone."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.randomness import generator


def order(count: int, seed: int, epoch: int) -> Tensor:
    """The order of an epoch: a permutation of 0..count-1, int64."""
    return torch.randperm(count, generator=generator(seed, "order", epoch))


def batches(
    count: int, batch_size: int, seed: int, first_step: int, steps: int, rank: int = 0, world: int = 1
) -> Iterator[Tensor]:
    """The positions of each step from `first_step` up to `steps`, int64 (batch_size / world,).

    A step's global batch is a stretch of the epoch's order, and a rank's part a stretch of that: so neither a restart
    nor the number of devices changes what a step sees. The incomplete batch at the end of an epoch is left out.
    """
    per_epoch, part = count // batch_size, batch_size // world
    epoch, shuffled = -1, torch.empty(0)
    for step in range(first_step, steps):
        if step // per_epoch != epoch:
            epoch = step // per_epoch
            shuffled = order(count, seed, epoch)
        start = step % per_epoch * batch_size + rank * part
        yield shuffled[start : start + part]


def check_even_parts(batch_size: int, world: int, accumulate: int = 1) -> None:
    """Refuse a batch that devices, or the parts it is accumulated in, cannot share evenly, at least 2 each."""
    parts = world * accumulate
    if batch_size % parts == 0 and batch_size // parts >= 2:
        return
    below, above = max(batch_size // parts, 2) * parts, max(-(-batch_size // parts), 2) * parts
    good = f"{below} or {above}" if below != above else f"{above}"
    shared = " and ".join(
        f"{number} {what}" for number, what in ((world, "devices"), (accumulate, "parts (accumulate)")) if number > 1
    )
    raise UserError(
        f"A batch of {batch_size} cannot be shared evenly by {shared or 'one device'} with at least 2 each: "
        f"give a batch size of {good}."
    )
