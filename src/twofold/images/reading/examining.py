"""A look at the images before a run: what is usable, odd or broken, in seconds."""

from __future__ import annotations

import hashlib
import io
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from twofold.images.reading.convert import colours_last
from twofold.images.reading.decode import LONGEST, decode, explain, open_header, orientation
from twofold.images.reading.deep import bands, has_fourth, is_deep
from twofold.images.reading.findings import Findings
from twofold.images.reading.kept import with_channels
from twofold.images.reading.looking import settle_pixels
from twofold.images.reading.opening import open_source
from twofold.images.reading.source import Source
from twofold.images.reading.stacks import read_stack
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.words import extension
from twofold.printable import printable
from twofold.resources import usable_cores

CLEAR, DEEP = "transparent, laid over white", "16 or 32 bits a channel"
SWAPS = (5, 6, 7, 8)  # EXIF turns by which height and width change places
TINY = 16  # pixels on the short side
TAIL = 64  # bytes at the end in which a whole file has its end mark
ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
USUAL = {"JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"), "PNG": (".png", ".apng"), "GIF": (".gif",), "WEBP": (".webp",)}


class _Look(NamedTuple):
    format: str
    channels: str
    odd: tuple[str, ...]
    height: int
    width: int
    stored: int
    digest: bytes | None  # where the bytes were at hand
    reason: str = ""


def examine(
    path: str,
    *,
    white: float | None = None,
    black: float | None = None,
    fourth_channel: str = "auto",
    channels: str | int = "auto",
    most: int | None = None,
    workers: int | None = None,
    **wanted: Any,
) -> Findings:
    """Read all headers (or those of `most` images spread over the set) with threads, and the ends of the files.

    A file whose end mark is missing, and every file of a format without one (TIFF, BMP, PPM ...), is decoded in full to
    see whether it is whole; so truncated files are found, damage in the middle of a file is not. white, black,
    fourth_channel, channels: see `looking.settle_pixels`. wanted: see `open_source`, which raises UserError.
    """
    began = time.perf_counter()
    source = open_source(path, channels=channels if isinstance(channels, int) else None, **wanted)
    settle_pixels(source, white, fourth_channel, channels=channels, black=black)
    rows = list(range(len(source)))
    if most is not None and most < len(rows):
        rows = sorted({int(i) for i in np.linspace(0, len(source) - 1, most)})
    looks = _looks(source, rows, workers or usable_cores())
    odd = [(kind, printable(source.names[i])) for i, look in zip(rows, looks, strict=True) for kind in look.odd]
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
        channels=dict(Counter(look.channels for look in good).most_common()),
        pixel_notes=source.pixel_notes,
        rule=source.pixels,
        odd=dict(Counter(kind for kind, _ in odd)),
        broken={printable(source.names[i]): look.reason for i, look in zip(rows, looks, strict=True) if look.reason},
        height=np.array([look.height for look in good], np.int64),
        width=np.array([look.width for look in good], np.int64),
        stored_bytes=sum(look.stored for look in looks),
        duplicates=_duplicates(source, looks) if len(rows) == len(source) else None,
        skipped=source.skipped,
        per_class={(source.classes or [])[k]: counts[k] for k in sorted(counts) if k >= 0},
        seconds=time.perf_counter() - began,
        examples=examples,
        notes=source.notes,
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
            return _look_at(file, source)
        with file:
            head = file.read(16)
            stored = file.seek(0, io.SEEK_END)
            if isinstance(file, io.BytesIO):
                mark = _digest(file.getvalue())
            file.seek(0)
            try:
                return _look_into(file, source, i, stored, mark)
            except DecodeError:
                raise
            except Exception as error:  # Pillow's plugins raise nearly everything on broken files
                raise DecodeError(explain(error, _enough(file, head))) from error
    except DecodeError as error:
        return _Look("", "", (), 0, 0, stored, mark, error.reason)
    except OSError as error:
        return _Look("", "", (), 0, 0, stored, mark, f"cannot be read ({error.strerror or error})")


def _look_at(array: np.ndarray, source: Source) -> _Look:
    kept = source.pixels.channels
    found = with_channels(array, kept) if kept else colours_last(array)
    if kept:
        decode(found, 32, source.pixels)
    height, width = found.shape[:2]
    count = found.shape[2] if found.ndim == 3 else 1
    odd = (*_kind(count == 4, array.dtype != np.uint8, source), *_peculiar(height, width))
    channels = f"{count} of {8 * array.dtype.itemsize} bits"
    return _Look("array", channels, odd, height, width, array.nbytes, _digest(array.tobytes()))


def _enough(file: BinaryIO, head: bytes) -> bytes:
    """Of a file that cannot be read what tells why: of a TIFF all, for the table of its bands may lie anywhere."""
    if head[:2] not in (b"II", b"MM"):
        return head
    file.seek(0)
    return file.read()


def _look_into(file: BinaryIO, source: Source, i: int, stored: int, mark: bytes | None) -> _Look:
    name, kept = source.file_name(i), source.pixels.channels
    stack = read_stack(file) if kept else None
    file.seek(0)
    if stack and kept and not stack.is_plain(kept):
        decode(file.read(), 32, source.pixels)
        first = stack.pages[0]
        height, width = (first.width, first.height) if first.turn in SWAPS else (first.height, first.width)
        return _Look("TIFF", f"{kept} of {first.bits} bits", _peculiar(height, width), height, width, stored, mark)
    image = open_header(file)
    kind = image.format or ""
    channels, odd = _channels(image), list(_colour(image, source))
    if _animated(image):
        odd.append("animated, first frame used")
    known = USUAL.get("JPEG" if kind == "MPO" else kind)
    if known and name and extension(name) not in known:
        odd.append("named as another format")
    unread = kind == "PNG" and "exif" not in image.info  # Pillow would decode the whole image to look for more
    turn = 1 if unread else orientation(image)
    if turn != 1:
        odd.append("turned by EXIF")
    width, height = image.size if turn not in SWAPS else image.size[::-1]
    if kept or not _whole(file, kind, stored):
        file.seek(0)
        decode(file.read(), 32, source.pixels)
    return _Look(kind, channels, (*odd, *_peculiar(height, width)), height, width, stored, mark)


def _animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False)) and image.format != "MPO"
    except Exception:  # damage after the first frame, which is the one that counts
        return False


def _peculiar(height: int, width: int) -> tuple[str, ...]:
    tiny = ("tiny, short side below 16 px",) if min(height, width) < TINY else ()
    long = ("over 8 times as long as wide",) if max(height, width) > LONGEST * min(height, width) else ()
    return tiny + long


def _channels(image: Image.Image) -> str:
    """How many values a pixel has, of how many bits."""
    bits = "32" if image.mode in ("I", "F") else "16" if is_deep(image) else "1" if image.mode == "1" else "8"
    return f"{bands(image)} of {bits} bits"


def _colour(image: Image.Image, source: Source) -> tuple[str, ...]:
    """What is odd about the colours of an image, and how they are read."""
    if source.pixels.channels:
        return ()
    few = bands(image) > len(image.getbands())
    more = (f"of {bands(image)} channels the first {len(image.getbands())} used",) if few else ()
    if has_fourth(image) or is_deep(image):
        return (*_kind(has_fourth(image), is_deep(image), source), *more)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return (CLEAR,)
    known = {"RGB": (), "L": ("grey",), "1": ("black and white",), "P": ("palette",)}
    return (*known.get(image.mode, (f"colour space {image.mode}",)), *more)


def _kind(fourth: bool, deep: bool, source: Source) -> tuple[str, ...]:
    if source.pixels.channels:
        return ()
    four = ("fourth channel, left out" if source.pixels.fourth == "drop" else CLEAR,) if fourth else ()
    return (*four, *((DEEP,) if deep else ()))


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
            found.append(printable(source.names[i]))
        seen.add(mark)
    return found
