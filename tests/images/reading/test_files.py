"""Folders and lists: what is found, what is passed over, what the labels are, what is refused."""

from __future__ import annotations

import os
import time

import pytest
from reading_samples import album, encoded, picture, write

from twofold.errors import UserError
from twofold.images.reading import open_source


def test_a_flat_folder_has_no_labels(tmp_path):
    album(tmp_path, 5)
    source = open_source(str(tmp_path))
    assert len(source) == 5 and list(source.names) == [f"{i:03d}.jpg" for i in range(5)]
    assert source.labels is None and source.classes is None and source.skipped == {}
    assert source.read(3) == (tmp_path / "003.jpg").read_bytes()
    assert str(tmp_path) in source.describe() and "5 image files" in source.describe()


def test_nested_folders_are_labels(tmp_path):
    write(tmp_path / "dog" / "a.jpg")
    write(tmp_path / "cat" / "deep" / "er" / "b.PNG")
    write(tmp_path / "cat" / "c.webp")
    write(tmp_path / "loose.bmp")
    source = open_source(str(tmp_path))
    assert source.names == ["cat/c.webp", "cat/deep/er/b.PNG", "dog/a.jpg", "loose.bmp"]
    assert source.classes == ["cat", "dog"] and source.labels.tolist() == [0, 0, 1, -1]


def test_what_is_no_image_is_counted(tmp_path):
    album(tmp_path / "in", 3)
    for name in ("notes.txt", "more.TXT", "README", ".DS_Store", ".hidden.jpg", "film.mp4", "photo.heic"):
        (tmp_path / name).write_text("x")
    write(tmp_path / ".git" / "a.jpg")
    write(tmp_path / "UPPER.JPG")
    source = open_source(str(tmp_path))
    assert len(source) == 4
    assert source.skipped == {".txt": 2, "no extension": 1, "hidden": 3, ".mp4": 1, ".heic": 1}
    assert "hidden 3" in source.describe() and ".txt 2" in source.describe()


def test_strange_names(tmp_path):
    names = sorted(
        ["with space.jpg", "ünïcödé.png", "数字/画像.jpg", "a.b.c.jpg", "#1.jpg", "100%.jpg", "new\nline.jpg"]
    )
    for name in names:
        write(tmp_path / name)
    bytes_name = os.fsencode(str(tmp_path)) + b"/\xff\xfe.jpg"  # no UTF-8
    with open(bytes_name, "wb") as f:
        f.write(encoded(picture()))
    source = open_source(str(tmp_path))
    assert sorted(source.names)[: len(names)] == names and len(source) == len(names) + 1
    assert all(isinstance(source.read(i), bytes) for i in range(len(source)))
    assert len(source.fingerprint()) == 32


def test_the_stamp_follows_times_too_and_the_fingerprint_names_sizes_and_bytes(tmp_path):
    def mark():
        source = open_source(str(tmp_path))
        return source.fingerprint(), source.stamp()

    album(tmp_path, 3)
    marks = [mark()]
    assert mark() == marks[0]
    write(tmp_path / "new.jpg")
    marks.append(mark())
    os.utime(tmp_path / "new.jpg", (time.time(), 1.0))
    marks.append(mark())
    (tmp_path / "new.jpg").rename(tmp_path / "other.jpg")
    marks.append(mark())
    fingerprints, stamps = zip(*marks, strict=True)
    assert len(set(stamps)) == 4 and len(set(fingerprints)) == 3 and fingerprints[1] == fingerprints[2]


def test_a_list(tmp_path):
    album(tmp_path / "photos", 4)
    outside = write(tmp_path / "else where.png")
    lines = ["photos/002.jpg", "", "  photos/000.jpg  ", str(outside), "photos/missing.jpg"]
    listing = tmp_path / "list.txt"
    listing.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    source = open_source(str(listing))
    assert source.names == ["photos/002.jpg", "photos/000.jpg", str(outside), "photos/missing.jpg"]
    assert source.read(0) == (tmp_path / "photos" / "002.jpg").read_bytes()
    assert source.read(2) == outside.read_bytes()
    with pytest.raises(FileNotFoundError):
        source.read(3)


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_lines_of_a_list_end_in_any_way(tmp_path, end):
    names = [f"{i:03d}.jpg" for i in range(3)] + ["one\u2028two.jpg"]
    album(tmp_path, 3)
    write(tmp_path / names[-1])
    (tmp_path / "list.txt").write_bytes(end.join(names).encode())
    assert open_source(str(tmp_path / "list.txt")).names == names


def test_all_that_a_list_names_is_read_and_its_parts_are_no_classes(tmp_path):
    for name in ("train/a/1.jpg", "train/b/1.jpg", "test/a/2.jpg"):
        write(tmp_path / name)
    (tmp_path / "l.txt").write_text("train/a/1.jpg\ntest/a/2.jpg\ntrain/b/1.jpg\n")
    source = open_source(str(tmp_path / "l.txt"))
    assert source.classes == ["a", "b"] and source.labels.tolist() == [0, 0, 1]
    assert open_source(str(tmp_path / "l.txt"), part="test").names == ["test/a/2.jpg"]


def test_a_list_in_sub_folders_has_labels(tmp_path):
    write(tmp_path / "a" / "1.jpg")
    write(tmp_path / "b" / "1.jpg")
    (tmp_path / "l.txt").write_text("b/1.jpg\na/1.jpg\n")
    source = open_source(str(tmp_path / "l.txt"))
    assert source.classes == ["a", "b"] and source.labels.tolist() == [1, 0]


def refusal(path) -> str:
    with pytest.raises(UserError) as caught:
        open_source(str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_refused_says_what_was_found(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "is empty" in refusal(tmp_path / "empty") and ".jpg" in refusal(tmp_path / "empty")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "notes.txt").write_text("x")
    assert "only .txt 1" in refusal(tmp_path / "text")
    write(tmp_path / "one.jpg")
    assert "one image" in refusal(tmp_path / "one.jpg")
    (tmp_path / "table.csv").write_text("x")
    assert "no known kind" in refusal(tmp_path / "table.csv")
    (tmp_path / "empty.txt").write_text("\n")
    assert "empty list" in refusal(tmp_path / "empty.txt")
    (tmp_path / "wrong.txt").write_text("a.jpg\nb.jpg\n")
    assert "a.jpg" in refusal(tmp_path / "wrong.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refusal(tmp_path / "binary.txt")
    (tmp_path / "null.txt").write_bytes(b"a\0.jpg\n")
    assert "binary data" in refusal(tmp_path / "null.txt")
    assert "empty" in refusal("")


def test_a_missing_path_names_the_nearest(tmp_path):
    album(tmp_path / "photos" / "train", 2)
    assert 'Did you mean "train"' in refusal(tmp_path / "photos" / "tarin")
    assert 'Did you mean "photos"' in refusal(tmp_path / "photo" / "train" / "x")
    assert "does not exist" in refusal("nowhere/at/all")


def test_columns_are_refused_for_folders(tmp_path):
    album(tmp_path, 2)
    with pytest.raises(UserError, match=r"species.*parquet"):
        open_source(str(tmp_path), label_column="species")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folders_that_may_not_be_read_are_counted(tmp_path):
    album(tmp_path / "a", 2)
    album(tmp_path / "b", 2)
    (tmp_path / "b").chmod(0)
    try:
        assert open_source(str(tmp_path)).skipped == {"unreadable folders": 1}
    finally:
        (tmp_path / "b").chmod(0o700)
