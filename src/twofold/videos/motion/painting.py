"""Motion vectors painted: on every pixel, as CMD's loader does, or on a grid of cells of 8 x 8 pixels.

A vector is dst - src: how far the block has come since the frame it is taken from, (dx, dy) in pixels, right and down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from twofold.videos.motion.vectors import EMPTY, ROW

CELL = 8
QUARTER = 4  # steps a pixel of int8 grids, which reach to 31.75 pixels
REFERENCE = 256  # pixels of the short side, in whose units grids are kept
WORDS = ROW.itemsize // 2  # of a row as int16: 0 source, 2 sizes, 5 and 6 dst, 12 to 15 motion, 16 scale


@dataclass(frozen=True)
class Grids:
    """Motion of frames as shown. cells: int8 (T, h, w, 2), as `paint_grid` gives it. height, width: of the frames, in
    stored pixels; cells reach over an edge where these are no multiple of 8."""

    cells: np.ndarray
    height: int
    width: int

    def frames(self, numbers: Sequence[int]) -> Grids:
        """Those of some frames."""
        return replace(self, cells=self.cells[np.asarray(numbers)])


def paint_map(rows: np.ndarray, height: int, width: int) -> np.ndarray:
    """The map of the official loader (CoViAR's, as released with CMD), int16 (height, width, 2).

    Rows are painted one after the other on [dst - size/2, dst + size/2), whole pixels of dst - src; rows that do not
    move are left out, and so are pixels that lie outside, or whose source does. Unpainted pixels are 0.
    """
    out = np.zeros((height, width, 2), np.int16)
    moving = rows[(rows["dst_x"] != rows["src_x"]) | (rows["dst_y"] != rows["src_y"])]
    if not len(moving):
        return out
    wide, high = (moving[name].astype(np.int64) for name in ("w", "h"))
    counts = wide * high
    row = np.repeat(np.arange(len(moving)), counts)
    place = np.arange(len(row)) - np.repeat(counts.cumsum() - counts, counts)
    across, down = place % wide[row] - wide[row] // 2, place // wide[row] - high[row] // 2
    x, y = moving["dst_x"][row] + across, moving["dst_y"][row] + down
    from_x, from_y = moving["src_x"][row] + across, moving["src_y"][row] + down
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    inside &= (from_x >= 0) & (from_x < width) & (from_y >= 0) & (from_y < height)
    moved = np.stack([moving[f"dst_{axis}"].astype(np.int16) - moving[f"src_{axis}"] for axis in "xy"], 1)
    out[y[inside], x[inside]] = moved[row[inside]]  # where pixels come twice the last one stays
    return out


def paint_grid(rows: np.ndarray, height: int, width: int) -> np.ndarray:
    """The motion of each cell of 8 x 8 pixels, int8 (ceil(height / 8), ceil(width / 8), 2), in quarters of a pixel of a
    video whose short side is 256 (smaller ones keep their pixels), up to 31.75 of these.

    Of blocks that have a vector from the future alone it is that one's negative, like `past`. FFmpeg tells none of
    blocks below 8 x 8, so cells lose nothing but fractions finer than a quarter. Cells of blocks without vectors are 0.
    """
    return paint_grids([rows], height, width)[0]


def paint_grids(frames: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
    """`paint_grid` of several frames of one size, int8 (T, ceil(height / 8), ceil(width / 8), 2), at one go: of small
    frames, numpy's calls cost more than what they do."""
    down, across = -(-height // CELL), -(-width // CELL)
    # Cells behind the edge take what codecs add to fill their last blocks.
    wide, high = across + 2, down + 2
    out = np.zeros(len(frames) * high * wide, np.int16)  # a cell's two bytes in one
    words = np.concatenate([_words(rows) for rows in (EMPTY, *frames)])
    first = np.repeat(np.arange(len(frames), dtype=np.int32) * (high * wide), [len(rows) for rows in frames])
    order = _order(words)
    words, first = words.take(order, 0).view(np.int16).reshape(-1, WORDS), first[order]
    sizes = words[:, 2].astype(np.int32)
    x = (words[:, 5] - ((sizes & 255) >> 1)) >> 3
    y = (words[:, 6] - (sizes >> 9)) >> 3
    at, motion = y * wide + x + first, _steps(words, QUARTER * min(1.0, REFERENCE / min(height, width)))
    outside = (x.view(np.uint32) > across) | (y.view(np.uint32) > down)
    if outside.any():
        at, motion, sizes = (values[~outside] for values in (at, motion, sizes))
    out[at] = motion
    two, tall = np.flatnonzero((sizes & 255) > CELL), np.flatnonzero(sizes > 256 * CELL + 255)
    out[at[two] + 1] = motion[two]
    at, motion, sizes = at[tall] + wide, motion[tall], sizes[tall]
    out[at] = motion
    both = np.flatnonzero((sizes & 255) > CELL)
    out[at[both] + 1] = motion[both]
    return out.view(np.int8).reshape(len(frames), high, wide, 2)[:, :down, :across]


def _words(rows: np.ndarray) -> np.ndarray:
    """Rows as int64 (N, 5): (source, sizes, src_x), (src_y, dst), flags, motion, scale."""
    return np.ascontiguousarray(rows.astype(ROW, copy=False)).view(np.int64).reshape(-1, WORDS // 4)


def _order(words: np.ndarray) -> np.ndarray:
    """The rows to be painted, one after the other: blocks of the future first, so that those of the past are painted
    over them. What does not move is painted already, where nothing of the future is to be painted over."""
    moving, ahead = words[:, 3] != 0, words[:, 0].astype(np.int32) > 0
    if not ahead.any():
        return np.flatnonzero(moving)
    return np.concatenate([np.flatnonzero(ahead & moving), np.flatnonzero(~ahead)])


def _steps(words: np.ndarray, share: float) -> np.ndarray:
    """The motion since the frame before, in steps of which a pixel has `share`: two int8 in an int16."""
    motion, scale = words.view(np.int32)[:, 6:8], np.maximum(words[:, 16], 1)
    factor = np.where(words[:, 0] > 0, share, -share) / scale
    # The axis of two comes first: numpy takes its time over short last ones.
    steps = np.multiply(motion.T, factor, order="C").clip(-127, 127)
    return np.rint(steps, out=steps).T.astype(np.int8, order="C").view(np.int16)[:, 0]
