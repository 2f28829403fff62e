"""Decoded frames one after another -> the motion of what is shown, on grids."""

from __future__ import annotations

from typing import Any

import numpy as np

from twofold.pixels.reading.failure import DecodeError
from twofold.videos.motion.painting import Grids, paint_grids
from twofold.videos.motion.vectors import rows_of
from twofold.videos.orientation import Orientation, display_matrix, orientation_of


class Following:
    """Gathers frames of one size and orientation."""

    def __init__(self) -> None:
        self._rows: list[np.ndarray] = []
        self._seen: tuple[int, int, Orientation] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def moves(self) -> bool:
        """Whether any of the frames has vectors."""
        return any(map(len, self._rows))

    def add(self, frame: Any) -> None:
        """The next frame. Raises DecodeError where it is of another size than those before."""
        seen = (frame.height, frame.width, orientation_of(display_matrix(frame)))
        if self._seen not in (None, seen):
            raise DecodeError("its frames change in size, and motion is not followed over that")
        self._seen = seen
        self._rows.append(rows_of(frame))

    def grids(self) -> Grids:
        """The motion of the frames since the last call, of one at least."""
        assert self._seen is not None
        height, width, turn = self._seen
        cells = np.ascontiguousarray(turn.vectors(paint_grids(self._rows, height, width)))
        self._rows = []
        return Grids(cells, *((width, height) if turn.transpose else (height, width)))
