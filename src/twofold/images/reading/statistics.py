"""The mean and the deviation of each channel of a set of images, measured on some of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from twofold.errors import UserError
from twofold.images.reading.decode import decode
from twofold.images.reading.source import Source
from twofold.pixels.reading.failure import DecodeError
from twofold.resources import usable_cores

LOOKED_AT = 256  # images spread over the set
SHORT_SIDE = 256  # to which they are shrunk

Measured = tuple[tuple[float, ...], tuple[float, ...]]


def measure_statistics(source: Source) -> Measured:
    """(mean, deviation) of each channel in 0..1 by the source's rule: a function of the data alone.

    Of up to 256 images spread evenly over the set, each counting the same; those that cannot be read are left out. A
    channel that is the same everywhere has the deviation 1. Raises UserError where none can be read.
    """
    rows = np.unique(np.linspace(0, len(source) - 1, min(LOOKED_AT, len(source))).astype(int)).tolist()
    with ThreadPoolExecutor(usable_cores()) as pool:
        found = [moments for moments in pool.map(lambda i: _moments(source, i), rows) if moments is not None]
    if not found:
        raise UserError(f"{source.path}: none of the {len(rows)} images looked at can be read, so nothing is measured.")
    mean, square = np.mean(found, axis=0)
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    deviation[deviation <= np.finfo(np.float32).eps * mean] = 1.0
    return tuple(mean.tolist()), tuple(deviation.tolist())


def _moments(source: Source, i: int) -> np.ndarray | None:
    """float64 (2, C): the mean of the values of each channel and of their squares."""
    try:
        pixels = decode(source.fetch(i), SHORT_SIDE, source.pixels).numpy()
    except DecodeError:
        return None
    values = pixels.reshape(len(pixels), -1).astype(np.float64) / np.iinfo(pixels.dtype).max
    return np.stack([values.mean(1), (values**2).mean(1)])
