"""Actions as they were logged, as numbers to choose by or as vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.control.reading.stores import Unreadable

WHOLE = "Actions are whole numbers stored as floats: taken as choices."
MOST_CHOICES = 1024


def as_actions(found: NDArray[Any], notes: set[str]) -> NDArray[np.generic]:
    """int64 (T,), or float32 (T, A). Raises Unreadable for what is neither a choice nor a vector."""
    if found.dtype.kind not in "biuf":
        raise Unreadable(f"its actions are {found.dtype}, which are no numbers")
    if found.ndim == 2 and found.shape[1] == 1 and found.dtype.kind != "f":
        found = found[:, 0]
    if found.dtype.kind in "biu":
        if found.ndim != 1:
            raise Unreadable(
                f"an action is {found.shape[1]} choices at once (MultiDiscrete): number their combinations instead"
            )
        if len(found) and not 0 <= int(found.min()) <= int(found.max()) < MOST_CHOICES:
            raise Unreadable(f"its actions go from {found.min()} to {found.max()}: choices are 0, 1, ...")
        return found.astype(np.int64)
    if not np.isfinite(found).all():
        raise Unreadable("an action is no number")
    flat = found.reshape(len(found), -1)
    if flat.shape[1] == 1 and len(flat) and (flat == np.rint(flat)).all() and 0 <= flat.min() <= flat.max() < 64:
        notes.add(WHOLE)
        return flat[:, 0].astype(np.int64)
    return flat.astype(np.float32)


def bounded(actions: Sequence[NDArray[np.generic]]) -> tuple[list[NDArray[np.generic]], str]:
    """Vectors brought into [-1, 1] by the largest of each number, where they go beyond, and a sentence about it."""
    if actions[0].ndim == 1:
        return list(actions), ""
    largest = np.max([np.abs(a).max(0, initial=0.0) for a in actions], axis=0)
    if (largest <= 1 + 1e-6).all():
        return list(actions), ""
    scale = np.maximum(largest, 1.0).astype(np.float32)
    return [a / scale for a in actions], f"Actions go up to {largest.max():.3g}: each number is divided by its largest."
