"""Between actions in [-1, 1] and the numbers an environment takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.control.environments.specification import Specification
from twofold.errors import UserError

UNBOUNDED = 1e10  # what no action is meant to reach: some write the largest number they know where they mean none


@dataclass(frozen=True)
class Bounds:
    """Of each number of an action: low, high, float64 (A,)."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def own(self, action: Any) -> NDArray[np.float64]:
        """An action in [-1, 1], which is kept to, as the environment's own."""
        shares = (np.clip(np.asarray(action, np.float64).reshape(-1), -1, 1) + 1) / 2
        return self.low + shares * (self.high - self.low)


def bounds_of(low: Any, high: Any, spec: Specification) -> Bounds:
    """The bounds of a box of actions, those it lacks taken from what is asked. Raises UserError where some are open,
    and where a range is given and none is."""
    low, high = (np.asarray(side, np.float64).reshape(-1) for side in (low, high))
    if spec.action_range is not None:
        if (_is_bound(low) & _is_bound(high)).all():
            raise UserError(f"{spec.id} sets bounds to all of its actions: leave out --action-range.")
        least, most = spec.action_range
        low, high = np.where(_is_bound(low), low, least), np.where(_is_bound(high), high, most)
    lacking = np.flatnonzero(~(_is_bound(low) & _is_bound(high) & (low <= high)))
    if len(lacking):
        at = int(lacking[0])
        raise UserError(
            f"{spec.id} sets no bounds to number {at} of its actions, from {low[at]:g} to {high[at]:g}: "
            f"give --action-range, such as -1,1."
        )
    return Bounds(low, high)


def _is_bound(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.abs(values) < UNBOUNDED
