"""The triples of an epoch: a user, an item of theirs, and one that is not; each a function of (seed, epoch, index)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.randomness import uniforms
from twofold.seam import Batch, Views

Sampling = Literal["user", "interaction"]


class Triples:
    """Makes of a batch of draws (their numbers within the epoch) users, positives and negatives, int64 (B,) each.

    pairs: int64 (E, 2), distinct, sorted by user and item. "user": the user is uniform among users with an item, the
    positive among theirs (the official SGL and LightGCN); "interaction": draw number n is pair n, so an epoch passes
    over all of them. The negative is uniform among the items that the user does not have; users who have all items are
    left out, with their pairs.
    """

    def __init__(self, pairs: Tensor, users: int, items: int, *, sampling: Sampling, seed: int) -> None:
        self.items, self.sampling, self.seed = items, sampling, seed
        counts = torch.bincount(pairs[:, 0], minlength=users)
        full = counts == items
        self.pairs = pairs[~full[pairs[:, 0]]] if bool(full.any()) else pairs
        if not len(self.pairs):
            raise UserError("Every user has used every item: there is nothing to tell apart.")
        self.skipped = int(full.sum())
        self.counts = counts
        self.offsets = counts.masked_fill(full, 0).cumsum(0) - counts.masked_fill(full, 0)
        self.active = torch.nonzero((counts > 0) & ~full)[:, 0]
        self.keys = pairs[:, 0] * items + pairs[:, 1]

    def __len__(self) -> int:
        return len(self.pairs)

    def __call__(self, batch: Batch, epoch: int) -> Views:
        index = batch.index
        if self.sampling == "user":
            user, place = self._draw(index, 2, "triples", epoch).unbind(1)
            users = self.active[(user * len(self.active)).long()]
            positives = self.pairs[self.offsets[users] + (place * self.counts[users]).long(), 1]
        else:
            users, positives = self.pairs[index % len(self.pairs)].unbind(1)
        return Views([users, positives, self._negatives(users, index, epoch)], [], index)

    def _negatives(self, users: Tensor, index: Tensor, epoch: int) -> Tensor:
        negatives = torch.empty_like(users)
        left = torch.arange(len(users), device=users.device)
        attempt = 0
        while len(left):
            drawn = self._draw(index[left], 1, "negatives", epoch, attempt)[:, 0]
            negatives[left] = (drawn * self.items).long()
            keys = users[left] * self.items + negatives[left]
            at = torch.searchsorted(self.keys, keys).clamp_max(len(self.keys) - 1)
            left, attempt = left[self.keys[at] == keys], attempt + 1
        return negatives

    def _draw(self, index: Tensor, count: int, *keys: int | str) -> Tensor:
        """Uniform draws (B, count) of 48 bits, so that counts beyond 2^24 are reached evenly."""
        high, low = uniforms(index, 2 * count, self.seed, *keys).double().chunk(2, dim=1)
        return high + low * 2.0**-24
