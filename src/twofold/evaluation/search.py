"""Retrieval by labels: does a query find items of its class among the nearest of a gallery?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 256


def retrieval(
    queries: Tensor,
    asked: Tensor,
    gallery: Tensor,
    labels: Tensor,
    *,
    at: Sequence[int] = (1, 5, 10, 20, 50),
    query_groups: Tensor | None = None,
    gallery_groups: Tensor | None = None,
) -> dict[str, float]:
    """{"R@k": share of queries with an item of their class among the k nearest by cosine, "mAP": mean average
    precision over the whole gallery}, 0..1; k beyond the gallery are left out.

    queries (n, D), gallery (N, D); asked (n,), labels (N,) int64. Queries of classes that the gallery lacks count as
    not found. query_groups, gallery_groups: int64, items of the query's own group do not answer it (-1 is of none).
    Ties are broken by a fixed draw, so that rows that are all alike are at chance.
    """
    found: dict[str, list[Tensor]] = {f"R@{k}": [] for k in at if k <= len(gallery)}
    precision = []
    for part, rows, cosines in _ranked(queries, gallery, query_groups, gallery_groups):
        hit = (labels[rows] == asked[part][:, None]) & (cosines > -torch.inf)
        for k in at:
            if k <= len(gallery):
                found[f"R@{k}"].append(hit[:, :k].any(1))
        precision.append(average_precision(hit))
    numbers = {name: torch.cat(parts).double().mean().item() for name, parts in found.items()}
    return {**numbers, "mAP": torch.cat(precision).mean().item()}


def nearest_rows(
    queries: Tensor,
    gallery: Tensor,
    k: int,
    *,
    query_groups: Tensor | None = None,
    gallery_groups: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """(rows of the gallery int64 (n, k), cosines float64 (n, k)), nearest first, as `retrieval` ranks them; the cosine
    of an item of the query's own group is minus infinity."""
    found = [
        (rows[:, :k], cosines[:, :k]) for _, rows, cosines in _ranked(queries, gallery, query_groups, gallery_groups)
    ]
    return torch.cat([rows for rows, _ in found]), torch.cat([cosines for _, cosines in found])


def _ranked(
    queries: Tensor, gallery: Tensor, query_groups: Tensor | None, gallery_groups: Tensor | None
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Some of the queries at a time: which, the rows of the gallery for each, nearest first, and their cosines."""
    order = torch.randperm(len(gallery), generator=torch.Generator().manual_seed(0))
    rows = F.normalize(gallery.double(), dim=1)[order]
    groups = None if gallery_groups is None else gallery_groups[order]
    for start in range(0, len(queries), ROWS):
        part = slice(start, start + ROWS)
        similar = F.normalize(queries[part].double(), dim=1) @ rows.T
        if groups is not None and query_groups is not None:
            own = query_groups[part][:, None]
            similar = similar.masked_fill((own == groups) & (own >= 0), -torch.inf)
        nearest = similar.argsort(dim=1, descending=True, stable=True)
        yield part, order[nearest], similar.gather(1, nearest)


def average_precision(hit: Tensor) -> Tensor:
    """The mean of the precisions at each hit, (n,): hit bool (n, N), nearest first; 0 where there is none."""
    ranks = torch.arange(1, hit.shape[1] + 1, dtype=torch.float64)
    precision = hit.double().cumsum(1) / ranks
    return (precision * hit).sum(1) / hit.sum(1).clamp(min=1)
