"""Images to learn from and to test on that are the same, found by their bytes in every kind of data."""

from __future__ import annotations

import shutil
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from twofold.images.evaluation import overlap as module
from twofold.images.evaluation.overlap import overlap
from twofold.images.evaluation.splits import Split
from twofold.images.reading import Images, open_source


@pytest.fixture
def photos(tmp_path):
    """Two folders of 6 and 4 images, of which 3 of the second are in the first, too, under other names."""
    drawn = np.random.default_rng(0)
    for i in range(7):
        for folder in ("one", "two"):
            (tmp_path / folder).mkdir(exist_ok=True)
        image = Image.fromarray(drawn.integers(0, 256, (9, 9, 3), np.uint8))
        image.save(tmp_path / ("one" if i < 6 else "two") / f"{i}.png")
    for i in range(3):
        shutil.copy(tmp_path / "one" / f"{i}.png", tmp_path / "two" / f"copy{i}.png")
    return tmp_path


def split(path):
    images = Images(open_source(str(path)), short_side=None)
    return Split(images, torch.arange(len(images)), torch.zeros(len(images), dtype=torch.int64))


def folder(path):
    return path


def table(path):
    files = sorted(path.iterdir())
    columns = {"name": [file.name for file in files], "image": [file.read_bytes() for file in files]}
    pq.write_table(pa.table(columns), f"{path}.parquet")
    return f"{path}.parquet"


def tar(path):
    with tarfile.open(f"{path}.tar", "w") as file:
        for one in sorted(path.iterdir()):
            file.add(one, one.name)
    return f"{path}.tar"


@pytest.mark.parametrize("train", [folder, table, tar])
@pytest.mark.parametrize("test", [folder, table, tar])
def test_the_same_bytes_are_found_whatever_they_lie_in(photos, train, test):
    found = overlap(split(train(photos / "one")), split(test(photos / "two")))
    assert (found.count, found.looked, found.total, found.whole) == (3, 4, 4, True)
    assert found.describe().startswith("3 of the 4 images to test on are also among those to learn from, byte for byte")
    assert found.first == "copy0.png" and "copy0.png" in found.describe()


def test_arrays_by_their_pixels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 5, 5, 3), np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels[:6])
    np.savez(tmp_path / "b.npz", images=pixels[4:])
    found = overlap(split(tmp_path / "a.npz"), split(tmp_path / "b.npz"))
    assert (found.count, found.total) == (2, 4)


def test_others_are_not_and_what_cannot_be_read_is_nothing(photos):
    for file in (photos / "two").glob("copy*"):
        file.unlink()
    (photos / "one" / "broken.png").write_bytes(b"")
    (photos / "two" / "broken.png").symlink_to(photos / "gone.png")
    found = overlap(split(photos / "one"), split(photos / "two"))
    assert found.count == 0 and found.describe() == ""


def test_of_large_sets_a_part_is_looked_at_and_that_is_said(photos, monkeypatch):
    monkeypatch.setattr(module, "MOST", 5)
    monkeypatch.setattr(module, "FEW", 2)
    found = overlap(split(table(photos / "one")), split(table(photos / "two")))
    assert (found.looked, found.total, found.whole) == (2, 4, False)
    assert found.describe().startswith("At least 1 of the 4 images to test on (2 were looked at)")


def test_only_files_of_equal_size_are_read(photos, monkeypatch):
    (photos / "two" / "large.png").write_bytes(b"x" * 10_000)
    train, test = split(photos / "one"), split(photos / "two")
    read = []
    monkeypatch.setattr(test.images.source, "read", lambda i: read.append(test.images.source.names[i]) or b"")
    overlap(train, test)
    assert "large.png" not in read
