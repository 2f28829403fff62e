"""Pictures made smaller and grey, as the authors' libraries do, without them."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twofold.errors import UserError

Picture = NDArray[np.uint8]
_CHANNELS = (1, 3, 4)  # that a picture may have


def grey(pixels: Picture) -> Picture:
    """Colours (H, W, 3) as brightness (H, W): 0.299 R + 0.587 G + 0.114 B, rounded."""
    weighted = pixels[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.rint(weighted).astype(np.uint8)


def resize(pixels: Picture, size: int, way: Literal["bilinear", "area"] = "bilinear") -> Picture:
    """A picture (H, W) or (H, W, C) of size x size pixels, within one grey level of OpenCV's linear or area way.

    Linear takes the two neighbours of each place alone, also where the picture shrinks; area means over all it covers.
    """
    height, width = pixels.shape[:2]
    if (height, width) == (size, size):
        return pixels
    if way == "area":
        rows, columns = _shares(height, size), _shares(width, size)
        layers = pixels.reshape(height, width, -1).astype(np.float32).transpose(2, 0, 1)
        found = np.rint(rows @ layers @ columns.T).astype(np.uint8).transpose(1, 2, 0)
        return found.reshape(size, size, *pixels.shape[2:])
    (top, bottom, down), (left, right, across) = _neighbours(height, size), _neighbours(width, size)
    shape = (size,) + (1,) * (pixels.ndim - 1)
    found = pixels[top] + down.reshape(shape) * (pixels[bottom].astype(np.float32) - pixels[top])
    shape = (1, size) + (1,) * (pixels.ndim - 2)
    found = found[:, left] + across.reshape(shape) * (found[:, right] - found[:, left])
    return np.rint(found).astype(np.uint8)


@lru_cache(maxsize=16)
def _neighbours(length: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The two places between which each new one lies, and how near it is to the second."""
    at = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
    low = np.floor(at).astype(np.int64)
    return low, np.minimum(low + 1, length - 1), (at - low).astype(np.float32)


@lru_cache(maxsize=16)
def _shares(length: int, size: int) -> NDArray[np.float32]:
    """What part each old place has in each new one, (size, length), rows with sum 1."""
    edges = np.arange(size + 1) * length / size
    places = np.arange(length)
    covered = np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places)
    covered = np.clip(covered, 0, None)
    return (covered / covered.sum(1, keepdims=True)).astype(np.float32)


def channels_last(shape: tuple[int, ...], layout: str, name: str) -> bool:
    """Whether a picture of this shape (a, b, c) has its channels last. Raises UserError where its sizes leave it open.

    name: of what gives such pictures.
    """
    if layout != "auto":
        return layout == "hwc"
    if (shape[0] == shape[1]) != (shape[1] == shape[2]):  # two sides of one length are height and width
        return shape[0] == shape[1]
    first, last = shape[0] in _CHANNELS, shape[2] in _CHANNELS
    if first == last:
        raise UserError(
            f"{name} gives pictures of {' x '.join(map(str, shape))}, of which no side can be told to be the channels: "
            f"say --layout chw or hwc."
        )
    return last


def planes(pixels: Picture) -> Picture:
    """(H, W) or (H, W, C) as (C, H, W)."""
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
