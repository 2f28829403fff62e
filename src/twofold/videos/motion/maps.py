"""What CMD makes of motion maps before its network sees them."""

from __future__ import annotations

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
