"""Observations as they were logged, as pictures (rows, C, H, W) of uint8 or vectors (rows, D) of float32."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.control.pictures import channels_last
from twofold.control.reading.stores import Unreadable
from twofold.errors import UserError

IN_UNIT = "Pictures of numbers from 0 to 1 were taken times 255."
OF_TRUTHS = "Pictures of True and False were taken as 255 and 0."


@dataclass
class Scales:
    """Which episodes have pictures of floats from 0 to 1, and which from 0 to 255: the first of each."""

    unit: str = ""
    wide: str = ""
    notes: set[str] = field(default_factory=set)

    def check(self) -> None:
        """Refuse a log that has both, since an episode alone cannot tell how dark it is."""
        if self.unit and self.wide:
            raise UserError(
                f"{self.unit} has pictures of numbers from 0 to 1, and {self.wide} of numbers up to 255: log them all "
                f"as uint8."
            )


def as_frames(found: NDArray[Any], layout: str, name: str, scales: Scales) -> NDArray[np.generic]:
    """The observations of an episode, bit by bit where they are uint8. Raises Unreadable for what is neither pictures
    nor vectors, UserError where the order of a picture's sides has to be said."""
    if found.dtype.kind not in "biuf":
        raise Unreadable(f"its observations are {found.dtype}, which are no numbers")
    if found.size == 0:
        raise Unreadable(f"its observations are empty, {list(found.shape)}")
    if found.ndim < 3:
        return _vectors(found)
    if found.ndim > 4:
        raise Unreadable(
            f"its observations are {found.ndim - 1}-dimensional: log single pictures, the frames of a state apart"
        )
    pixels = _bytes(found, name, scales)
    if pixels.ndim == 3:
        return pixels[:, None]
    last = channels_last(pixels.shape[1:], layout, name)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) if last else pixels


def _vectors(found: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        vectors = found.reshape(len(found), -1).astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(vectors).all(1))
    if len(bad):
        raise Unreadable(f"observation {bad[0]} is no number")
    return vectors


def _bytes(found: NDArray[Any], name: str, scales: Scales) -> NDArray[np.uint8]:
    if found.dtype == np.uint8:
        return found
    if found.dtype == np.bool_:
        scales.notes.add(OF_TRUTHS)
        return found.astype(np.uint8) * np.uint8(255)
    low, high = found.min(), found.max()
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0:
        raise Unreadable(
            f"its observations of {list(found.shape[1:])} are pictures by their shape, and have numbers below 0, or "
            f"none: log whole numbers from 0 to 255, or vectors as one row of numbers"
        )
    if found.dtype.kind == "f" and 0 < high <= 1:
        scales.notes.add(IN_UNIT)
        scales.unit = scales.unit or name
        return np.rint(found * 255).astype(np.uint8)
    if high > 255 or (found.dtype.kind == "f" and (found != np.rint(found)).any()):
        raise Unreadable(f"a picture has numbers up to {high:g}: log whole numbers from 0 to 255")
    if found.dtype.kind == "f" and high > 0:
        scales.wide = scales.wide or name
    return found.astype(np.uint8)
