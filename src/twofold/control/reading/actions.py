"""Actions as they were logged, as numbers to choose by or as vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.control.reading.stores import Unreadable

WHOLE = 'Actions are whole numbers stored as floats: taken as choices, unless kind_of_actions beside them is "vectors".'
MOST_CHOICES, MOST_WHOLE = 1024, 64  # choices there may be; those that floats may mean

Actions = NDArray[np.generic]


def as_actions(found: NDArray[Any]) -> Actions:
    """int64 (T,), or float32 (T, A). Raises Unreadable for what is neither a choice nor a vector."""
    if found.dtype.kind not in "biuf":
        raise Unreadable(f"its actions are {found.dtype}, which are no numbers")
    if found.dtype.kind == "f":
        return _vectors(found)
    choices = found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found
    if choices.ndim != 1:
        raise Unreadable(
            f"an action is {choices[0].size} whole numbers (MultiDiscrete, or one-hot): log the number of the "
            f"combination, or of the choice"
        )
    if not 0 <= int(choices.min()) <= int(choices.max()) < MOST_CHOICES:
        raise Unreadable(
            f"its actions go from {choices.min()} to {choices.max()}: choices are 0, 1, ..., and at most "
            f"{MOST_CHOICES - 1:,}"
        )
    return choices.astype(np.int64)


def _vectors(found: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        vectors = found.reshape(len(found), -1).astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(vectors).all(1))
    if len(bad):
        raise Unreadable(f"action {bad[0]} is no number")
    if not vectors.shape[1]:
        raise Unreadable("its actions are empty")
    return vectors


def settled(actions: Sequence[Actions], vectors: bool) -> tuple[list[Actions], list[str]]:
    """The actions of all episodes, and sentences about what was done to them.

    Single floats that are whole numbers in every episode are choices, unless the log says that they are vectors;
    vectors that go beyond [-1, 1] are divided by the largest of each number.
    """
    if not vectors and any(own.ndim == 2 for own in actions) and all(map(_may_choose, actions)):
        return [own.reshape(-1).astype(np.int64) for own in actions], [WHOLE]
    if {own.shape[1:] for own in actions} != {actions[0].shape[1:]} or actions[0].ndim == 1:
        return list(actions), []
    largest = np.max([np.abs(own).max(0) for own in actions], axis=0)
    if (largest <= 1 + 1e-6).all():
        return list(actions), []
    scale = np.maximum(largest, 1.0).astype(np.float32)
    said = f"Actions go up to {largest.max():.3g}: each number is divided by its largest."
    return [own / scale for own in actions], [said]


def _may_choose(own: Actions) -> bool:
    """Whether actions are choices, or single floats that may be."""
    if own.ndim == 1:
        return True
    low, high = float(own.min()), float(own.max())
    return own.shape[1] == 1 and 0 <= low <= high < MOST_WHOLE and bool((own == np.rint(own)).all())
