"""prepare: what it writes is the data, shrunk; killed, resumed, changed and full."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from reading_samples import album, deep_png, encoded, picture, pixels, write

from twofold.errors import UserError
from twofold.images.reading import Images, decode, open_source, prepare, preparing
from twofold.images.reading.looking import settle_pixels


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(preparing, "SHARD", 4)


def quiet(path, out, **options):
    return prepare(str(path), str(out), short_side=24, **options)


def test_the_result_is_the_data_shrunk_with_names_and_labels(tmp_path):
    album(tmp_path / "in" / "b", 5, 60, 80)
    album(tmp_path / "in" / "a", 4, 90, 70)
    write(tmp_path / "in" / "loose.png", picture(50, 50))
    given = open_source(str(tmp_path / "in"))
    out = quiet(tmp_path / "in", tmp_path / "out")
    made = open_source(out)
    assert made.names == given.names and made.labels.tolist() == given.labels.tolist() and made.classes == given.classes
    assert (tmp_path / "out" / "unreadable.txt").read_text() == ""
    for i in range(len(given)):
        a, b = decode(given.read(i), 24).int(), decode(made.read(i), 24).int()
        assert a.shape == b.shape and (a - b).abs().float().mean() < 2
    assert not list((tmp_path / "out").glob("*.part*"))
    Images(made, short_side=24).batch(torch.arange(10))


def test_what_needs_no_change_keeps_its_bytes_and_the_rest_is_exact(tmp_path):
    small = picture(20, 24)
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {
        "a.jpg": encoded(small, "JPEG"),
        "b.png": encoded(small, "PNG"),
        "c.webp": encoded(small, "WEBP"),
        "d.bmp": encoded(small, "BMP"),
        "e.png": encoded(small, "PNG", exif=exif),
        "f.tif": encoded(small.convert("CMYK"), "TIFF"),
    }
    for name, data in files.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)
    made = open_source(quiet(tmp_path / "in", tmp_path / "out"))
    for i, (name, data) in enumerate(files.items()):
        assert (made.read(i) == data) == (name in ("a.jpg", "b.png", "c.webp"))
        assert torch.equal(decode(made.read(i), 24), decode(data, 24)), name


def test_arrays_can_be_prepared(tmp_path):
    array = np.stack([pixels(picture(20, 20, seed=i)).transpose(1, 2, 0) for i in range(3)]).astype(np.uint8)
    np.savez(tmp_path / "a.npz", images=array, labels=np.arange(3))
    made = open_source(quiet(tmp_path / "a.npz", tmp_path / "out"))
    assert all((decode(made.read(i), 24).numpy() == array[i].transpose(2, 0, 1)).all() for i in range(3))
    assert made.labels.tolist() == [0, 1, 2] and made.names[1] == "a.npz[1]"


def test_deep_and_four_channel_images_become_plain_ones_by_the_rule_of_the_set(tmp_path):
    rng, said = np.random.default_rng(0), []
    (tmp_path / "in").mkdir()
    for i in range(3):
        (tmp_path / "in" / f"{i}.png").write_bytes(deep_png(rng.integers(0, 4096, (9, 8, 3), np.uint16)))
        Image.fromarray(rng.integers(0, 256, (9, 8, 4), np.uint8)).save(tmp_path / "in" / f"nir-{i}.png")
    given = open_source(str(tmp_path / "in"))
    settle_pixels(given)
    made = open_source(quiet(tmp_path / "in", tmp_path / "out", say=said.append))
    assert (
        said == [f"{tmp_path / 'in'}: {note}" for note in given.pixel_notes]
        and "4,095 counts as white" in said[0]
        and "left out" in said[1]
    )
    assert settle_pixels(made) == []
    for i in range(6):
        assert torch.equal(decode(made.read(i), None), decode(given.read(i), None, given.pixels))
    with pytest.raises(UserError, match="not what this call would write"):
        quiet(tmp_path / "in", tmp_path / "out", white=65535.0)


def test_unreadable_images_are_left_out_and_listed(tmp_path):
    album(tmp_path / "in", 9)
    (tmp_path / "in" / "003.jpg").write_bytes(b"")
    (tmp_path / "in" / "006.jpg").write_text("text")
    with pytest.raises(UserError, match=r"9 images, of which 2 cannot be read.*003.jpg"):
        quiet(tmp_path / "in", tmp_path / "out", max_unreadable=0.2)
    with pytest.raises(UserError, match="unfinished prepare"):
        open_source(str(tmp_path / "out"))
    made = open_source(quiet(tmp_path / "in", tmp_path / "out", max_unreadable=0.3))
    assert made.names == [f"{i:03d}.jpg" for i in range(9) if i not in (3, 6)]
    lines = (tmp_path / "out" / "unreadable.txt").read_text().splitlines()
    assert lines[0] == "003.jpg\tthe file is empty" and lines[1].startswith("006.jpg\tnot an image")


def test_a_shard_in_which_nothing_can_be_read(tmp_path):
    album(tmp_path / "in", 12)
    for i in range(4, 8):
        (tmp_path / "in" / f"{i:03d}.jpg").write_bytes(b"")
    made = open_source(quiet(tmp_path / "in", tmp_path / "out", max_unreadable=0.5))
    assert len(made) == 8 and made.read(7)


def test_a_finished_call_returns_at_once_and_a_changed_one_is_refused(tmp_path, monkeypatch):
    album(tmp_path / "in", 6)
    quiet(tmp_path / "in", tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(preparing, "shrunk_bytes", None)
        assert quiet(tmp_path / "in", tmp_path / "out") == str(tmp_path / "out")
    for change in ({"quality": 80}, {}):
        if not change:
            write(tmp_path / "in" / "new.jpg")
        with pytest.raises(UserError, match=r"prepared from .*short side 24, quality 95"):
            quiet(tmp_path / "in", tmp_path / "out", **change)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != ".lock"}


CHILD = """
import sys, time
from twofold.images.reading import preparing
preparing.SHARD = 4
shrink = preparing.shrunk_bytes
def slow(*arguments):
    time.sleep(0.02)
    return shrink(*arguments)
preparing.shrunk_bytes = slow
preparing.prepare(sys.argv[1], sys.argv[2], short_side=24, workers=1)
"""


def test_killed_and_run_again_it_goes_on_to_the_same_files(tmp_path, monkeypatch):
    folder = album(tmp_path / "in", 40)
    (folder / "001.jpg").write_bytes(b"")
    whole = contents(Path(quiet(folder, tmp_path / "whole")))
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(folder), str(out)])
    began = time.time()
    while len(list(out.glob("images*.parquet"))) < 3 and time.time() - began < 30:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = {p.name: p.stat().st_mtime_ns for p in out.glob("images*.parquet")}
    assert 3 <= len(kept) < 10
    calls = []
    shrink = preparing.shrunk_bytes
    monkeypatch.setattr(preparing, "shrunk_bytes", lambda *a: calls.append(1) or shrink(*a))
    assert contents(Path(quiet(folder, out))) == whole
    assert len(calls) == 40 - 4 * len(kept)
    assert all((out / name).stat().st_mtime_ns == when for name, when in kept.items())


def test_a_damaged_shard_is_made_again(tmp_path):
    folder = album(tmp_path / "in", 8)
    whole = contents(Path(quiet(folder, tmp_path / "out")))
    manifest = json.loads((tmp_path / "out" / "prepared.json").read_text())
    (tmp_path / "out" / "prepared.json").write_text(json.dumps(manifest | {"done": False}))
    shard = tmp_path / "out" / "images-00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-50])
    assert contents(Path(quiet(folder, tmp_path / "out"))) == whole


def test_row_groups_are_small_and_uncompressed(tmp_path):
    out = quiet(album(tmp_path / "in", 4), tmp_path / "out")
    column = pq.read_metadata(f"{out}/images-00000.parquet").row_group(0).column(0)
    assert column.compression == "UNCOMPRESSED"


def test_what_is_refused(tmp_path):
    folder = album(tmp_path / "in", 3)
    (tmp_path / "file").write_text("x")
    for out, options, message in [
        (folder, {}, "holds no prepared images .it has 000.jpg"),
        (tmp_path / "file", {}, "is a file"),
        ("memory://x", {}, "is a URL"),
        (tmp_path / "o", {"quality": 100}, "choose 1 to 95"),
    ]:
        with pytest.raises(UserError, match=message):
            quiet(folder, out, **options)
    assert not (tmp_path / "o").exists()


def test_a_full_disk_is_a_user_error_and_leaves_no_half_file(tmp_path, monkeypatch):
    folder = album(tmp_path / "in", 8)
    sync = os.fsync

    def full(descriptor):
        if len(list((tmp_path / "out").glob("images*.parquet"))) >= 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    with monkeypatch.context() as patch, pytest.raises(UserError, match=r"its disk is full.*goes on"):
        patch.setattr(os, "fsync", full)
        quiet(folder, tmp_path / "out")
    assert sorted(contents(tmp_path / "out")) == ["images-00000.parquet", "prepared.json"]
    assert not list((tmp_path / "out").glob("*.part*"))
    assert len(open_source(quiet(folder, tmp_path / "out"))) == 8


def test_names_that_are_no_utf8(tmp_path):
    album(tmp_path / "in", 1)
    with open(os.fsencode(str(tmp_path / "in")) + b"/\xff.jpg", "wb") as f:
        f.write(encoded(picture()))
    with open(os.fsencode(str(tmp_path / "in")) + b"/\xfe.jpg", "wb") as f:
        f.write(b"")
    made = open_source(quiet(tmp_path / "in", tmp_path / "out", max_unreadable=0.5))
    assert made.names == ["000.jpg", "\\xff.jpg"]
    assert "\\xfe.jpg\tthe file is empty" in (tmp_path / "out" / "unreadable.txt").read_text()
