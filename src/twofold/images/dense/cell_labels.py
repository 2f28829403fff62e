"""A mask in terms of cells: how often each class occurs in the block of pixels that belongs to each cell."""

from __future__ import annotations

import torch
from torch import Tensor

from twofold.images.dense.grid import Grid
from twofold.images.labels.records import IGNORE


def class_counts(mask: Tensor, grid: Grid, classes: int) -> Tensor:
    """int64 (cells, classes + 1): pixels of each class, in the last column ignored ones, of the pixels that lie nearest
    to each cell. mask: integers (H, W) of the picture's own size, 0..classes-1 or IGNORE."""
    labels = torch.where(mask == IGNORE, classes, mask).long()
    cells = grid.down.cells * grid.across.cells
    numbers = grid.nearest() * (classes + 1) + labels
    return numbers.flatten().bincount(minlength=cells * (classes + 1)).view(cells, classes + 1)
