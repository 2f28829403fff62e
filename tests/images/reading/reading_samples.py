"""Images made for the tests: smooth pictures, encoded in every way, and broken in many."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def picture(height: int = 48, width: int = 64, seed: int = 0) -> Image.Image:
    """A smooth colour picture, which lossy formats keep well."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def write(path: Path, image: Image.Image | None = None, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or picture(seed=len(path.name))).save(path, **options)
    return path


def album(folder: Path, count: int = 12, height: int = 40, width: int = 52) -> Path:
    """`count` different JPEGs of slightly different sizes."""
    for i in range(count):
        write(folder / f"{i:03d}.jpg", picture(height + i % 5, width + i % 7, seed=i), quality=95)
    return folder


def png(header: bytes, rows: bytes) -> bytes:
    """A PNG from its IHDR and its raw filtered rows."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def bomb(side: int = 30000) -> bytes:
    """A PNG of a few bytes that claims `side` x `side` pixels."""
    return png(struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0), b"")


def pixels(image: Image.Image) -> np.ndarray:
    """int (3, H, W) of an RGB image."""
    return np.asarray(image.convert("RGB")).astype(int).transpose(2, 0, 1)


def deep_png(array: np.ndarray) -> bytes:
    """16-bit (H, W, 3 or 4) as a PNG, which Pillow cannot write."""
    height, width, channels = array.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    return png(struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0), rows)


def tiff(array: np.ndarray, *, extra: tuple[int, ...] = (), order: str = "<", photometric: int = 2) -> bytes:
    """(H, W, C) of uint8 or uint16 as an uncompressed TIFF of C bands. extra: what those beyond the colours are."""
    height, width, count = array.shape
    data = array.astype(array.dtype.newbyteorder(order)).tobytes()
    bits = [8 * array.dtype.itemsize] * count
    entries = {256: [width], 257: [height], 258: bits, 259: [1], 262: [photometric], 273: [8], 277: [count]}
    entries |= {278: [height], 279: [len(data)], 284: [1]} | ({338: list(extra)} if extra else {})
    at = 8 + len(data)
    tail_at, table, tail = at + 2 + 12 * len(entries) + 4, b"", b""
    for tag, values in sorted(entries.items()):
        kind, code = (4, "I") if tag in (273, 279) else (3, "H")
        packed = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(packed) > 4:
            packed, tail = struct.pack(f"{order}I", tail_at + len(tail)), tail + packed
        table += struct.pack(f"{order}HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    return head + data + struct.pack(f"{order}H", len(entries)) + table + bytes(4) + tail
