"""The long tail: items in groups of equal interaction mass, and what each group gives to Recall@K."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from twofold.interactions.ragged import Ragged


def item_groups(pairs: np.ndarray | Tensor, items: int, groups: int = 10) -> Tensor:
    """The group of each item, int64 (items,), 0..groups - 1; the last holds the most popular.

    pairs: distinct (user, item), integers (n, 2), to learn from. Items are sorted by their number of pairs (equal ones
    by id), the numbers are added up, and the total is cut into equal parts (Wu et al., SIGIR 2021, section 4.3.1).
    """
    degree = torch.bincount(torch.as_tensor(pairs).long().reshape(-1, 2)[:, 1], minlength=items)
    order = degree.argsort(stable=True)
    mass = degree[order].cumsum(0)
    # Both sides times `groups`: whole numbers, so an item that ends on a cut lies below it.
    cuts = degree.sum() * torch.arange(1, groups, device=degree.device)
    return torch.empty_like(degree).scatter_(0, order, torch.searchsorted(cuts, mass * groups))


def group_contributions(top: Tensor, relevant: Ragged, users: Tensor, group: Tensor, groups: int) -> Tensor:
    """What the items of each group give to Recall@K, float64 (groups,); they add up to it.

    top: int64 (n, K), the lists of the users (n,), -1 for no item. group: int64 (I,) from `item_groups`. A group's part
    is the mean over the users with relevant items of |top, relevant and in the group| / |relevant|.
    """
    total = relevant.offsets[users + 1] - relevant.offsets[users]
    top, users, total = top[total > 0], users[total > 0], total[total > 0]
    row, place = torch.nonzero(relevant.holds(users, top), as_tuple=True)
    parts = torch.zeros(groups, dtype=torch.float64, device=top.device)
    parts.index_add_(0, group.to(top.device)[top[row, place]], total[row].double().reciprocal())
    return parts / len(users)
