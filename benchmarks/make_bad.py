"""make_bad.py PHOTOS OUT: folders and files with one kind of trouble each, from a folder of good JPEGs."""

from __future__ import annotations

import io
import shutil
import struct
import sys
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

COUNT = 64


def bomb(width: int, height: int) -> bytes:
    """A small PNG file that says it holds width x height pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def main(photos: Path, out: Path) -> None:
    """Make them all afresh."""
    shutil.rmtree(out, ignore_errors=True)
    source = sorted(photos.rglob("*.jpg"))

    def good(name: str, count: int = COUNT - 1) -> Path:
        folder = out / name
        folder.mkdir(parents=True)
        for file in source[:count]:
            shutil.copy(file, folder / file.name)
        return folder

    good("ok", COUNT)
    good("empty", 0)
    (good("no-images", 0) / "notes.txt").write_text("no pictures here")
    good("ten", 10)
    good("one", 1)
    (good("truncated") / "zz_cut.jpg").write_bytes(source[0].read_bytes()[:2000])
    (good("zero-byte") / "zz_zero.jpg").write_bytes(b"")
    (good("text-named-jpg") / "zz_text.jpg").write_text("I am not a JPEG")
    (good("bomb") / "zz_bomb.png").write_bytes(bomb(60_000, 60_000))
    (good("dangling-link") / "zz_link.jpg").symlink_to("nowhere.jpg")
    (good("folder-named-jpg") / "zz_folder.jpg").mkdir()
    for file in sorted(good("half-broken", COUNT).iterdir())[::2]:
        file.write_bytes(b"")
    for file in good("all-broken", COUNT).iterdir():
        file.write_bytes(b"broken")
    equal = good("all-equal", 0)
    for number in range(COUNT):
        shutil.copy(source[0], equal / f"{number}.jpg")
    tiny = good("tiny", 0)
    for number in range(COUNT):
        Image.new("RGB", (4, 4) if number else (1, 1), (number * 3, 10, 200)).save(tiny / f"{number}.png")
    long = good("extreme-shape")
    Image.new("RGB", (4000, 3)).save(long / "zz_wide.png")

    modes, picture = good("modes", COUNT - 8), Image.open(source[0])
    picture.convert("L").save(modes / "grey.jpg")
    picture.convert("RGBA").save(modes / "rgba.png")
    picture.convert("CMYK").save(modes / "cmyk.jpg")
    picture.convert("P").save(modes / "palette.gif")
    Image.fromarray(np.full((64, 64), 3000, np.uint16)).save(modes / "sixteen.png")
    picture.convert("1").save(modes / "bit.png")
    picture.convert("LA").save(modes / "la.png")
    picture.save(modes / "UPPER.JPG")

    pq.write_table(pa.table({"text": ["a", "b"] * COUNT}), out / "no-image-column.parquet")
    pq.write_table(pa.table({"image": pa.array([None] * COUNT, pa.binary())}), out / "null-images.parquet")
    (out / "cut.parquet").write_bytes((b"PAR1" + b"\0" * 500)[:300])
    (out / "list.txt").write_text("\n".join([*(f"ok/{p.name}" for p in source[:60]), "ok/missing.jpg"]))
    (out / "empty.txt").write_text("")
    np.savez(out / "objects.npz", images=np.array([{"a": 1}] * 4, dtype=object))
    np.savez(out / "floats.npz", images=np.full((COUNT, 3), np.nan))
    with tarfile.open(out / "cut.tar", "w") as tar:
        for file in source[:COUNT]:
            entry = tarfile.TarInfo(file.name)
            entry.size = file.stat().st_size
            tar.addfile(entry, io.BytesIO(file.read_bytes()))
    (out / "cut.tar").write_bytes((out / "cut.tar").read_bytes()[:100_000])
    (out / "word.docx").write_text("what is this")
    (out / "bad.yaml").write_text("epochs: [1\n  lr: {")
    (out / "unknown.yaml").write_text("bach_size: 16\n")
    (out / "wrong-type.yaml").write_text("batch_size: many\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: make_bad.py PHOTOS OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
