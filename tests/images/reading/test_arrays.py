"""npz, npy and idx arrays."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from twofold.errors import UserError
from twofold.images.reading import decode, open_source

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 6, 7), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("array", [GREY, COLOUR, COLOUR[..., :1]])
def test_npz_with_labels(tmp_path, array):
    np.savez(
        tmp_path / "a.npz", x_train=array, y_train=np.array([[0], [1], [1], [0], [2]]), x_test=array[:2], note="hi"
    )
    source = open_source(str(tmp_path / "a.npz"))
    assert len(source) == 5 and source.labels.tolist() == [0, 1, 1, 0, 2]
    for i in range(5):
        assert (source.read(i) == array[i]).all()
        assert decode(source.read(i), None).shape == (3, 6, 7)
    assert source.names[4] == "a.npz[4]"


@pytest.mark.parametrize(
    ("names", "key"),
    [
        ({"train": ("x_train", "y_train"), "test": ("x_test", "y_test")}, "x/y"),
        ({"train": ("train_images", "train_labels"), "test": ("test_images", "test_labels")}, "images/labels"),
    ],
)
def test_npz_in_parts(tmp_path, names, key):
    labels = {"train": np.array([0.0, 1.0, 1.0, np.nan, 2.0]), "test": np.array([1, 0])}
    arrays = {names[part][0]: COLOUR[: len(values)] for part, values in labels.items()}
    path = str(tmp_path / "a.npz")
    np.savez(path, **arrays, **{names[part][1]: values for part, values in labels.items()})
    source = open_source(path)
    assert len(source) == 5 and source.labels.tolist() == [0, 1, 1, -1, 2]
    assert "train (5 images) is read, test (2 images) left out" in source.notes[0]
    asked = open_source(path, role="test")
    assert len(asked) == 2 and asked.labels.tolist() == [1, 0] and asked.fingerprint() != source.fingerprint()
    assert open_source(path, part="test", class_level=0).labels is None
    with pytest.raises(UserError, match=r"parts in arrays of their own, of which one is read: name it by part"):
        open_source(path, part="all")


def test_npz_channels_first_and_string_labels(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", pics=COLOUR.transpose(0, 3, 1, 2), labels=np.array(list("babab")))
    source = open_source(str(tmp_path / "a.npz"))
    assert (source.read(2) == COLOUR[2]).all()
    assert source.classes == ["a", "b"] and source.labels.tolist() == [1, 0, 1, 0, 1]


def test_objects_are_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.savez(tmp_path / "a.npz", images=GREY, labels=np.array([Trap()] * 5, object))
    assert open_source(str(tmp_path / "a.npz")).labels is None
    np.savez(tmp_path / "b.npz", images=np.array([Trap()] * 5, object))
    np.save(tmp_path / "c.npy", np.array([Trap()] * 5, object))
    for name in ("b.npz", "c.npy"):
        with pytest.raises(UserError):
            open_source(str(tmp_path / name))
    assert not (tmp_path / "sprung").exists()


def test_npy(tmp_path):
    np.save(tmp_path / "a.npy", COLOUR)
    source = open_source(str(tmp_path / "a.npy"))
    assert (source.read(3) == COLOUR[3]).all() and source.labels is None
    assert (decode(source.read(3), None).numpy() == COLOUR[3].transpose(2, 0, 1)).all()


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress)])
def test_idx_with_the_labels_beside(tmp_path, suffix, pack):
    (tmp_path / f"train-images-idx3-ubyte{suffix}").write_bytes(pack(idx(GREY)))
    path = str(tmp_path / f"train-images-idx3-ubyte{suffix}")
    assert open_source(path).labels is None
    (tmp_path / f"train-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(np.array([3, 1, 4, 1, 5], np.uint8))))
    source = open_source(path)
    assert (source.read(4) == GREY[4]).all() and source.labels.tolist() == [3, 1, 4, 1, 5]
    (tmp_path / f"train-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(np.array([3], np.uint8))))
    with pytest.raises(UserError, match=r"1 labels but .* 5 images"):
        open_source(path)


def test_what_is_refused(tmp_path):
    np.savez(tmp_path / "complex.npz", images=COLOUR * 1j)
    np.savez(tmp_path / "two.npz", a=GREY, b=GREY)
    np.save(tmp_path / "flat.npy", GREY[0])
    np.save(tmp_path / "odd.npy", np.zeros((4, 20, 21, 22), np.uint8))
    np.save(tmp_path / "none.npy", GREY[:0])
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "text.npy").write_text("hello")
    np.savez(tmp_path / "a.npz", images=GREY)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:150])
    (tmp_path / "cut-idx3").write_bytes(idx(GREY)[:50])
    (tmp_path / "bad-idx3").write_bytes(b"hello world!")
    (tmp_path / "bad-idx3.gz").write_bytes(b"\x1f\x8bxx")
    for name, message in [
        ("complex.npz", r"no array of images.*images complex128\[5, 6, 7, 3\]"),
        ("two.npz", r"several arrays of images \(a, b\)"),
        ("flat.npy", r"uint8\[6, 7\]"),
        ("odd.npy", "no axis of 1 to 16 channels: choose the bands that matter"),
        ("none.npy", "uint8"),
        ("text.npz", "not a whole .npz"),
        ("text.npy", "not a whole .npy"),
        ("cut.npz", "not a whole .npz"),
        ("cut-idx3", "cut short: 34 of 210"),
        ("bad-idx3", "not an idx file"),
        ("bad-idx3.gz", "not a whole idx"),
    ]:
        with pytest.raises(UserError, match=message):
            open_source(str(tmp_path / name))
