"""Which axis of an array of numbers holds its channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twofold.pixels.batch import MOST_CHANNELS

COLOURS = (1, 3, 4)  # channels of pictures in grey, in colour, and with transparency


def channel_axis(first: int, last: int, channels: int | None) -> int | None:
    """-1 where the last axis holds the channels, 0 where the first after the images' number does; None for neither.

    first, last: their sizes. channels: how many there are, if that is known. Else 1, 3 and 4 are taken for channels,
    the last axis before the first, and then the smaller of the two, up to 16.
    """
    known = (channels,) if channels else COLOURS
    if last in known:
        return -1
    if first in known:
        return 0
    if channels or min(first, last) > MOST_CHANNELS:
        return None
    return 0 if first < last else -1


def is_open(first: int, last: int) -> bool:
    """Whether either axis may hold channels that are not those of pictures, so that only a guess tells them apart."""
    return max(first, last) <= MOST_CHANNELS and not {first, last} & set(COLOURS)


def channels_last(pixels: np.ndarray, channels: int | None) -> np.ndarray | None:
    """(H, W) as it is; (H, W, C) or (C, H, W) as (H, W, C); None where no axis holds channels: see `channel_axis`."""
    if pixels.ndim == 2:
        return pixels
    axis = channel_axis(pixels.shape[0], pixels.shape[2], channels)
    return None if axis is None else pixels if axis else pixels.transpose(1, 2, 0)


def guess_said(shape: Sequence[int]) -> str:
    """A note on arrays (a, H, b) of which either end may be channels."""
    which = "first" if channel_axis(shape[0], shape[-1], None) == 0 else "last"
    return (
        f"of arrays of {'x'.join(map(str, shape))} the {which} axis is taken for channels (a guess; --channels says "
        f"how many there are)"
    )
