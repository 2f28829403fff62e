"""Observations as they were logged, as pictures (rows, C, H, W) of uint8 or vectors (rows, D) of float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.control.pictures import channels_last
from twofold.control.reading.stores import Unreadable

IN_UNIT = "Pictures of numbers from 0 to 1 were taken times 255."


def as_frames(found: NDArray[Any], layout: str, name: str, notes: set[str]) -> NDArray[np.generic]:
    """The observations of an episode. notes: what is to be said of them is added. Raises Unreadable for what is neither
    pictures nor vectors."""
    if found.dtype.kind not in "biuf":
        raise Unreadable(f"its observations are {found.dtype}, which are no numbers")
    if found.ndim < 3:
        vectors = found.reshape(len(found), -1).astype(np.float32)
        if not np.isfinite(vectors).all():
            raise Unreadable("an observation is no number")
        return vectors
    if found.ndim > 4:
        raise Unreadable(
            f"its observations are {found.ndim - 1}-dimensional: log single pictures, the frames of a state apart"
        )
    pixels = _bytes(found, notes)
    if pixels.ndim == 3:
        return pixels[:, None]
    last = channels_last(pixels.shape[1:], layout, name)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) if last else pixels


def _bytes(found: NDArray[Any], notes: set[str]) -> NDArray[np.uint8]:
    if found.dtype == np.uint8:
        return found
    if found.dtype == np.bool_:
        return found.astype(np.uint8) * np.uint8(255)
    low, high = (found.min(), found.max()) if found.size else (0, 0)
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0:
        raise Unreadable("a picture has numbers below 0, or none")
    if found.dtype.kind == "f" and high <= 1:
        notes.add(IN_UNIT)
        return np.rint(found * 255).astype(np.uint8)
    if high > 255 or (found.dtype.kind == "f" and (found != np.rint(found)).any()):
        raise Unreadable(f"a picture has numbers up to {high:g}: log whole numbers from 0 to 255")
    return found.astype(np.uint8)
