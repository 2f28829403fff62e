"""What CMD makes of motion maps before its network sees them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CLAMP = 10.0  # pixels


def normalise(maps: Tensor, clamp: float = CLAMP) -> Tensor:
    """Maps in pixels, cut at `clamp` either way and divided by it: values in -1..1."""
    return maps.clamp(-clamp, clamp) / clamp


def flip(maps: Tensor, *, negate: bool = True) -> Tensor:
    """Maps (..., H, W, 2) mirrored left to right. negate: with dx turned round; the official code leaves it, so that
    left and right are not told apart."""
    mirrored = maps.flip(-2)
    return mirrored * maps.new_tensor([-1, 1]) if negate else mirrored


def resize(maps: Tensor, height: int, width: int) -> Tensor:
    """Maps (T, H, W, 2) brought to another size by bilinear interpolation without antialiasing (OpenCV's), the vectors
    as they are."""
    resized = F.interpolate(maps.permute(0, 3, 1, 2), (height, width), mode="bilinear", align_corners=False)
    return resized.permute(0, 2, 3, 1)


def cut(cells: Tensor, box: Tensor, size: Tensor, side: int, cell: int = 1) -> Tensor:
    """Boxes of maps brought to side x side: (B, T, h, w, 2) -> (B, T, side, side, 2), as `resize` of the boxes' pixels.

    cells: each stands for cell x cell pixels, of which the picture has `size` (B, 2). box: (B, 4) left, top, width,
    height in these pixels.
    """
    left, top, width, height = box.to(cells).unbind(1)
    high, wide = size.unbind(1)
    down = _weights(top, height, high, side, cell, cells.shape[2])
    across = _weights(left, width, wide, side, cell, cells.shape[3])
    return torch.einsum("bih,bthwc,bjw->btijc", down, cells, across)


def _weights(start: Tensor, length: Tensor, end: Tensor, side: int, cell: int, cells: int) -> Tensor:
    """What each cell gives to each of `side` pixels along one axis: (B, side, cells), rows sum to 1."""
    places = (torch.arange(side, device=start.device) + 0.5) / side * length[:, None] - 0.5
    places = places.clamp(min=0).minimum((length - 1).clamp(min=0)[:, None])
    low = places.floor()
    weights = torch.zeros(len(start), side, cells, device=start.device)
    last = (start + length).round().minimum(end.to(start))[:, None] - 1
    for place, share in ((low, 1 - (places - low)), (low + 1, places - low)):
        pixel = (start[:, None].floor() + place).minimum(last).clamp(min=0)
        weights.scatter_add_(2, (pixel / cell).floor().long().clamp(max=cells - 1)[..., None], share[..., None])
    return weights
