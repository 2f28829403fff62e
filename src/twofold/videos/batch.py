"""A batch of clips, as reading gives it and views take it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from twofold.seam import Batch


@dataclass
class ClipBatch(Batch):
    """Clips of B videos in uint8 blocks, padded right and below.

    clips: K tensors uint8 (B, T, 3, H, W), each T its own, zeros outside each picture. at: K tensors int64 (B, T), the
    numbers of the frames. size: int64 (B, 2), height and width of each video's pictures inside the blocks. count: int64
    (B,), frames of each video. drawn: int64 (B, k), what a pretext task drew with the clips. motion: int8 (B, M, T, h,
    w, 2), vectors of M x T frames on grids (`motion.paint_grid`), zeros outside each grid. stored: int64 (B, 2), height
    and width in pixels that the grids' cells of 8 pixels were painted in.
    """

    clips: list[Tensor]
    at: list[Tensor]
    size: Tensor
    count: Tensor
    drawn: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.int64))
    motion: Tensor = field(default_factory=lambda: torch.zeros(0, 0, 0, 0, 0, 2, dtype=torch.int8))
    stored: Tensor = field(default_factory=lambda: torch.zeros(0, 2, dtype=torch.int64))

    def to(self, device: torch.device | str) -> ClipBatch:
        """The same batch on another device."""
        own: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        return replace(self, **{name: _moved(value, device) for name, value in own.items()})


def _moved(value: Any, device: torch.device | str) -> Any:
    if isinstance(value, list):
        return [_moved(tensor, device) for tensor in value]
    return value.to(device, non_blocking=True)
