"""The floors of a set of rendered actions."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("sklearn")
BENCHMARKS = str(Path(__file__).resolve().parent.parent / "benchmarks")
sys.path.insert(0, BENCHMARKS)
import motion_capture_floors as floors  # noqa: E402
import motion_capture_videos as videos  # noqa: E402

sys.path.remove(BENCHMARKS)


def test_the_nearest_row_gives_its_label() -> None:
    train, labels = np.array([[0.0, 0.0], [3.0, 4.0]]), np.array(["a", "b"])
    assert list(floors.nearest(train, labels, np.array([[2.9, 4.2], [0.1, -1.0]]))) == ["b", "a"]


def test_difference_statistics_are_of_the_cell_that_changes() -> None:
    frames = np.zeros((6, 16, 16, 3), np.float32)
    frames[::2, :4, 12:] = 1  # the fourth cell flickers, by 1 at every step
    mean, deviation, high = floors.difference_statistics(frames).reshape(3, 16)
    assert list(np.nonzero(mean)[0]) == [3] and mean[3] == 1 and high[3] == 1
    assert not deviation.any()


def test_a_stack_takes_the_first_and_the_last_frame() -> None:
    frames = np.arange(20, dtype=np.float32)[:, None, None, None] * np.ones((1, 16, 16, 3), np.float32)
    taken = floors.stack(frames).reshape(8, -1)[:, 0]
    assert (taken[0], taken[-1]) == (0, 19) and (np.diff(taken) > 0).all()


def test_the_report_finds_the_colour_that_tells_the_class_and_not_the_one_that_lies(tmp_path: Path) -> None:
    recipe = videos.Recipe(background="correlated", classes=("run", "walk"))
    held = [replace(v, frames=4) for v in videos.listing(recipe, 3, 2)]
    grey = {name: 40 if name.endswith("run") else 200 for name in {v.background for v in held}}
    for video in held:
        videos.encode([np.full((32, 48, 3), grey[video.background], np.uint8)] * 4, tmp_path / video.file, 23)
    videos.write_listing(held, tmp_path)
    lines = floors.report(tmp_path).splitlines()
    assert lines[0] == "| floor, 16 x 16 pixels | test-same | test |"
    assert lines[2] == "| chance | 50.0 | 50.0 |"
    names = ("first frame", "mean frame", "8 frames")
    assert lines[3:6] == [f"| nearest neighbour, {name} | 100.0 | 0.0 |" for name in names]
    assert lines[-1].endswith("train 6, test-same 4, test 4")
