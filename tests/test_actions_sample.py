"""The bundled sample of human actions: what its README says is so."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

ACTIONS = Path(__file__).resolve().parent.parent / "examples" / "actions"
with (ACTIONS / "videos.csv").open(encoding="utf-8") as listing:
    ROWS = list(csv.DictReader(listing))
CLASSES = ("walk", "run", "cartwheel", "kick", "jump")


def test_the_folders_hold_the_videos_that_the_listing_and_the_readme_count() -> None:
    assert sorted(r["file"] for r in ROWS) == sorted(str(f.relative_to(ACTIONS)) for f in ACTIONS.rglob("*.mp4"))
    counts = Counter(tuple(r["file"].split("/")[:2]) for r in ROWS)
    assert counts == {(split, c): n for split, n in (("train", 4), ("test", 2)) for c in CLASSES}
    assert all(r["file"].split("/")[:2] == [r["split"], r["label"]] for r in ROWS)


def test_the_sample_is_small() -> None:
    assert sum(f.stat().st_size for f in ACTIONS.rglob("*") if f.is_file()) < 400_000


def test_train_and_test_share_no_background() -> None:
    held = {split: {r["background"] for r in ROWS if r["split"] == split} for split in ("train", "test")}
    assert held["train"] and held["test"] and not held["train"] & held["test"]


@pytest.mark.parametrize("row", ROWS[::6], ids=lambda r: r["file"])
def test_a_video_has_the_frames_that_are_listed_and_moves_before_a_still_background(row: dict[str, str]) -> None:
    av = pytest.importorskip("av")
    with av.open(str(ACTIONS / row["file"])) as container:
        assert container.streams.video[0].average_rate == 25
        frames = np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)]).astype(int)
    assert frames.shape == (int(row["frames"]), 96, 128, 3)
    change = np.abs(frames[12:] - frames[:-12]).mean((0, -1))  # half a second
    assert change[24:84, 40:88].mean() > 3 * np.concatenate([change[:, :16], change[:, 112:]], 1).mean()
