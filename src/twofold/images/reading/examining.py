"""A look at the images before a run: what is usable, odd or broken, in seconds."""

from __future__ import annotations

import hashlib
import io
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from twofold.images.reading.decode import LONGEST, decode, explain, open_header, orientation
from twofold.images.reading.files import Files
from twofold.images.reading.findings import Findings
from twofold.images.reading.opening import open_source
from twofold.images.reading.shards import Shards
from twofold.images.reading.source import DecodeError, Source, extension
from twofold.resources import usable_cores

TINY = 16  # pixels on the short side
TAIL = 64  # bytes at the end in which a whole file has its end mark
ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
USUAL = {"JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"), "PNG": (".png", ".apng"), "GIF": (".gif",), "WEBP": (".webp",)}


class _Look(NamedTuple):
    format: str
    odd: tuple[str, ...]
    height: int
    width: int
    stored: int
    digest: bytes | None  # where the bytes were at hand
    reason: str = ""


def examine(
    path: str,
    *,
    image_column: str | None = None,
    label_column: str | None = None,
    most: int | None = None,
    workers: int | None = None,
) -> Findings:
    """Read all headers (or those of `most` images spread over the set) with threads, and the ends of the files.

    A file whose end mark is missing, and every file of a format without one (TIFF, BMP, PPM ...), is decoded in full to
    see whether it is whole; so truncated files are found, damage in the middle of a file is not. Raises UserError as
    `open_source` does.
    """
    began = time.perf_counter()
    source = open_source(path, image_column=image_column, label_column=label_column)
    rows = list(range(len(source)))
    if most is not None and most < len(rows):
        rows = sorted({int(i) for i in np.linspace(0, len(source) - 1, most)})
    looks = _looks(source, rows, workers or usable_cores())
    odd = [(kind, source.names[i]) for i, look in zip(rows, looks, strict=True) for kind in look.odd]
    examples: dict[str, str] = {}
    for kind, name in odd:
        examples.setdefault(kind, name)
    good = [look for look in looks if not look.reason]
    counts = Counter(source.labels.tolist() if source.labels is not None else [])
    return Findings(
        path=str(path),
        total=len(source),
        examined=len(rows),
        formats=dict(Counter(look.format for look in good)),
        odd=dict(Counter(kind for kind, _ in odd)),
        broken={source.names[i]: look.reason for i, look in zip(rows, looks, strict=True) if look.reason},
        height=np.array([look.height for look in good], np.int64),
        width=np.array([look.width for look in good], np.int64),
        stored_bytes=sum(look.stored for look in looks),
        duplicates=_duplicates(source, looks) if len(rows) == len(source) else None,
        skipped=source.skipped,
        per_class={(source.classes or [])[k]: counts[k] for k in sorted(counts) if k >= 0},
        seconds=time.perf_counter() - began,
        examples=examples,
    )


def _looks(source: Source, rows: Sequence[int], workers: int) -> list[_Look]:
    tasks = [rows[k : k + 64] for k in range(0, len(rows), 64)]
    with ThreadPoolExecutor(workers) as pool:
        return [look for found in pool.map(lambda task: [_look(source, i) for i in task], tasks) for look in found]


def _look(source: Source, i: int) -> _Look:
    stored, mark, head = 0, None, b""
    try:
        file = source.open(i)
        if isinstance(file, np.ndarray):
            height, width = file.shape[:2]
            return _Look("array", _peculiar(height, width), height, width, file.nbytes, _digest(file.tobytes()))
        with file:
            head = file.read(16)
            stored = file.seek(0, io.SEEK_END)
            if isinstance(file, io.BytesIO):
                mark = _digest(file.getvalue())
            file.seek(0)
            try:
                return _look_into(file, source.names[i] if isinstance(source, (Files, Shards)) else "", stored, mark)
            except DecodeError:
                raise
            except Exception as error:  # Pillow's plugins raise nearly everything on broken files
                raise DecodeError(explain(error, head)) from error
    except DecodeError as error:
        return _Look("", (), 0, 0, stored, mark, error.reason)
    except OSError as error:
        return _Look("", (), 0, 0, stored, mark, f"cannot be read ({error.strerror or error})")


def _look_into(file: BinaryIO, name: str, stored: int, mark: bytes | None) -> _Look:
    image = open_header(file)
    kind = image.format or ""
    odd = []
    if image.mode != "RGB":
        odd.append(_colour(image.mode))
    if _animated(image):
        odd.append("animated, first frame used")
    known = USUAL.get("JPEG" if kind == "MPO" else kind)
    if known and name and extension(name) not in known:
        odd.append("named as another format")
    unread = kind == "PNG" and "exif" not in image.info  # Pillow would decode the whole image to look for more
    turn = 1 if unread else orientation(image)
    if turn != 1:
        odd.append("turned by EXIF")
    width, height = image.size if turn not in (5, 6, 7, 8) else image.size[::-1]
    if not _whole(file, kind, stored):
        file.seek(0)
        decode(file.read(), 32)
    return _Look(kind, (*odd, *_peculiar(height, width)), height, width, stored, mark)


def _animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False)) and image.format != "MPO"
    except Exception:  # damage after the first frame, which is the one that counts
        return False


def _peculiar(height: int, width: int) -> tuple[str, ...]:
    tiny = ("tiny, short side below 16 px",) if min(height, width) < TINY else ()
    long = ("over 8 times as long as wide",) if max(height, width) > LONGEST * min(height, width) else ()
    return tiny + long


def _colour(mode: str) -> str:
    if mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return "transparent, laid over white"
    if mode.startswith("I") or mode == "F":
        return "16 or 32 bits a channel"
    return {"L": "grey", "1": "black and white", "P": "palette"}.get(mode, f"colour space {mode}")


def _whole(file: BinaryIO, kind: str, stored: int) -> bool:
    """Whether the file ends as its format says it should."""
    if kind == "WEBP":
        file.seek(4)
        return int.from_bytes(file.read(4), "little") + 8 <= stored
    file.seek(max(0, stored - TAIL))
    tail = file.read(TAIL)
    return tail.endswith(b";") if kind == "GIF" else kind in ENDS and ENDS[kind] in tail


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _duplicates(source: Source, looks: Sequence[_Look]) -> list[str]:
    """Names of images with the bytes of an earlier one. Files are read only where another has the same size."""
    same_size = Counter(look.stored for look in looks if not look.reason)
    seen: set[bytes] = set()
    found = []
    for i, look in enumerate(looks):
        if look.reason or same_size[look.stored] < 2:
            continue
        mark = look.digest
        if mark is None:
            try:
                data = source.fetch(i)
            except DecodeError:
                continue
            mark = _digest(data if isinstance(data, bytes) else data.tobytes())
        if mark in seen:
            found.append(source.names[i])
        seen.add(mark)
    return found
