"""Ranges of positions in the order in which they came: added at the end, forgotten at the head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_ROOM = 64


class Spans:
    """Rows of start and stop. The array has room to grow, so that adding one takes the same time however many there
    are."""

    def __init__(self, rows: NDArray[np.int64] | None = None) -> None:
        self._held = np.empty((0, 2), np.int64) if rows is None else np.array(rows, np.int64)
        self._first, self._stop = 0, len(self._held)

    @property
    def rows(self) -> NDArray[np.int64]:
        """int64 (n, 2); a view, good until the next one is added."""
        return self._held[self._first : self._stop]

    def add(self, start: int, stop: int) -> None:
        """One more."""
        if self._stop == len(self._held):
            kept = self.rows
            self._held = np.empty((max(2 * len(kept), LEAST_ROOM), 2), np.int64)
            self._held[: len(kept)] = kept
            self._first, self._stop = 0, len(kept)
        self._held[self._stop] = start, stop
        self._stop += 1

    def forget_begun_before(self, position: int) -> None:
        """Drop those whose start is gone."""
        while self._first < self._stop and self._held[self._first, 0] < position:
            self._first += 1

    def forget_over_before(self, position: int) -> None:
        """Drop those of which nothing is left."""
        while self._first < self._stop and self._held[self._first, 1] <= position:
            self._first += 1
