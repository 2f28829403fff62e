"""What the numbers in an image mean: which levels are black and white, and what its channels are. One rule for a whole
set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from twofold.errors import UserError
from twofold.pixels.batch import RGB
from twofold.pixels.reading.failure import DecodeError

WHOLE, UNIT = 65535, 1.0  # white of integers and of floats where nothing else is known
STRIP = 1 << 16  # values that are worked at a time, so that what they take meanwhile does not count


@dataclass(frozen=True)
class PixelRule:
    """How the pixels of images become 8-bit RGB or, where `channels` says how many, channels as they are.

    white: the level that becomes the brightest; brighter ones do, too. None: 65,535 of integers and 1 of floats, beyond
    which (and below black) an image is refused. fourth: of RGB, "alpha", transparency, laid over white; "drop", left
    out; None where it is not known that there is one, and then alpha. channels: None for RGB; else how many, 1 to 16,
    of 8 bits or, where `deep`, of 16. black: the level that becomes 0, and those below it.
    """

    white: float | None = None
    fourth: Literal["alpha", "drop"] | None = None
    channels: int | None = None
    black: float = 0.0
    deep: bool = False

    def __post_init__(self) -> None:
        if self.white is not None and self.white <= self.black:
            raise UserError(
                f"The white level {self.white:,.6g} is not above the black level {self.black:,.6g}: give --white and "
                f"--black so that it is."
            )

    @property
    def count(self) -> int:
        """How many channels a decoded image has."""
        return self.channels or RGB

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """The type of decoded pixels."""
        return np.uint16 if self.channels and self.deep else np.uint8

    def bytes_of(self, height: int, width: int) -> int:
        """What a decoded image takes."""
        return self.count * np.dtype(self.dtype).itemsize * height * width

    def describe(self) -> str:
        """'5 channels of 16 bits'."""
        return f"{self.count} channel{'' if self.count == 1 else 's'} of {8 * np.dtype(self.dtype).itemsize} bits"

    def to_levels(self, values: np.ndarray) -> np.ndarray:
        """Levels (H, W, C) of any real type as uint8, which stay as they are, or as uint16 from black to white.

        16 bits keep each of their levels; floats and longer integers are rounded to 1 / 65,535 of the range. Raises
        DecodeError: see `to_bytes`, and for more than 8 bits where the set has none.
        """
        if values.dtype == np.uint8:
            return values.astype(np.uint16) * (WHOLE // 255) if self.deep else values
        if not self.deep:
            raise DecodeError("more than 8 bits a channel, unlike the images looked at: give --white")
        white = self._checked(values)
        if values.dtype.kind in "iu" and (self.black, white) == (0, WHOLE):
            return values.clip(0, WHOLE).astype(np.uint16)
        scaled = (values.astype(np.float64) - self.black) * (WHOLE / (white - self.black))
        return np.round(scaled.clip(0, WHOLE)).astype(np.uint16)

    def to_bytes(self, values: np.ndarray) -> np.ndarray:
        """Levels (H, ...) of any real type as uint8 of the same shape; uint8 as it is. Raises DecodeError for NaN, and
        for levels outside the range where white is not known."""
        if values.dtype == np.uint8:
            return values
        if self.black:
            white = None if self.white is None else self.white - self.black
            return replace(self, white=white, black=0.0).to_bytes(values.astype(np.float64) - self.black)
        out = np.empty(values.shape, np.uint8)
        rows = max(1, STRIP // max(1, values[0].size))
        for top in range(0, len(values), rows):
            out[top : top + rows] = self._strip(values[top : top + rows])
        return out

    def _strip(self, values: np.ndarray) -> np.ndarray:
        whole, white = values.dtype.kind in "iu", self._checked(values)
        if whole and white == int(white) and white <= WHOLE:
            return _table(int(white))[values.clip(0, WHOLE) if values.dtype != np.uint16 else values]
        levels = values.astype(np.float64 if whole else np.float32, copy=False)
        return np.round(levels.clip(0, white) * (255 / white)).astype(np.uint8)

    def _checked(self, values: np.ndarray) -> float:
        """The level of white, once it is known that the values may be meant."""
        white = self.white if self.white is not None else WHOLE if values.dtype.kind in "iu" else UNIT
        least, most = values.min(), values.max()
        if not np.isfinite(least) or not np.isfinite(most):
            raise DecodeError("NaN or infinity among its values, for which no white level helps")
        if self.white is None and (least < self.black or most > white):
            raise DecodeError(f"values from {least:,.6g} to {most:,.6g}, of unknown white level: give it by --white")
        return white


PLAIN = PixelRule()


@lru_cache(8)
def _table(white: int) -> np.ndarray:
    """What becomes of each level of 16 bits."""
    levels = np.arange(WHOLE + 1, dtype=np.int64).clip(max=white)
    return ((levels * 255 + white // 2) // white).astype(np.uint8)
