"""Painted motion and its normalisation against the official code of CMD and its loader."""

import numpy as np
import torch
from torch.testing import assert_close

from twofold.videos.motion import flip, normalise, paint_grid, paint_map, resize
from twofold.videos.motion.painting import QUARTER
from twofold.videos.motion.vectors import EMPTY


def rows_of(file, frame):
    columns = str(file["mv_cols"]).split()
    table = file["mv_rows"]
    own = table[table[:, columns.index("frame")] == frame]
    rows = np.zeros(len(own), EMPTY.dtype)
    for at, name in enumerate(columns):
        if name != "frame":
            rows[name] = own[:, at]
    return rows


def test_every_painted_map(golden):
    file = golden("video_cmd_mvmap")
    width, height = (int(side) for side in file["WH"])
    assert len(file["mv_map"]) and np.any(file["mv_map"])
    for frame, expected in enumerate(file["mv_map"]):
        assert np.array_equal(paint_map(rows_of(file, frame), height, width), expected), frame


def test_a_grid_says_the_same_but_for_fractions_and_sources_outside(golden):
    file = golden("video_cmd_mvmap")
    width, height = (int(side) for side in file["WH"])
    agree = total = 0
    for frame, expected in enumerate(file["mv_map"]):
        grid = paint_grid(rows_of(file, frame), height, width)
        whole = np.trunc(grid / QUARTER).repeat(8, 0).repeat(8, 1)[:height, :width]
        agree, total = agree + (whole == expected).all(2).sum(), total + height * width
    assert agree > 0.98 * total


def test_mirror_and_normalisation(golden):
    file = golden("video_cmd")
    maps, clamp = torch.as_tensor(file["mv_in"]), float(file["mv_clamp"])
    found = normalise(flip(maps, negate=False), clamp).permute(3, 0, 1, 2)
    assert_close(found, torch.as_tensor(file["mv_flip_norm"]), rtol=0, atol=1e-5)


def test_crop_and_short_side(golden):
    file = golden("video_cmd")
    maps = torch.as_tensor(file["mv_in"])
    x, y, wide, high = (int(v) for v in file["mv_crop_box_xywh"])
    side = int(file["mv_crop_size"])
    cut = resize(maps[:, y : y + high, x : x + wide], side, side)
    assert_close(cut, torch.as_tensor(file["mv_crop_seed5"]), rtol=0, atol=1e-5)
    expected = torch.as_tensor(file["mv_rescale16"])
    assert_close(resize(maps, *expected.shape[1:3]), expected, rtol=0, atol=1e-4)  # OpenCV rounds its weights
