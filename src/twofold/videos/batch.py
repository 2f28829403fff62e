"""A batch of clips, as reading gives it and views take it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from twofold.seam import Batch


@dataclass
class ClipBatch(Batch):
    """Clips of B videos in uint8 blocks, padded right and below.

    clips: K tensors uint8 (B, T, 3, H, W), each T its own, zeros outside each picture. at: K tensors int64 (B, T), the
    numbers of the frames. size: int64 (B, 2), height and width of each video's pictures inside the blocks. count: int64
    (B,), frames of each video.
    """

    clips: list[Tensor]
    at: list[Tensor]
    size: Tensor
    count: Tensor

    def to(self, device: torch.device | str) -> ClipBatch:
        """The same batch on another device."""
        clips, at = ([t.to(device, non_blocking=True) for t in tensors] for tensors in (self.clips, self.at))
        index, size, count = (t.to(device, non_blocking=True) for t in (self.index, self.size, self.count))
        return replace(self, index=index, clips=clips, at=at, size=size, count=count)
