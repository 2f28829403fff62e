"""The fingerprint of data: the same of a copy elsewhere and later, another where names, sizes or bytes differ."""

from __future__ import annotations

import os
import shutil
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading_samples import album, encoded, picture

from twofold.errors import UserError
from twofold.images.reading import open_source
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.identity import PIECE, content_digest, file_digest, wherever


def folder(place):
    return album(place / "photos", 4)


def listing(place):
    album(place / "photos", 4)
    (place / "list.txt").write_text("".join(f"{place / 'photos' / f'{i:03}.jpg'}\n" for i in range(4)))
    return place / "list.txt"


def shards(place):
    album(place / "photos", 4)
    with tarfile.open(place / "a.tar", "w") as file:
        for name in sorted((place / "photos").iterdir()):
            file.add(name, name.name, filter=lambda member: member.replace(mtime=0, deep=False))
    return place / "a.tar"


def rows(place):
    data = [encoded(picture(seed=i)) for i in range(4)]
    pq.write_table(pa.table({"image": data, "label": [0, 1, 0, 1]}), place / "a.parquet")
    return place / "a.parquet"


def arrays(place):
    np.savez(place / "a.npz", images=np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), np.uint8))
    return place / "a.npz"


def one_array(place):
    np.save(place / "a.npy", np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), np.uint8))
    return place / "a.npy"


@pytest.mark.parametrize("make", [folder, listing, shards, rows, arrays, one_array])
def test_a_copy_elsewhere_and_later_is_the_same_data(tmp_path, make):
    (tmp_path / "a").mkdir()
    first = open_source(str(make(tmp_path / "a")))
    (tmp_path / "b").mkdir()
    path = make(tmp_path / "b")
    for file in (tmp_path / "b").rglob("*"):
        os.utime(file, (1.0, 1.0))
    second = open_source(str(path))
    assert first.fingerprint() == second.fingerprint() and first.stamp() != second.stamp()


@pytest.mark.parametrize("make", [folder, shards, arrays, one_array])
def test_one_other_byte_of_small_data_is_other_data(tmp_path, make):
    path = make(tmp_path)
    before = open_source(str(path)).fingerprint()
    file = path / "002.jpg" if path.is_dir() else path
    data = bytearray(file.read_bytes())
    if file.suffix == ".npz":
        with np.load(file) as stored:
            pixels = stored["images"].copy()
        pixels[5, 0, 0, 0] ^= 1
        np.savez(file, images=pixels)
    else:
        data[len(data) // 2] ^= 1
        file.write_bytes(bytes(data))
    assert open_source(str(path)).fingerprint() != before


def test_of_large_data_pieces_are_read_of_the_first_and_last_bytes_too():
    asked = []

    def read(file, start, size):
        asked.append((file, start, size))
        return bytes(size)

    sizes = [10**12, 0, 5 * 10**11]
    content_digest(["a", "b", "c"], sizes, read)
    assert len(asked) == 32 and {size for *_, size in asked} == {PIECE}
    assert (0, 0, PIECE) in asked and (2, sizes[2] - PIECE, PIECE) in asked
    assert all(0 <= start < sizes[file] for file, start, _ in asked)
    assert content_digest([], [], read) == content_digest([], [], read) and len(asked) == 32


def test_what_cannot_be_read_counts_as_empty_and_what_cannot_be_fetched_is_said():
    def fail(error):
        def read(file, start, size):
            raise error

        return read

    assert content_digest(["a"], [5], fail(PermissionError())) == content_digest(["a"], [5], lambda *_: b"-")
    with pytest.raises(UserError, match=r"a cannot be fetched: give the same command again"):
        content_digest(["a"], [5], fail(DecodeError("cannot be fetched")))


def test_full_paths_count_from_the_folder_they_share():
    assert list(wherever(["/a/b/c/1.jpg", "/a/b/d/2.jpg"])) == ["c/1.jpg", "d/2.jpg"]
    assert list(wherever(["/a/1.jpg"])) == ["1.jpg"]
    assert list(wherever(["/a/1.jpg", "2.jpg"])) == ["/a/1.jpg", "2.jpg"] and list(wherever([])) == []


def test_a_file_is_known_by_its_content_alone(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    shutil.copy(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").write_bytes(b"x" * 99_999 + b"y")
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b") != file_digest(tmp_path / "c")
