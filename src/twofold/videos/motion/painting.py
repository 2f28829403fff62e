"""Motion vectors painted: on every pixel, as CMD's loader does, or on a grid of cells of 8 x 8 pixels.

A vector is dst - src: how far the block has come since the frame it is taken from, (dx, dy) in pixels, right and down.
"""

from __future__ import annotations

import numpy as np

from twofold.videos.motion.vectors import ROW

CELL = 8
QUARTER = 4  # steps a pixel of int8 grids, which reach to 31.75 pixels
REFERENCE = 256  # pixels of the short side, in whose units grids are kept
WORDS = [0, 2, 5, 6, 12, 14, 16]  # of a row as int16: source, sizes, dst, low half of motion, scale


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
    down, across = -(-height // CELL), -(-width // CELL)
    # Cells behind the edge take what codecs add to fill their last blocks.
    wide, high = across + 2, down + 2
    out = np.zeros(wide * high, np.int16)  # a cell's two bytes in one
    if len(rows):
        sizes, x, y, motion = _columns(rows, QUARTER * min(1.0, REFERENCE / min(height, width)))
        outside = (x < 0) | (y < 0) | (x > across) | (y > down)
        if outside.any():
            sizes, x, y, motion = (values[~outside] for values in (sizes, x, y, motion))
        at = (y * wide + x).astype(np.intp)
        out[at] = motion
        two, tall = np.flatnonzero((sizes & 255) > CELL), np.flatnonzero(sizes > 256 * CELL + 255)
        out[at[two] + 1] = motion[two]
        at, motion, sizes = at[tall] + wide, motion[tall], sizes[tall]
        out[at] = motion
        both = np.flatnonzero((sizes & 255) > CELL)
        out[at[both] + 1] = motion[both]
    return out.view(np.int8).reshape(high, wide, 2)[:down, :across]


def _columns(rows: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sizes (width and 256 times height), the cells of the first corner (x, y), and the motion, two int8 in an int16;
    blocks of the future first, so that those of the past are painted over them."""
    words = rows.astype(ROW, copy=False).view(np.int16).reshape(len(rows), -1)
    source, sizes, to_x, to_y, by_x, by_y, scale = words[:, WORDS].T.astype(np.int32)
    ahead, moving = source > 0, (by_x | by_y) != 0
    # What does not move is painted already, where nothing of the future is to be painted over.
    order = np.concatenate([np.flatnonzero(ahead & moving), np.flatnonzero(~ahead)]) if ahead.any() else moving
    source, sizes, to_x, to_y, by_x, by_y, scale = (
        values[order] for values in (source, sizes, to_x, to_y, by_x, by_y, scale)
    )
    factor = np.where(source > 0, share, -share) / np.maximum(scale, 1)
    dx, dy = (np.rint(by * factor).clip(-127, 127).astype(np.int32) for by in (by_x, by_y))
    x, y = (to_x - ((sizes & 255) >> 1)) >> 3, (to_y - (sizes >> 9)) >> 3
    return sizes, x, y, ((dx & 255) | (dy << 8)).astype(np.int16)
