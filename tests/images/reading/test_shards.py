"""Tar shards: the webdataset convention, plain archives, several shards, broken ones."""

from __future__ import annotations

import io
import tarfile

import pytest
from reading_samples import encoded, picture

from twofold.errors import UserError
from twofold.images.reading import DecodeError, open_source

DATA = [encoded(picture(seed=i)) for i in range(6)]


def tar(path, members: dict[str, bytes], mode="w"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return str(path)


def test_webdataset_samples(tmp_path):
    members = {}
    for i, data in enumerate(DATA):
        members |= {f"{i:04d}.cls": f"{i % 2}\n".encode(), f"{i:04d}.jpg": data, f"{i:04d}.json": b"{}"}
    members["0003.seg.png"] = encoded(picture(), "PNG")
    source = open_source(tar(tmp_path / "a.tar", members))
    assert source.names == [f"{i:04d}" for i in range(6)]
    assert [source.read(i) for i in range(6)] == DATA
    assert source.labels.tolist() == [0, 1] * 3 and source.classes == ["0", "1"]
    assert source.skipped == {".json": 6, "further images of a sample": 1}


def test_several_shards_by_braces_and_by_folder(tmp_path):
    for s in range(3):
        tar(tmp_path / f"shard-{s:03d}.tar", {f"{s}{i}.jpg": DATA[2 * s + i] for i in range(2)})
    for path in (tmp_path, tmp_path / "shard-{000..002}.tar", tmp_path / "shard-*.tar"):
        source = open_source(str(path))
        assert [source.read(i) for i in range(6)] == DATA and "3 tar shards" in source.describe()
    with pytest.raises(UserError, match=r"shard-003.tar does not exist"):
        open_source(str(tmp_path / "shard-{000..003}.tar"))


def test_a_plain_archive_of_folders(tmp_path):
    names = ["./cat/a.1.jpg", "./cat/a.2.jpg", "./dog/x.JPG"]
    source = open_source(tar(tmp_path / "a.tar", {**dict(zip(names, DATA, strict=False)), "./.DS_Store": b"x"}))
    assert source.names == ["cat/a.1.jpg", "cat/a.2.jpg", "dog/x.JPG"]
    assert source.labels.tolist() == [0, 0, 1] and source.classes == ["cat", "dog"]
    assert source.skipped == {"hidden": 1}


def test_a_readme_takes_no_photos_away(tmp_path):
    names = [f"{kind}/holiday.2021.{i}.jpg" for kind in ("sea", "ice") for i in range(20)]
    members = {name: DATA[i % 6] for i, name in enumerate(names)}
    source = open_source(tar(tmp_path / "a.tar", {"README.txt": b"x", **members}))
    assert list(source.names) == names and source.skipped == {".txt": 1} and source.classes == ["ice", "sea"]


def test_labels_in_json(tmp_path):
    members = {}
    for i, data in enumerate(DATA):
        told = [b'{"label": 3}', b'{"label": 0.0, "x": [1]}', b'{"label": null}', b"{", b"[3]", b'{"class": true}'][i]
        members |= {f"{i}.jpg": data, f"{i}.json": told}
    path = tar(tmp_path / "a.tar", members)
    source = open_source(path)
    assert source.labels.tolist() == [3, 0, -1, -1, -1, 1] and source.skipped == {}
    assert source.notes == (f"labels are told by the .json files in {path} (by folders instead: --class-level 1)",)
    assert open_source(path, class_level=0).labels is None


def test_parts_within_a_tar_file_and_among_shards(tmp_path):
    names = ["Train/cat/1.jpg", "Train/dog/2.jpg", "Test/cat/3.jpg"]
    path = tar(tmp_path / "one" / "a.tar", dict(zip(names, DATA, strict=False)))
    assert open_source(path).names == names[:2] and open_source(path, role="test").names == names[2:]
    for k, part in enumerate(("imagenet-train-000000", "imagenet-train-000001", "imagenet-val-000000")):
        tar(tmp_path / "many" / f"{part}.tar", {f"{k}.cls": b"%d" % k, f"{k}.jpg": DATA[k]})
    source = open_source(str(tmp_path / "many"))
    assert source.labels.tolist() == [0, 1] and "train (2 files) is read, valid (1 file) left out" in source.notes[0]
    assert open_source(str(tmp_path / "many" / "*.tar"), role="test").labels.tolist() == [2]
    assert open_source(str(tmp_path / "many"), part="train").labels.tolist() == [0, 1]
    assert open_source(str(tmp_path / "one"), part="test").names == names[2:]
    assert len(open_source(str(tmp_path / "many" / "imagenet-{train-000000,val-000000}.tar"))) == 2


def test_word_labels_missing_labels_and_long_names(tmp_path):
    long = "d" * 90 + "/" + "f" * 120
    members = {"a.cls": b"owl", "a.jpg": DATA[0], "b.jpg": DATA[1], f"{long}.jpg": DATA[2], f"{long}.cls": b"bat"}
    for kind in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        with tarfile.open(tmp_path / "a.tar", "w", format=kind) as file:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                file.addfile(info, io.BytesIO(data))
        source = open_source(str(tmp_path / "a.tar"))
        assert source.names == ["a", "b", long] and source.labels.tolist() == [1, -1, 0]
        assert source.read(2) == DATA[2]


def test_broken_shards(tmp_path):
    whole = tmp_path / "a.tar"
    tar(whole, {f"{i}.jpg": data for i, data in enumerate(DATA)})
    start = open_source(str(whole))._members[5].start
    (tmp_path / "cut.tar").write_bytes(whole.read_bytes()[: start + 100])
    source = open_source(str(whole))
    whole.write_bytes(whole.read_bytes()[: start + 100])  # cut while it is in use
    assert source.fetch(4) == DATA[4]
    with pytest.raises(DecodeError, match=r"a.tar ends in the middle"):
        source.fetch(5)
    (tmp_path / "text.tar").write_text("not a tar file" * 100)
    (tmp_path / "zero.tar").write_bytes(b"")
    tar(tmp_path / "z.tar.gz", {"a.jpg": DATA[0]}, "w:gz")
    tar(tmp_path / "none.tar", {"a.txt": b"x"})
    for name, message in [
        ("cut.tar", "cut.tar is not a whole tar file .unexpected end"),
        ("text.tar", "text.tar is not a whole tar file"),
        ("zero.tar", "zero.tar is not a whole tar file"),
        ("z.tar.gz", "z.tar.gz is compressed"),
        ("none.tar", "no images but .txt 1"),
    ]:
        with pytest.raises(UserError, match=message):
            open_source(str(tmp_path / name))
