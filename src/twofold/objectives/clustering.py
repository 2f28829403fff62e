"""Classes found in a batch, and contrast by class: spherical k-means, the supervised contrastive loss, diagnostics."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def spherical_kmeans(rows: Tensor, count: int, generator: torch.Generator, rounds: int = 10) -> tuple[Tensor, Tensor]:
    """Unit centroids (K, D) of unit rows (M, D), and the class of each row, int64 (M,).

    Centroids start at `count` different random rows; each round gives every row to the centroid with the largest dot
    product, and moves each centroid to its rows' normalised mean. A centroid without rows stays where it was.
    """
    start = torch.randperm(len(rows), generator=generator)[:count].to(rows.device)
    centroids = rows[start]
    for _ in range(rounds):
        labels = (rows @ centroids.T).argmax(1)
        sums = torch.zeros_like(centroids).index_add_(0, labels, rows)
        held = torch.bincount(labels, minlength=len(centroids))[:, None] > 0
        centroids = torch.where(held, F.normalize(sums, dim=1), centroids)
    return centroids, (rows @ centroids.T).argmax(1)


def supervised_contrast(
    queries: Tensor, keys: Tensor, positive: Tensor, negative: Tensor, temperature: float
) -> Tensor:
    """-log of the softmax share of each positive among positives and negatives, averaged over the positives of a row.

    queries: (B, D), keys: (M, D), unit rows. positive, negative: bool (B, M), disjoint; other keys count for nothing.
    Returns (B,), 0 for rows without a positive (SupCon, Khosla et al., NeurIPS 2020, equation 2).
    """
    logits = queries @ keys.T / temperature
    mass = logits.masked_fill(~(positive | negative), float("-inf")).logsumexp(1, keepdim=True)
    losses = (mass - logits).masked_fill(~positive, 0.0).sum(1)
    return losses / positive.sum(1).clamp_min(1)


@torch.no_grad()
def effective_number(labels: Tensor, count: int) -> Tensor:
    """exp of the entropy of the shares of `count` classes: how many are in use, were they all alike. () float."""
    shares = torch.bincount(labels, minlength=count).double() / len(labels)
    return torch.special.entr(shares).sum().exp()


@torch.no_grad()
def tied_to_place(labels: Tensor, places: Tensor, generator: torch.Generator) -> Tensor:
    """The share of what labels say that their places in the map already say, 0 (nothing) to 1, as a () float.

    labels, places: int64 (M,). Mutual information over the labels' entropy, less the same for labels in random order:
    with few rows a class, chance alone shares much.
    """
    entropy = _entropy(labels)
    shuffled = labels[torch.randperm(len(labels), generator=generator).to(labels.device)]
    surplus = _entropy(_pairs(shuffled, places)) - _entropy(_pairs(labels, places))
    return (surplus / entropy.clamp_min(math.ulp(1.0))).clamp(0, 1)


def _pairs(labels: Tensor, places: Tensor) -> Tensor:
    return labels * (int(places.max()) + 1) + places


def _entropy(values: Tensor) -> Tensor:
    shares = torch.bincount(values).double() / len(values)
    return torch.special.entr(shares).sum()
