"""A batch as read, and the views made from it, each with its geometry."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass
class Batch:
    """Images as read: one uint8 block, padded right and below.

    pixels: uint8 (B, 3, H, W), zeros outside each image. size: int64 (B, 2), height and width of each image inside the
    block. index: int64 (B,), the position of each image in the data set (what random draws depend on).
    """

    pixels: Tensor
    size: Tensor
    index: Tensor

    def __len__(self) -> int:
        return len(self.index)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        moved = {k: getattr(self, k).to(device, non_blocking=True) for k in ("pixels", "size", "index")}
        return replace(self, **moved)


@dataclass(frozen=True)
class Geometry:
    """Where a view lies in its source image.

    box: float32 (B, 4), left, top, right, bottom in source pixels. flip: bool (B,), mirrored left to right after the
    crop. source: float32 (B, 2), height and width of the source image.
    """

    box: Tensor
    flip: Tensor
    source: Tensor

    def rows(self, rows: slice) -> Geometry:
        """The geometry of some rows of the batch."""
        return Geometry(self.box[rows], self.flip[rows], self.source[rows])


@dataclass
class Views:
    """V views of the same B things.

    tensors: V tensors (B, C, H, W) for images, (B, C, T, H, W) for clips. geometry: one record a view (or empty where
    views were not cut from an image). index: int64 (B,), as in the batch.
    """

    tensors: list[Tensor]
    geometry: list[Geometry]
    index: Tensor

    def __len__(self) -> int:
        return len(self.tensors)

    def rows(self, rows: slice) -> Views:
        """The views of some rows of the batch."""
        return Views([t[rows] for t in self.tensors], [g.rows(rows) for g in self.geometry], self.index[rows])
