"""The bundled sample data: what its README says is so, and how its crops were cut."""

from __future__ import annotations

import importlib.util
import io
from collections import Counter
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
CELLS = EXAMPLES / "cells"
COUNTS = {"train": {0: 385, 1: 214, 2: 209}, "val": {0: 155, 1: 87, 2: 83}, "test": {0: 127, 1: 71, 2: 69}}


def script() -> ModuleType:
    """examples/make_cells.py as a module."""
    spec = importlib.util.spec_from_file_location("make_cells", EXAMPLES / "make_cells.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE = script()


@pytest.mark.parametrize("split", COUNTS)
def test_each_split_holds_the_cells_that_its_readme_counts(split: str) -> None:
    rows = pq.read_table(CELLS / f"{split}.parquet").to_pylist()
    assert Counter(r["label"] for r in rows) == COUNTS[split]
    counts = " | ".join(str(COUNTS[split][label]) for label in range(3))
    assert f"| {counts} | {len(rows)} |" in (CELLS / "README.md").read_text()
    classes = (CELLS / "classes.txt").read_text().split()
    for row in rows:
        picture = Image.open(io.BytesIO(row["image"]["bytes"]))
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (64, 64))
        assert row["image"]["path"].startswith(classes[row["label"]] + "/")


@pytest.mark.parametrize("split", COUNTS)
def test_every_prefix_holds_the_mixture_of_the_whole(split: str) -> None:
    labels = pq.read_table(CELLS / f"{split}.parquet", columns=["label"])["label"].to_pylist()
    for length in range(1, len(labels) + 1):
        here = Counter(labels[:length])
        for label, count in COUNTS[split].items():
            assert abs(here[label] - length * count / len(labels)) <= 1.5


def test_no_photograph_gives_cells_to_two_splits_and_no_name_comes_twice() -> None:
    names = {s: [r["path"] for r in pq.read_table(CELLS / f"{s}.parquet")["image"].to_pylist()] for s in COUNTS}
    photographs = {s: {Path(n).stem.rsplit("_", 1)[0] for n in listed} for s, listed in names.items()}
    assert not photographs["train"] & photographs["test"]
    assert not photographs["train"] & photographs["val"]
    assert not photographs["val"] & photographs["test"]
    assert all(len(set(listed)) == len(listed) for listed in names.values())


def test_the_sample_is_small_and_carries_its_licence() -> None:
    assert sum(f.stat().st_size for f in CELLS.iterdir()) <= 4_000_000
    assert "MIT License" in (CELLS / "LICENSE").read_text()


@given(st.integers(50, 640), st.integers(50, 480), st.data())
def test_a_crop_stays_inside_and_holds_its_box_where_there_is_room(
    width: int, height: int, data: st.DataObject
) -> None:
    w, h = data.draw(st.integers(1, width)), data.draw(st.integers(1, height))
    x, y = data.draw(st.integers(0, width - w)), data.draw(st.integers(0, height - h))
    left, top, size = MAKE.square((x, y, w, h), width, height)
    assert left >= 0 and top >= 0 and left + size <= width and top + size <= height
    if max(w, h) <= min(width, height):
        # Rounding may cost a pixel at an edge of boxes too small to have a margin.
        assert left <= x + 1 and top <= y + 1 and left + size >= x + w - 1 and top + size >= y + h - 1


@given(st.lists(st.integers(), max_size=50), st.integers(0, 60))
def test_thinning_keeps_order_and_count(items: list[int], count: int) -> None:
    kept = MAKE.thin(list(enumerate(items)), count)
    assert len(kept) == min(count, len(items))
    assert kept == sorted(kept, key=lambda pair: pair[0]) and len({n for n, _ in kept}) == len(kept)
