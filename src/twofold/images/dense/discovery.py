"""Objects found by the similarity of cells alone: LOST's seed expansion and TokenCut's normalised cut, by CorLoc.

Simeoni et al., Localizing Objects with Self-Supervised Transformers and no Labels, BMVC 2021; Wang et al.,
Self-Supervised Transformers for Unsupervised Object Discovery using Normalized Cut, CVPR 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.images.dense.grid import Axis, Grid, unit
from twofold.images.dense.maps import MapSet
from twofold.images.labels.records import Labelled
from twofold.runs.screen import OnProgress

MOST_CELLS = 1600  # of a map; larger ones are pooled 2 x 2
PATCHES = 100, 1200  # LOST looks at 100 seeds of the 1,200 patches of a usual picture, and at that share of fewer
EDGE, NO_EDGE = 0.2, 1e-5  # TokenCut's weights: 1 from a cosine of 0.2 on
HIT = 0.5  # IoU
# the number of a picture, the boxes found by LOST and by TokenCut (2, 4), and the true ones (n, 4), float64
OnBoxes = Callable[[int, Tensor, Tensor], None]


@dataclass(frozen=True)
class Discovery:
    """lost, token_cut, whole: CorLoc of each kind of box, 0..1, `whole` being the picture's own edge. pictures: asked.
    without: pictures that have no box and were not asked."""

    lost: float
    token_cut: float
    whole: float
    pictures: int
    without: int


def discovery(maps: MapSet, *, on_progress: OnProgress | None = None, on_boxes: OnBoxes | None = None) -> Discovery:
    """CorLoc: the share of pictures whose one found box has an IoU of 0.5 or more with any of its true boxes.

    Both methods see unit cells after the mean of all pictures' cells was taken away: the cells of networks that end in
    a ReLU would all be alike otherwise. Crowds are no boxes. on_progress counts each picture twice. on_boxes:
    sees each picture.
    """
    truths = [_boxes(maps.data, i) for i in range(len(maps))]
    asked = [i for i, boxes in enumerate(truths) if len(boxes)]
    hits, total = torch.zeros(3, dtype=torch.int64), 2 * len(asked)
    mean = mean_cell(maps, asked, lambda done: on_progress(done, total) if on_progress else None)
    for done, made in enumerate(maps.stream(asked), len(asked) + 1):
        cells, grid = made.map, made.grid
        while cells.shape[1] * cells.shape[2] > MOST_CELLS:
            cells, grid = grid.pooled(cells)
        shape = (cells.shape[1], cells.shape[2])
        flat = unit(cells.flatten(1).T - mean).double().cpu()
        whole = torch.tensor([0.0, 0.0, grid.across.source, grid.down.source], dtype=torch.float64)
        boxes = [box_of(method(flat, shape), grid) for method in (lost, token_cut)]
        hits += is_hit(torch.stack([*boxes, whole]), truths[made.number])
        if on_boxes:
            on_boxes(made.number, torch.stack(boxes), truths[made.number])
        if on_progress:
            on_progress(done, total)
    by_lost, by_cut, by_whole = (hits.double() / max(len(asked), 1)).tolist()
    return Discovery(by_lost, by_cut, by_whole, len(asked), len(maps) - len(asked))


def mean_cell(maps: MapSet, numbers: Sequence[int], tell: Callable[[int], None]) -> Tensor:
    """float32 (C,): the mean of the cells of these pictures; 0 of none."""
    sums, count = torch.zeros(1, dtype=torch.float64), 0
    for done, made in enumerate(maps.stream(numbers), 1):
        sums = sums.to(made.map.device) + made.map.flatten(1).double().sum(1)
        count += made.map[0].numel()
        tell(done)
    return (sums / max(count, 1)).float()


def lost(cells: Tensor, shape: tuple[int, int]) -> Tensor:
    """bool (rows, columns): the object by LOST, of unit cells (rows * columns, C).

    The seed is the cell with the fewest positive similarities; the cells like it among those with few join it; the
    object is what is like these in the sum, and connected to the seed.
    """
    similar = cells @ cells.T
    degree = (similar >= 0).sum(1)
    few = max(min(PATCHES[0], round(len(cells) * PATCHES[0] / PATCHES[1])), 1)
    order = degree.argsort(stable=True)
    seed = int(order[0])
    joined = [i for i in order[:few].tolist() if i == seed or similar[seed, i] > 0]
    return connected((similar[:, joined].sum(1) >= 0).view(shape), seed)


def token_cut(cells: Tensor, shape: tuple[int, int]) -> Tensor:
    """bool (rows, columns): the object by TokenCut, of unit cells (rows * columns, C).

    The generalised eigenvector of the second smallest value of (D - W, D) is cut at its mean; the object is the side
    with the entry of the largest size, as far as it is connected to that.
    """
    weights = torch.where(cells @ cells.T >= EDGE, 1.0, NO_EDGE).double()
    root = weights.sum(1).rsqrt()
    laplacian = torch.eye(len(cells), dtype=torch.float64) - root[:, None] * weights * root
    vector = torch.linalg.eigh(laplacian).eigenvectors[:, min(1, len(cells) - 1)] * root
    above = vector > vector.mean()
    seed = int(vector.abs().argmax())
    return connected((above if above[seed] else ~above).view(shape), seed)


def connected(inside: Tensor, seed: int) -> Tensor:
    """bool (rows, columns): the cells of `inside` that are connected to cell `seed`, side by side."""
    rows, columns = inside.shape
    allowed, found = inside.flatten().tolist(), torch.zeros(rows * columns, dtype=torch.bool)
    waiting = [seed]
    while waiting:
        cell = waiting.pop()
        if found[cell] or not allowed[cell]:
            continue
        found[cell] = True
        row, column = divmod(cell, columns)
        waiting += [cell - columns] * (row > 0) + [cell + columns] * (row < rows - 1)
        waiting += [cell - 1] * (column > 0) + [cell + 1] * (column < columns - 1)
    return found.view(rows, columns)


def box_of(inside: Tensor, grid: Grid) -> Tensor:
    """float64 (4,): left, top, right, bottom in source pixels of the cells in bool (rows, columns)."""
    down, across = inside.any(1).nonzero()[:, 0].double(), inside.any(0).nonzero()[:, 0].double()
    top, bottom = _ends(grid.down, down)
    left, right = _ends(grid.across, across)
    return torch.stack([left, top, right, bottom])


def is_hit(found: Tensor, true: Tensor) -> Tensor:
    """bool (n,): which boxes (n, 4) have an IoU of at least 0.5 with any of the true ones (m, 4)."""
    low = torch.maximum(found[:, None, :2], true[None, :, :2])
    high = torch.minimum(found[:, None, 2:], true[None, :, 2:])
    both = (high - low).clamp(min=0).prod(2)
    area, true_area = ((boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (found, true))
    return (both / (area[:, None] + true_area - both) >= HIT).any(1)


def _ends(axis: Axis, cells: Tensor) -> tuple[Tensor, Tensor]:
    """The outer edges of a run of cells, each half a stride beyond the centres, inside the picture."""
    low, high = axis.place_of(torch.stack([cells[0] - 0.5, cells[-1] + 0.5])) + 0.5
    return low.clamp(0, axis.source), high.clamp(0, axis.source)


def _boxes(data: Labelled, index: int) -> Tensor:
    found = data.instances(index)
    return found.boxes[~found.crowd].double()
