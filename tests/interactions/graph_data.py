"""Small graphs for the tests: users with one item, none, all; an item without users."""

from __future__ import annotations

import numpy as np
import torch

from twofold.interactions.graph import Bipartite

USERS, ITEMS = 6, 5


def graph() -> Bipartite:
    """User 0 has one item, user 1 none, user 2 all but item 4; item 4 has nobody."""
    pairs = [(0, 1), (2, 0), (2, 1), (2, 2), (2, 3), (3, 0), (3, 2), (4, 3), (4, 1), (5, 0), (5, 3)]
    return Bipartite(torch.tensor(sorted(pairs)), USERS, ITEMS)


def random_graph(users: int = 40, items: int = 30, share: float = 0.2, seed: int = 0) -> Bipartite:
    """Every pair with the same probability."""
    drawn = np.random.default_rng(seed).random((users, items)) < share
    return Bipartite(torch.from_numpy(np.argwhere(drawn)), users, items)


def dense(data: Bipartite) -> torch.Tensor:
    """The normalised adjacency by its definition, float64."""
    n = data.users + data.items
    a = torch.zeros(n, n, dtype=torch.float64)
    for user, item in data.pairs.tolist():
        a[user, data.users + item] = a[data.users + item, user] = 1
    degree = a.sum(1)
    factor = torch.where(degree > 0, degree.rsqrt(), 0.0)
    return factor[:, None] * a * factor[None, :]
