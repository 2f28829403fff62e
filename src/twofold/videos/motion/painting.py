"""Motion vectors painted: on every pixel, as CMD's loader does, or on a grid of cells of 8 x 8 pixels.

A vector is dst - src: how far the block has come since the frame it is taken from, (dx, dy) in pixels, right and down.
"""

from __future__ import annotations

import numpy as np

from twofold.videos.motion.vectors import past

CELL = 8
QUARTER = 4  # steps a pixel of int8 grids, which reach to 31.75 pixels
REFERENCE = 256  # pixels of the short side, in whose units grids are kept


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

    One vector a block (`past`). FFmpeg tells none of blocks below 8 x 8, so cells lose nothing but its fractions finer
    than a quarter. Cells of blocks without vectors are 0.
    """
    down, across = -(-height // CELL), -(-width // CELL)
    out = np.zeros((down * across, 2), np.int8)
    own = past(rows)
    if len(own):
        share = QUARTER * min(1.0, REFERENCE / min(height, width))
        moved = np.stack([own["motion_x"], own["motion_y"]], 1) * (-share / own["motion_scale"].clip(1))[:, None]
        steps = np.rint(moved).clip(-127, 127).astype(np.int8)
        wide, high = own["w"], own["h"]
        x = (own["dst_x"] - (wide >> 1)).astype(np.int32) >> 3
        y = (own["dst_y"] - (high >> 1)).astype(np.int32) >> 3
        for right in range(int(wide.max()) // CELL or 1):
            for below in range(int(high.max()) // CELL or 1):
                keep = (wide > right * CELL) & (high > below * CELL)
                keep &= (x + right >= 0) & (x + right < across) & (y + below >= 0) & (y + below < down)
                out[((y + below) * across + x + right)[keep]] = steps[keep]
    return out.reshape(down, across, 2)
