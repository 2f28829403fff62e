"""k-means of vectors, and the best one-to-one matching of clusters to classes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

ROUNDS, STARTS = 50, 3
CHUNK = 2**24  # products held at once


def kmeans(
    vectors: Tensor, count: int, draws: torch.Generator, *, rounds: int = ROUNDS, starts: int = STARTS
) -> Tensor:
    """Centres (count, C) of n vectors (n, C): Lloyd's rounds from k-means++ starts, the best of several by inertia.

    An empty cluster keeps its centre. count is at most n. Stops early where no vector changes its cluster.
    """
    count = min(count, len(vectors))
    best, least = vectors[:count], float("inf")
    for _ in range(starts):
        centres, inertia = _lloyd(vectors, _spread(vectors, count, draws), rounds)
        if inertia < least:
            best, least = centres, inertia
    return best


def scores(vectors: Tensor, centres: Tensor) -> Tensor:
    """(n, count): larger for nearer centres, <x, c> - |c|^2 / 2; linear in the vectors."""
    return vectors @ centres.T - centres.square().sum(1) / 2


def assigned(vectors: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """(cluster, squared distance to its centre) of each vector: int64 and float (n,)."""
    parts = vectors.split(max(CHUNK // len(centres), 1))
    best = [scores(part, centres).max(1) for part in parts]
    nearest = torch.cat([found.indices for found in best])
    distance = vectors.square().sum(1) - 2 * torch.cat([found.values for found in best])
    return nearest, distance.clamp(min=0)


def best_matching(gain: Tensor) -> Tensor:
    """int64 (n,): for each row of a square matrix its own column, so that the sum of the gains is the largest.

    The Hungarian method by shortest augmenting paths, O(n^3).
    """
    cost = -gain.double().numpy()
    size = len(cost)
    row_price, column_price = np.zeros(size + 1), np.zeros(size + 1)
    row_of = np.zeros(size + 1, dtype=np.int64)  # of each column; columns and rows count from 1
    for row in range(1, size + 1):
        row_of[0], column = row, 0
        slack, back = np.full(size + 1, np.inf), np.zeros(size + 1, dtype=np.int64)
        seen = np.zeros(size + 1, dtype=bool)
        while True:
            seen[column] = True
            here = row_of[column]
            reduced = cost[here - 1] - row_price[here] - column_price[1:]
            better = ~seen[1:] & (reduced < slack[1:])
            slack[1:][better], back[1:][better] = reduced[better], column
            step = np.where(seen[1:], np.inf, slack[1:])
            following = int(step.argmin()) + 1
            delta = step[following - 1]
            row_price[row_of[seen]] += delta
            column_price[seen] -= delta
            slack[~seen] -= delta
            column = following
            if row_of[column] == 0:
                break
        while column:
            row_of[column] = row_of[back[column]]
            column = int(back[column])
    columns = np.zeros(size, dtype=np.int64)
    columns[row_of[1:] - 1] = np.arange(size)
    return torch.from_numpy(columns)


def _spread(vectors: Tensor, count: int, draws: torch.Generator) -> Tensor:
    """k-means++: each further start is a vector drawn by its squared distance to the nearest start so far."""
    chosen = [int(torch.randint(len(vectors), (1,), generator=draws))]
    nearest = (vectors - vectors[chosen[0]]).square().sum(1)
    for _ in range(1, count):
        weights = nearest.double().cpu()
        if weights.sum() <= 0:
            weights = torch.ones_like(weights)
        place = torch.rand(1, generator=draws, dtype=torch.float64) * weights.sum()
        chosen.append(min(int(torch.searchsorted(weights.cumsum(0), place)), len(vectors) - 1))
        nearest = torch.minimum(nearest, (vectors - vectors[chosen[-1]]).square().sum(1))
    return vectors[chosen].clone()


def _lloyd(vectors: Tensor, centres: Tensor, rounds: int) -> tuple[Tensor, float]:
    before: Tensor | None = None
    nearest, distance = assigned(vectors, centres)
    for _ in range(rounds):
        if before is not None and torch.equal(before, nearest):
            break
        sums = torch.zeros_like(centres).index_add_(0, nearest, vectors)
        counts = nearest.bincount(minlength=len(centres))[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
        before = nearest
        nearest, distance = assigned(vectors, centres)
    return centres, distance.double().sum().item()
