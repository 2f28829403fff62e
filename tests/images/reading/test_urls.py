"""The same sources behind fsspec URLs, and file systems that fail."""

from __future__ import annotations

import fsspec
import numpy as np
import pytest
import torch
from reading_samples import album, encoded, picture
from test_arrays import GREY, idx
from test_parquet import table
from test_shards import tar

from twofold.errors import UserError
from twofold.images.reading import DecodeError, Images, open_source
from twofold.pixels.reading import places


@pytest.fixture
def remote(tmp_path):
    """Copies a local path to memory:// and gives its URL."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]

    def put(local, name):
        fs.put(str(local), f"/{name}", recursive=True)
        return f"memory://{name}"

    yield put
    fs.store.clear()


def same(url, local):
    ours, theirs = open_source(url), open_source(str(local))
    assert list(ours.names) == list(theirs.names)
    for i in range(len(ours)):
        assert np.array_equal(ours.read(i), theirs.read(i))
    assert (ours.labels is None) == (theirs.labels is None)
    assert ours.labels is None or ours.labels.tolist() == theirs.labels.tolist()
    assert ours.fingerprint() == open_source(url).fingerprint()
    return ours


def test_folder_and_list(tmp_path, remote):
    album(tmp_path / "set" / "a", 3)
    album(tmp_path / "set" / "b", 2)
    (tmp_path / "set" / "notes.txt").write_text("a/000.jpg\nb/001.jpg\n")
    (tmp_path / "set" / ".hidden.jpg").write_text("x")
    source = same(remote(tmp_path / "set", "set"), tmp_path / "set")
    assert source.classes == ["a", "b"] and source.skipped == {".txt": 1, "hidden": 1}
    same("memory://set/notes.txt", tmp_path / "set" / "notes.txt")
    batch = Images(source, short_side=16).batch(torch.arange(5))
    assert batch.pixels.shape[0] == 5


def test_parquet_tar_and_arrays(tmp_path, remote):
    data = {f"{i}.jpg": encoded(picture(seed=i)) for i in range(4)}
    table(tmp_path / "a.parquet", label=[0, 1] * 5)
    tar(tmp_path / "s-0.tar", data)
    tar(tmp_path / "s-1.tar", data)
    np.savez(tmp_path / "a.npz", images=GREY, labels=np.arange(5))
    np.save(tmp_path / "a.npy", GREY)
    (tmp_path / "t-images-idx3").write_bytes(idx(GREY))
    url = remote(tmp_path, "all")
    for name in ("a.parquet", "s-{0..1}.tar", "s-*.tar", "a.npz", "a.npy", "t-images-idx3"):
        same(f"{url}/{name}", tmp_path / name)


def test_what_is_refused(tmp_path, remote):
    remote(album(tmp_path / "photos", 1), "photos")
    for url, message in [
        ("memory://photso", 'does not exist.*Did you mean "photos"'),
        ("nonsense://x", "nonsense:// is no file system"),
        ("memory://photos/000.jpg", "one image"),
    ]:
        with pytest.raises(UserError, match=message):
            open_source(url)


def test_a_file_system_that_fails_is_a_user_error(tmp_path, remote, monkeypatch):
    url = remote(album(tmp_path / "p", 2), "p")
    monkeypatch.setattr(places.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "find", lambda *a, **k: 1 / 0)
    with pytest.raises(UserError, match=r"cannot be read .ZeroDivisionError"):
        open_source(url)


def test_a_server_that_ignores_ranges(tmp_path, remote, monkeypatch):
    data = {f"{i}.jpg": encoded(picture(seed=i)) for i in range(3)}
    tar(tmp_path / "a.tar", data)
    source = open_source(remote(tmp_path / "a.tar", "a.tar"))
    whole = (tmp_path / "a.tar").read_bytes()
    monkeypatch.setattr(type(source.places[0].fs), "cat_file", lambda self, path, **options: whole)
    assert [source.read(i) for i in range(3)] == list(data.values())


def test_a_file_url_is_local(tmp_path):
    album(tmp_path, 2)
    assert open_source(f"file://{tmp_path}").read(0) == (tmp_path / "000.jpg").read_bytes()


def test_failing_reads_are_tried_again_then_named(tmp_path, remote, monkeypatch):
    source = open_source(remote(album(tmp_path / "p", 2), "p"))
    monkeypatch.setattr(places.time, "sleep", lambda seconds: None)
    fs, calls = source.root.fs, []
    whole = fs.cat_file

    def flaky(path, **options):
        calls.append(path)
        if len(calls) < 3:
            raise ConnectionError("reset")
        return whole(path, **options)

    monkeypatch.setattr(type(fs), "cat_file", lambda self, path, **options: flaky(path, **options))
    assert source.read(0) == (tmp_path / "p" / "000.jpg").read_bytes() and len(calls) == 3
    calls.clear()
    monkeypatch.setattr(type(fs), "cat_file", lambda self, path, **options: 1 / 0)
    with pytest.raises(DecodeError, match=r"cannot be fetched.*ZeroDivisionError"):
        source.fetch(1)
