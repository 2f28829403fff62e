"""Headers that claim what the file does not hold, and files that never end: one sentence, at once, in little memory."""

from __future__ import annotations

import gzip
import io
import os
import socket
import struct
import tarfile
import time
import zipfile

import numpy as np
import pytest

import twofold
from twofold import bounded
from twofold.errors import UserError
from twofold.images.reading import open_source
from twofold.pixels.reading.failure import DecodeError

GREY = np.random.default_rng(0).integers(0, 256, (5, 6, 7), np.uint8)


def npy(shape: object, dtype: str = "|u1", values: bytes = b"x" * 100) -> bytes:
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(10 + len(text) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text + values


def refused(path: object, says: str) -> None:
    begun = time.monotonic()
    with pytest.raises(UserError, match=says) as caught:
        open_source(str(path))
    assert "\n" not in str(caught.value) and time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "shape",
    ["(10**12, 224, 224)", "(1099511627776, 64, 64)", "(4611686018427387904, 8, 8)", "(-1, 4, 4)", "(2, -3, -3)"],
)
def test_arrays_of_terabytes(tmp_path, shape):
    shape = shape.replace("10**12", str(10**12))
    (tmp_path / "a.npy").write_bytes(npy(shape))
    refused(tmp_path / "a.npy", "not a whole .npy file")
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", compression) as members:
            members.writestr("images.npy", npy(shape))
        refused(tmp_path / "a.npz", "not a whole .npz file")


@pytest.mark.parametrize(
    "text", ["(" * 5000, "x", "{}", "[1]", "__import__('os')", "{'descr': 'V99999999999999'}", "\0"]
)
def test_headers_that_are_no_headers(tmp_path, text):
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text.encode() + b"\n" * 9)
    refused(tmp_path / "a.npy", "not a whole .npy file")


def test_a_header_of_four_gigabytes(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x02\0" + b"\xff" * 4 + b"{" * 50)
    refused(tmp_path / "a.npy", "not a whole .npy file")


@pytest.mark.parametrize("sides", [(2**32 - 1,) * 3, (2**31, 2**31, 2), (60_000, 28, 28)])
@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress)])
def test_idx_of_terabytes(tmp_path, sides, suffix, pack):
    (tmp_path / f"a-idx3{suffix}").write_bytes(pack(struct.pack(">HBB3I", 0, 8, 3, *sides) + b"x" * 50))
    refused(tmp_path / f"a-idx3{suffix}", "not a whole idx file")
    (tmp_path / f"b-idx3{suffix}").write_bytes(pack(struct.pack(">HBB", 0, 8, 255)))
    refused(tmp_path / f"b-idx3{suffix}", "255 dimensions")


def test_bombs(tmp_path, monkeypatch):
    monkeypatch.setattr(bounded, "LARGE", 10**6)  # a bomb that is small enough for a test
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("images.npy", npy((4000, 50, 50), values=bytes(10**7)))
    refused(tmp_path / "a.npz", "stand for 10 MB, which no data do")
    (tmp_path / "a-idx3.gz").write_bytes(gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 4000, 50, 50) + bytes(10**7)))
    refused(tmp_path / "a-idx3.gz", "which no data do")
    monkeypatch.setattr(bounded, "DENSE", 10**4)
    monkeypatch.setattr(bounded, "free_memory", lambda: 10**6)
    refused(tmp_path / "a.npz", r"do not fit into the 1 MB of memory")


def test_a_bomb_beside_the_images_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(bounded, "LARGE", 10**6)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("images.npy", npy(GREY.shape, values=GREY.tobytes()))
        members.writestr("other.npy", npy((10**7,), values=bytes(10**7)))
        members.writestr("note.txt", "hello")
    assert (open_source(str(tmp_path / "a.npz")).read(4) == GREY[4]).all()


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_of_values_is_kept(tmp_path, order):
    array = np.asarray(GREY, order=order)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", images=array)
    for name in ("a.npy", "a.npz"):
        assert (open_source(str(tmp_path / name)).read(3) == GREY[3]).all()


def header(name: str = "a.png", size: bytes = b"00000000010\0", kind: bytes = b"0", more: bytes = b"") -> bytes:
    block = bytearray(name.encode().ljust(100, b"\0") + b"0000644\0" + b"0" * 7 + b"\0" + b"0" * 7 + b"\0" + size)
    block += b"0" * 11 + b"\0" + b" " * 8 + kind + bytes(100) + b"ustar\x0000"
    block = block.ljust(512, b"\0")
    block[148:155] = b"%06o\0" % sum(block)
    return bytes(block) + more.ljust(-(-len(more) // 512) * 512, b"\0")


def binary(size: int) -> bytes:
    return (0x80 if size >= 0 else 0xFF).to_bytes(1, "big") + (size % 256**11).to_bytes(11, "big")


WHOLE = header(more=b"x" * 8)


@pytest.mark.parametrize(
    "data",
    [
        header(size=binary(-512)),
        header(size=binary(-1024)),
        header(size=binary(2**63)),
        header(size=binary(2**80)),
        header(size=b"77777777777\0"),
        header(size=b"-0000000512\0"),
        header(size=b"none\0"),
        header(kind=b"x", size=binary(2**62)),
        header(kind=b"L", size=binary(-512)),
        header(kind=b"x", size=b"00000000015\0", more=b"13 size=-512\n"),
        header(kind=b"x", size=b"00000000013\0", more=b"99 size=1\n"),
        header(kind=b"x", size=b"00000000030\0", more=b"24 size=1000000000000000\n"),
        b"garbage" * 200,
        b"\xff" * 1024,
    ],
)
@pytest.mark.parametrize("before", [b"", WHOLE])
def test_tar_sizes_that_cannot_be(tmp_path, data, before):
    (tmp_path / "a.tar").write_bytes(before + data + WHOLE)
    refused(tmp_path / "a.tar", "not a whole tar file")


def test_sparse_members_are_passed_over(tmp_path):
    pax = b"30 GNU.sparse.numblocks=99999\n"
    old = bytearray(header(kind=b"S"))
    old[482] = 1
    old[148:155] = b" " * 7
    old[148:155] = b"%06o\0" % (sum(old) + 32 - old[155])
    data = header(kind=b"x", size=b"%011o\0" % len(pax), more=pax) + header("s.png", more=b"x" * 8) + WHOLE
    (tmp_path / "a.tar").write_bytes(data)
    source = open_source(str(tmp_path / "a.tar"))
    assert source.names == ["a.png"] and source.skipped == {"sparse": 1}


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_library_and_we_see_the_same(tmp_path, format):
    names = ["a.png", "f/b.png", f"{'deep/' * 20}{'long' * 15}.png", "é/ü.png", "./c.png", ".hidden/d.png"]
    if format != tarfile.USTAR_FORMAT:
        names.append("long" * 60 + ".png")
    with tarfile.open(tmp_path / "a.tar", "w", format=format) as archive:
        for number, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 700 * number, 1.5 if format == tarfile.PAX_FORMAT else 1
            archive.addfile(info, io.BytesIO(bytes([number]) * info.size))
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("odd.png")
            info.type, info.linkname = kind, "a.png"
            archive.addfile(info)
    source = open_source(str(tmp_path / "a.tar"))
    wanted = [name.removeprefix("./") for name in names if not name.startswith(".hidden")]
    assert list(source.names) == wanted and source.skipped == {"hidden": 1}
    for i, name in enumerate(source.names):
        number = names.index(name if name in names else f"./{name}")
        assert source.read(i) == bytes([number]) * 700 * number


def test_a_word_of_digits_that_are_none(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, data in (("a.png", b"x"), ("a.cls", "²".encode()), ("b.png", b"x"), ("b.cls", b"9" * 5000)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert open_source(str(tmp_path / "a.tar")).classes == ["²"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_pipes_sockets_and_devices_are_passed_over(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"x")
    os.mkfifo(tmp_path / "in" / "pipe.png")
    os.symlink("/dev/zero", tmp_path / "in" / "zero.png")
    here = os.getcwd()
    os.chdir(tmp_path / "in")  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.png")
    os.chdir(here)
    source = open_source(str(tmp_path / "in"))
    assert source.names == ["a.png"] and source.skipped == {"pipes, sockets and devices": 3}
    (tmp_path / "list.txt").write_text("in/a.png\nin/pipe.png\nin/zero.png\n")
    listed = open_source(str(tmp_path / "list.txt"))
    for i in (1, 2):
        with pytest.raises(DecodeError, match="no regular file"):
            listed.fetch(i)
        with pytest.raises(OSError, match="no regular file"):
            listed.open(i)
    for name in ("a.npz", "a.npy", "a.tar", "a-idx3", "a.txt", "a.parquet"):
        os.mkfifo(tmp_path / name)
        refused(tmp_path / name, "is a pipe, a socket or a device")
    os.mkfifo(tmp_path / "in" / "prepared.json")
    (tmp_path / "shards").mkdir()
    os.mkfifo(tmp_path / "shards" / "a.tar")
    refused(tmp_path / "shards", "holds no images")


def test_a_sparse_image_of_terabytes_is_no_image(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DecodeError, match="more than an image"):
        open_source(str(tmp_path)).fetch(0)


def test_braces_of_millions(tmp_path):
    refused(tmp_path / "{0..999999999999}.tar", "stands for more than")
    refused(tmp_path / "{0..²}.tar", "does not exist")


def test_names_that_no_file_can_have(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "list.txt").write_bytes(b"a.png\n" + b"x" * 5000 + b".png\n")
    listed = open_source(str(tmp_path / "list.txt"))
    with pytest.raises(DecodeError, match=r"does not exist|name too long"):
        listed.fetch(1)
    assert listed.fingerprint()
    for name in ("x" * 5000, "a\0b", "a\0/b*.tar", "x" * 5000 + ".csv"):
        for verb, given in (("check", {}), ("check", {"kind": "interactions"}), ("embed", {}), ("report", {})):
            subjects = (name, "photos") if verb == "embed" else (name,)
            with pytest.raises(UserError):
                getattr(twofold, verb)(*subjects, **given)
