"""Pictures inside the page: one sheet of thumbnails, and single pictures, as WebP data addresses."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

_TILE = 64  # No tile is wider, in pixels: a thumbnail has to be recognised, not studied.


@dataclass(frozen=True)
class Sheet:
    """Equal tiles in one picture, row by row. `place` maps an index in the gallery to (column, row) on the sheet."""

    uri: str
    columns: int
    rows: int
    place: dict[int, tuple[int, int]]

    def style(self, index: int) -> str:
        """The rule of CSS by which a tile of the class `sheet` and this number shows its part of the picture."""
        return f".sheet{index} {{ background-image: url({self.uri}); --columns: {self.columns}; --rows: {self.rows}; }}"


def picture(pixels: np.ndarray, side: int, quality: int = 78) -> str:
    """`pixels` (h, w, 3) uint8 as a data address, shrunk (never enlarged) to a longer side of at most `side` px."""
    return _address([_shown(pixels, side)], quality=quality, method=6)


def moving_picture(frames: np.ndarray, side: int, seconds: float = 0.2, quality: int = 60) -> str:
    """Frames (T, h, w, 3) uint8 as the data address of a picture that goes round, each frame shown so long."""
    return _address([_shown(frame, side) for frame in frames], quality=quality, duration=round(1000 * seconds), loop=0)


def _shown(pixels: np.ndarray, side: int) -> Any:
    shown = Image.fromarray(np.ascontiguousarray(pixels))
    scale = side / max(shown.size)
    if scale < 1:
        size = (max(1, round(shown.width * scale)), max(1, round(shown.height * scale)))
        shown = shown.resize(size, Image.Resampling.LANCZOS)
    return shown


def _address(pictures: list[Any], **settings: int) -> str:
    first, *others = pictures
    file = io.BytesIO()
    first.save(file, "WEBP", **settings, **({"save_all": True, "append_images": others} if others else {}))
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def sheet(thumbnails: np.ndarray, chosen: np.ndarray, quality: int = 72) -> Sheet:
    """The `chosen` rows of `thumbnails` (n, h, w, 3) uint8 on one near-square sheet, at most 64 px each."""
    height, width = thumbnails.shape[1:3]
    columns = max(1, math.ceil(math.sqrt(len(chosen))))
    rows = max(1, math.ceil(len(chosen) / columns))
    canvas = np.zeros((rows * height, columns * width, 3), dtype=np.uint8)
    place = {}
    for number, index in enumerate(chosen.tolist()):
        row, column = divmod(number, columns)
        canvas[row * height : (row + 1) * height, column * width : (column + 1) * width] = thumbnails[index]
        place[index] = (column, row)
    side = round(max(canvas.shape) * min(1.0, _TILE / max(height, width)))
    return Sheet(picture(canvas, side, quality), columns, rows, place)
