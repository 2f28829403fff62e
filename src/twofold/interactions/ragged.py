"""The items of each user, as one array and where each user's part of it begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Ragged:
    """The items of U users. offsets: int64 (U + 1,); items: int64 (n,). User u has items[offsets[u] : offsets[u + 1]],
    ascending and distinct."""

    offsets: Tensor
    items: Tensor

    @classmethod
    def of(cls, pairs: np.ndarray | Tensor, users: int) -> Ragged:
        """Of (user, item) pairs, integers (n, 2) in any order; repeated pairs count once.

        users: how many there are. ValueError where a user is not in [0, users) or an item is negative.
        """
        user, item = torch.as_tensor(pairs).long().reshape(-1, 2).unbind(1)
        if len(user) and (int(user.min()) < 0 or int(user.max()) >= users or int(item.min()) < 0):
            raise ValueError(f"users must lie in [0, {users}) and items must not be negative.")
        width = _width(item)
        keys = torch.unique(user * width + item)
        counts = torch.bincount(keys // width, minlength=users)
        return cls(torch.cat([counts.new_zeros(1), counts.cumsum(0)]), keys % width)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def count(self) -> Tensor:
        """How many items each user has, int64 (U,)."""
        return self.offsets.diff()

    def rows(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """All items of the users (b,), one after the other: (row in `users`, item), int64 (m,) each."""
        begins = self.offsets[users]
        counts = self.offsets[users + 1] - begins
        row = torch.repeat_interleave(counts)
        shift = begins - (counts.cumsum(0) - counts)
        return row, self.items[torch.arange(len(row), device=row.device) + shift[row]]

    def holds(self, users: Tensor, items: Tensor) -> Tensor:
        """Whether items (b, k) are among those of the users (b,), bool (b, k). A negative id belongs to no user."""
        row, own = self.rows(users)
        if not len(own) or not items.numel():
            return torch.zeros_like(items, dtype=torch.bool)
        width = max(_width(own), _width(items.flatten()))
        keys = row * width + own
        asked = torch.arange(len(items), device=items.device)[:, None] * width + items
        at = torch.searchsorted(keys, asked).clamp_max(len(keys) - 1)
        return (keys[at] == asked) & (items >= 0)


def _width(items: Tensor) -> int:
    """One more than the greatest id, at least 1."""
    return max(0, int(items.max())) + 1 if len(items) else 1
