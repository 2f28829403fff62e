"""What the numbers in an image mean: which level is white, and what a fourth channel is. One rule for a whole set."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from twofold.pixels.reading.failure import DecodeError

WHOLE, UNIT = 65535, 1.0  # white of integers and of floats where nothing else is known
STRIP = 1 << 16  # values that are worked at a time, so that what they take meanwhile does not count


@dataclass(frozen=True)
class PixelRule:
    """How images of more than 8 bits a channel, or of four channels, become 8-bit RGB.

    white: the level that becomes 255; brighter ones do, too, and those below 0 become black. None: 65,535 of integers
    and 1 of floats, beyond which (and below 0) an image is refused. fourth: "alpha", transparency, laid over white;
    "drop", left out; None where it is not known that there is one, and then alpha.
    """

    white: float | None = None
    fourth: Literal["alpha", "drop"] | None = None

    def to_bytes(self, values: np.ndarray) -> np.ndarray:
        """Levels (H, ...) of any real type as uint8 of the same shape; uint8 as it is. Raises DecodeError for NaN, and
        for levels outside the range where white is not known."""
        if values.dtype == np.uint8:
            return values
        out = np.empty(values.shape, np.uint8)
        rows = max(1, STRIP // max(1, values[0].size))
        for top in range(0, len(values), rows):
            out[top : top + rows] = self._strip(values[top : top + rows])
        return out

    def _strip(self, values: np.ndarray) -> np.ndarray:
        whole = values.dtype.kind in "iu"
        white = self.white or (WHOLE if whole else UNIT)
        least, most = values.min(), values.max()
        if not np.isfinite(least) or not np.isfinite(most):
            raise DecodeError("NaN or infinity among its values, for which no white level helps")
        if self.white is None and (least < 0 or most > white):
            raise DecodeError(f"values from {least:,.6g} to {most:,.6g}, of unknown white level: give it by --white")
        if whole and white == int(white) and white <= WHOLE:
            return _table(int(white))[values.clip(0, WHOLE) if values.dtype != np.uint16 else values]
        levels = values.astype(np.float64 if whole else np.float32, copy=False)
        return np.round(levels.clip(0, white) * (255 / white)).astype(np.uint8)


@lru_cache(8)
def _table(white: int) -> np.ndarray:
    """What becomes of each level of 16 bits."""
    levels = np.arange(WHOLE + 1, dtype=np.int64).clip(max=white)
    return ((levels * 255 + white // 2) // white).astype(np.uint8)
