"""Whether a marked point of one picture is found in another of the same kind of thing: PCK."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.images.dense.grid import Grid, unit
from twofold.images.dense.maps import Mapper
from twofold.images.dense.pairs import PointPair, read_picture
from twofold.runs.screen import OnProgress

ALPHA = 0.1
KEPT = 64  # maps of pictures that come in several pairs


@dataclass(frozen=True)
class Keypoints:
    """by_point: share of all points found, 0..1. by_pair: mean over the pairs of that share. chance: by_point of a
    place drawn at random from the target picture. points, pairs: that were asked."""

    by_point: float
    by_pair: float
    chance: float
    points: int
    pairs: int


def keypoints(
    mapper: Mapper, pairs: Sequence[PointPair], *, alpha: float = ALPHA, on_progress: OnProgress | None = None
) -> Keypoints:
    """PCK@alpha: the map's vector at a source point (bilinear) is sought among the target's cells by cosine; the answer
    is the pixel at which the similarity, enlarged to the target's own size, is largest; it is right where it lies
    within alpha times the longer side of the target's box of the true point."""
    shares, chances, right, points = [], [], 0, 0
    known: dict[str, tuple[Tensor, Grid]] = {}
    for done, pair in enumerate(pairs, 1):
        source, target = (_map_of(mapper, path, known) for path in (pair.source, pair.target))
        found = sought(source, target, pair.source_points)
        reach = alpha * pair.target_extent
        hits = (found - pair.target_points).norm(dim=1) <= reach
        shares.append(hits.double().mean())
        right, points = right + int(hits.sum()), points + len(hits)
        chances += [near_share(point, reach, target[1]) for point in pair.target_points]
        if on_progress:
            on_progress(done, len(pairs))
    by_pair, chance = (torch.tensor(values, dtype=torch.float64).mean().item() for values in (shares, chances))
    return Keypoints(right / points, by_pair, chance, points, len(pairs))


def sought(source: tuple[Tensor, Grid], target: tuple[Tensor, Grid], points: Tensor) -> Tensor:
    """float64 (n, 2): x and y of the target's pixel most like the source at each of its points (n, 2)."""
    (cells, grid), (others, other_grid) = source, target
    vectors = unit(grid.at(cells, points))
    similar = torch.einsum("nc,crk->nrk", vectors, unit(others, dim=0))
    width = other_grid.across.source
    best = [int(other_grid.enlarge(one).argmax()) for one in similar]  # one by one: each as large as the picture
    return torch.tensor([[place % width, place // width] for place in best], dtype=torch.float64)


def near_share(point: Tensor, reach: float, grid: Grid) -> float:
    """The share of a picture's pixels that lie within reach of a point (2,)."""
    x = torch.arange(grid.across.source, dtype=torch.float64) - point[0]
    y = torch.arange(grid.down.source, dtype=torch.float64) - point[1]
    return (x.square() + y.square()[:, None] <= reach**2).double().mean().item()


def _map_of(mapper: Mapper, path: str, known: dict[str, tuple[Tensor, Grid]]) -> tuple[Tensor, Grid]:
    if path not in known:
        if len(known) >= KEPT:
            known.pop(next(iter(known)))
        known[path] = mapper.of(read_picture(path))
    return known[path]
