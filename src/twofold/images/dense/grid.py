"""Where the cells of a map lie in a picture, and maps at the picture's own size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Axis:
    """One side of a picture and of its map.

    source: pixels of the picture itself. working: pixels after the resize that the network saw. cells: along this side.
    Cell i is centred on working pixel `centre + i stride`, where pixel 0 has its centre at 0.
    """

    source: int
    working: int
    cells: int
    stride: float
    centre: float

    def cell_of(self, place: Tensor) -> Tensor:
        """Places in source pixels (0 is the centre of the first) as places in cells (0 is the centre of cell 0)."""
        return ((place + 0.5) * (self.working / self.source) - 0.5 - self.centre) / self.stride

    def place_of(self, cell: Tensor) -> Tensor:
        """The inverse of `cell_of`."""
        return (cell * self.stride + self.centre + 0.5) * (self.source / self.working) - 0.5

    def nearest(self, place: Tensor | None = None) -> Tensor:
        """int64, the cell whose centre is nearest to each place; by default to each pixel of the source."""
        place = torch.arange(self.source, dtype=torch.float64) if place is None else place
        return (self.cell_of(place) + 0.5).floor().long().clamp(0, self.cells - 1)

    def weights(self, place: Tensor | None = None) -> Tensor:
        """float32 (n, cells), rows that sum to 1: linear interpolation between the two cells around each place.

        place: source pixels, by default each of them. Beyond the outer cells' centres those cells alone count.
        """
        place = torch.arange(self.source, dtype=torch.float64) if place is None else place.double()
        at = self.cell_of(place).clamp(0, self.cells - 1)
        low = at.floor().clamp(max=max(self.cells - 2, 0))
        share = (at - low)[:, None]
        rows = torch.zeros(len(at), self.cells, dtype=torch.float64, device=at.device)
        rows.scatter_add_(1, low.long()[:, None], 1 - share)
        rows.scatter_add_(1, (low.long()[:, None] + 1).clamp(max=self.cells - 1), share)
        return rows.float()


@dataclass(frozen=True)
class Grid:
    """The cells of a map in a picture: down and across it."""

    down: Axis
    across: Axis

    def enlarge(self, maps: Tensor) -> Tensor:
        """Bilinear: (..., rows, columns) -> (..., H, W), the size of the picture itself."""
        return self.down.weights().to(maps) @ maps @ self.across.weights().to(maps).T

    def largest(self, scores: Tensor) -> Tensor:
        """int64 (H, W): which of the scores (K, rows, columns), enlarged, is the largest at each pixel of the picture.

        One after the other, which takes less memory and time than a maximum over all of them.
        """
        down, wide = self.down.weights().to(scores), scores @ self.across.weights().to(scores).T
        best = down @ wide[0]
        found = torch.zeros_like(best, dtype=torch.int64)
        for number in range(1, len(wide)):
            value = down @ wide[number]
            found.masked_fill_(value > best, number)
            torch.maximum(best, value, out=best)
        return found

    def at(self, maps: Tensor, points: Tensor) -> Tensor:
        """Bilinear: the vectors (n, C) of a map (C, rows, columns) at points (n, 2), x and y in source pixels."""
        rows, columns = self.down.weights(points[:, 1]).to(maps), self.across.weights(points[:, 0]).to(maps)
        return torch.einsum("nr,crk,nk->nc", rows, maps, columns)

    def nearest(self) -> Tensor:
        """int64 (H, W): the number of the cell, row by row, that is nearest to each pixel of the picture."""
        return self.down.nearest()[:, None] * self.across.cells + self.across.nearest()

    def centres(self) -> Tensor:
        """float64 (rows * columns, 2): x and y of each cell's centre in source pixels, row by row."""
        y = self.down.place_of(torch.arange(self.down.cells, dtype=torch.float64))
        x = self.across.place_of(torch.arange(self.across.cells, dtype=torch.float64))
        return torch.stack([x.expand(len(y), -1), y[:, None].expand(-1, len(x))], 2).flatten(0, 1)

    def pooled(self, maps: Tensor) -> tuple[Tensor, Grid]:
        """The map (C, rows, columns) with the mean of 2 x 2 cells as one (fewer at the far edges), and its grid."""
        small = torch.nn.functional.avg_pool2d(maps[None], 2, ceil_mode=True)[0]
        axes = [
            Axis(axis.source, axis.working, -(-axis.cells // 2), 2 * axis.stride, axis.centre + axis.stride / 2)
            for axis in (self.down, self.across)
        ]
        return small, Grid(*axes)


def unit(vectors: Tensor, dim: int = -1) -> Tensor:
    """Vectors of length 1 along a dimension; zero vectors stay zero."""
    return torch.nn.functional.normalize(vectors, dim=dim, eps=1e-12)
