"""Random pairs among those to learn from: how much does a method suffer from them?"""

from __future__ import annotations

import math

import numpy as np

from twofold.errors import UserError
from twofold.randomness import derive
from twofold.resources import require


def add_noise(
    train: np.ndarray, share: float, users: int, items: int, forbidden: np.ndarray | None = None, seed: int = 0
) -> np.ndarray:
    """The training pairs and int(share * E) random ones, distinct, int64 (E + that, 2), sorted by user and item.

    train: distinct (user, item), integers (E, 2); forbidden: more pairs (m, 2) that must not be added, those of the
    test. Users and items of the new pairs are uniform, a function of the seed (Wu et al., SIGIR 2021, section 4.3.3).
    UserError where share is negative, or there are not that many pairs to add.
    """
    if not (math.isfinite(share) and share >= 0):
        raise UserError(f"The share of random pairs must be 0 or more, not {share}.")
    own = np.unique(_keys(train, items))
    taken = own if forbidden is None else np.union1d(own, _keys(forbidden, items))
    count, room = int(share * len(own)), users * items - len(taken)
    if count > room:
        raise UserError(f"{share:g} times as many random pairs are wanted, but only {room:,} pairs are free.")
    drawn = 2 * count > room
    cells = users * items if drawn else 2 * count
    require(16 * cells, f"{count:,} random pairs", "give a smaller --noise")
    draws = np.random.default_rng(derive(seed, "noise"))
    if drawn:
        free = np.setdiff1d(np.arange(users * items), taken, assume_unique=True)
        new = draws.permutation(free)[:count]
    else:
        new = _drawn(draws, count, users * items, taken)
    return np.stack(np.divmod(np.sort(np.concatenate([own, new])), items), 1)


def _drawn(draws: np.random.Generator, count: int, cells: int, taken: np.ndarray) -> np.ndarray:
    """`count` distinct keys in [0, cells), none of the sorted `taken`; at most every second free one is wanted."""
    new = np.empty(0, np.int64)
    while len(new) < count:
        more = np.concatenate([new, draws.integers(cells, size=2 * (count - len(new)))])
        new = more[np.sort(np.unique(more, return_index=True)[1])]
        new = new[~np.isin(new, taken)]
    return new[:count]


def _keys(pairs: np.ndarray, items: int) -> np.ndarray:
    """One number a pair."""
    wide = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    return wide[:, 0] * items + wide[:, 1]
