"""How stored pictures are turned, mirrored and stretched to be shown: one rule for pixels, motion vectors and grids."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from twofold.videos.container import side_data

SQUARE = 0.01  # pixels less oblong than this share stay as they are


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a picture down: transposed first (rows become columns), then mirrored."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def pictures(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures (..., H, W, C) as they are shown; a view where that is possible."""
        turned = pictures.swapaxes(-3, -2) if self.transpose else pictures
        turned = turned[..., ::-1, :] if self.flip_x else turned
        return turned[..., ::-1, :, :] if self.flip_y else turned

    def vectors(self, grids: np.ndarray) -> np.ndarray:
        """Grids (..., H, W, 2) of vectors (dx, dy), turned as pictures are, each vector with them."""
        turned = self.pictures(grids)
        turned = turned[..., ::-1] if self.transpose else turned
        signs = np.array([-1 if self.flip_x else 1, -1 if self.flip_y else 1], grids.dtype)
        return turned * signs


def orientation_of(matrix: bytes | None) -> Orientation:
    """The orientation that a display matrix (ISO 14496-12, nine int32) asks for, to the next quarter turn."""
    if matrix is None or len(matrix) < 36:
        return Orientation()
    a, b, _, c, d = struct.unpack("<5i", matrix[:20])
    # A point (x, y) is shown at (a x + c y, b x + d y).
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


def display_matrix(frame: Any) -> bytes | None:
    """The display matrix of a decoded frame, or None."""
    found = side_data(frame).get("DISPLAYMATRIX")
    return None if found is None else bytes(found)


def shown_size(height: int, width: int, aspect: Fraction | None, orientation: Orientation) -> tuple[int, int]:
    """Height and width in square pixels of pictures of height x width stored pixels whose aspect is width over height,
    before they are turned; then turned."""
    if aspect and aspect > 0 and abs(float(aspect) - 1) > SQUARE and 1 / 16 < aspect < 16:
        width = max(1, round(width * float(aspect)))
    return (width, height) if orientation.transpose else (height, width)
