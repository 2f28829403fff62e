"""What DenseCL and DSC share: heads over the cells of a map, which cells match, and a queue of pooled keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Branch, Look, Pass
from twofold.nets.features import Grid, cells_of
from twofold.nets.heads import mlp
from twofold.nets.queue import Queue
from twofold.processes import gather
from twofold.seam import Geometry, Views


@dataclass(frozen=True)
class Cells:
    """P cells of B images: what the backbone makes of each, (B, P, C), and its head, (B, P, D), both unit rows.

    pooled: (B, D) unit, the mean of the head's output over the cells before it is normalised.
    """

    backbone: Tensor
    dense: Tensor
    pooled: Tensor


def matches(queries: Tensor, keys: Tensor) -> Tensor:
    """For each query cell the most similar key cell of the same image. (B, P, C), (B, Q, C) unit -> int64 (B, P)."""
    return (queries.detach() @ keys.detach().transpose(1, 2)).argmax(2)


def at(keys: Tensor, places: Tensor) -> Tensor:
    """The key cells at some places of their image. (B, Q, D), int64 (B, P) -> (B, P, D)."""
    return keys.gather(1, places[:, :, None].expand(-1, -1, keys.shape[2]))


class DenseHead(nn.Module):
    """Two layers on each cell of a map, (B, C, h, w) -> (B, P, D); a 1x1 convolution is a linear layer of the cell."""

    def __init__(self, width: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.layers = mlp([width, hidden, dim], norm=False)

    def forward(self, map: Tensor) -> Tensor:
        return cast(Tensor, self.layers(cells_of(map)))


class DenseBranches(nn.Module):
    """The dense half of a queue method: the student's head on cells, its EMA twin, and the queue of pooled keys.

    asks: the name of the addition that asks, for its refusals. grid: side to which maps are pooled; 0 for their own
    cells. hidden: width inside the head; the map's where 0. stage: see `take_stage`. Raises UserError where the base
    has no queue, or its backbone has no map, no such stage, or a map of one cell.
    """

    def __init__(self, method: JointEmbedding, asks: str, grid: int, hidden: int, stage: int) -> None:
        super().__init__()
        if method.contrast != "queue":
            raise UserError(
                f"{asks} contrasts cells with a queue, and {type(method).__name__} has none; use moco+{asks}."
            )
        take_stage(method, stage)
        width = map_width(method.backbone, asks)
        cells = grid_of(method.backbone)
        if grid == 1 or (grid == 0 and cells.rows * cells.columns == 1):
            raise UserError(
                f"{asks} compares the cells of a map, and this one has a single cell: give a larger --image-size, or "
                f"a --stem that shrinks less, or with a ResNet --method.{asks}.feature_stage 3."
            )
        self.grid = grid
        self.head = DenseHead(width, hidden or width, method.dim)
        self.twin = method.twin(self.head)
        self.queue = Queue(len(cast(Tensor, method.stored_negatives())), method.dim, seed=1)
        self.temperature, self.mask_unfilled = method.temperature, method.mask_unfilled

    def student(self, record: Pass, view: int) -> Cells:
        """The student's cells of a view, with gradient."""
        return self._cells(record, record.student[view], self.head)

    @torch.no_grad()
    def teacher(self, record: Pass, look: Look) -> Cells:
        """The teacher's cells in a look of its."""
        return self._cells(record, look, self.twin)

    def negatives(self, rows: Tensor) -> Tensor:
        """The pooled keys (K, D) that rows are contrasted with, in their precision; by the base's rule of a mask."""
        return self.queue.stored(self.mask_unfilled).to(rows.dtype)

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Put the pooled keys (B, D) of all processes into the queue."""
        self.queue.enqueue(gather(keys))

    def _cells(self, record: Pass, look: Look, head: nn.Module) -> Cells:
        map = cast(Tensor, look.map)
        if self.grid:
            map = F.adaptive_avg_pool2d(map, self.grid)
        with record.networks():
            made = head(map)
        made = made if made.dtype == torch.float64 else made.float()
        backbone = F.normalize(cells_of(map).detach().to(made.dtype), dim=2)
        return Cells(backbone, F.normalize(made, dim=2), F.normalize(made.mean(1), dim=1))


def take_stage(method: JointEmbedding, stage: int) -> None:
    """Let student and teacher give the map of a stage of their ResNet, 1 to 4, and pool the last one as before; 0 for
    the last map. Raises UserError where there are no stages, or additions ask for different ones."""
    asked = {addition.feature_stage for addition in method.additions if hasattr(addition, "feature_stage")}
    if len(asked) > 1:
        raise UserError("The additions take cells of different stages of one map: give them the same feature_stage.")
    if not stage:
        return
    for branch in (method.student, getattr(method, "teacher", None)):
        if isinstance(branch, Branch):
            take = getattr(branch.backbone, "take_stage", None)
            if take is None:
                raise UserError("This backbone has no stages as ResNets have: leave feature_stage at 0.")
            take(stage)


def map_width(backbone: nn.Module, asks: str) -> int:
    """The channels of a backbone's map. Raises UserError where it has none."""
    width = cast(Any, backbone).map_width
    if width is None:
        raise UserError(f"{asks} compares the cells of a map, and this backbone gives none; use a ResNet or a ViT.")
    return int(width)


def grid_of(backbone: nn.Module) -> Grid:
    """Where the cells of a backbone's map lie in the pictures it was made for; for a backbone that has a map."""
    return cast(Grid, cast(Any, backbone).grid)


def distances(views: Views, i: int, j: int, grid: Grid, pooled: int = 0) -> Tensor:
    """How far the cells of view i lie from those of view j in the picture, in cells of the coarser view: (B, P, Q).

    pooled: side of the grid to which maps were pooled; 0 for cells as `grid` has them. The larger of the distances
    along and across.
    """
    size = views.tensors[i].shape[-1]
    one, other = (_places(views.geometry[v], grid, size, pooled) for v in (i, j))
    step = size / pooled if pooled else grid.stride
    sides = [views.geometry[v].box[:, 2:] - views.geometry[v].box[:, :2] for v in (i, j)]
    cell = torch.maximum(*sides) * (step / size)
    return ((one[:, :, None] - other[:, None]).abs() / cell[:, None, None]).amax(3)


def _places(geometry: Geometry, grid: Grid, size: int, pooled: int) -> Tensor:
    """The centres of a view's cells in the picture, x and y in pixels: (B, P, 2)."""
    rows, columns = (pooled, pooled) if pooled else (grid.rows, grid.columns)
    step, first = (size / pooled, (size / pooled - 1) / 2) if pooled else (grid.stride, grid.centre)
    x, y = (first + step * torch.arange(n, device=geometry.box.device) for n in (columns, rows))
    x = torch.where(geometry.flip[:, None], size - 1 - x, x)
    left, top, right, bottom = (side[:, None] for side in geometry.box.unbind(1))
    x, y = left + (x + 0.5) / size * (right - left), top + (y + 0.5) / size * (bottom - top)
    return torch.stack([x[:, None, :].expand(-1, rows, -1), y[:, :, None].expand(-1, -1, columns)], 3).flatten(1, 2)
