"""The headers of a tar file, read forwards once; every size in them is checked against the file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

BLOCK = 512
MOST = 2**20  # bytes of a long name, or of further headers
_FILES, _EMPTY = b"0\x007", b"123456"  # links, devices and folders have no bytes
_RECORD = re.compile(rb"(\d{1,9}) ")


class TarError(Exception):
    """What is wrong with the file, as a clause."""


@dataclass(frozen=True)
class Entry:
    """A file: its name, and where its bytes lie."""

    name: str
    start: int
    size: int


@dataclass
class _Further:
    """What earlier headers say of the next one."""

    name: str | None = None
    size: int | None = None
    sparse: bool = False


def entries(file: BinaryIO, skipped: Counter[str]) -> Iterator[Entry]:
    """The files in a tar file (ustar, pax, GNU), in order; those with holes are passed over and counted in `skipped`.

    Raises TarError where the file is cut short or a header is damaged.
    """
    end, at, further = file.seek(0, 2), 0, _Further()
    if not end:
        raise TarError("it is empty")
    while at < end:
        head = _read(file, at, BLOCK, end)
        if not any(head):
            return
        _check(head, at)
        kind, at = head[156:157], at + BLOCK
        size = _number(head[124:136]) if further.size is None or kind in b"LKxXg" else further.size
        size = 0 if kind in _EMPTY else size
        if not 0 <= size <= end - at:
            raise TarError("unexpected end of data" if size > 0 else f"a size before byte {at:,} is negative")
        if kind in b"LKxXg":
            _take(further, kind, _read(file, at, min(size, MOST), end) if size <= MOST else b"")
        else:
            if kind == b"S":
                at, further.sparse = _after_map(file, head, at, end), True
            name = _name(head) if further.name is None else further.name
            if further.sparse:
                skipped["sparse"] += 1
            elif kind in _FILES and not (kind == b"\0" and name.endswith("/")):
                yield Entry(name, at, size)
            further = _Further()
        at += -(-size // BLOCK) * BLOCK


def _read(file: BinaryIO, at: int, size: int, end: int) -> bytes:
    file.seek(at)
    data = file.read(size)
    if len(data) < size:
        raise TarError("unexpected end of data")
    return data


def _check(head: bytes, at: int) -> None:
    """Refuse a block whose checksum (of signed or unsigned bytes) says that it is no header."""
    rest = head[:148] + b" " * 8 + head[156:]
    signed = sum(rest) - 256 * sum(byte > 127 for byte in rest)
    if _number(head[148:156]) not in (sum(rest), signed):
        raise TarError(f"there is no header at byte {at:,}")


def _number(text: bytes) -> int:
    """A number in octal digits, or in binary with a mark."""
    if text[0] in (0x80, 0xFF):
        return int.from_bytes(text[1:], "big") - (256 ** (len(text) - 1) if text[0] == 0xFF else 0)
    digits = text.split(b"\0")[0].strip()
    if not re.fullmatch(rb"[0-7]*", digits):
        raise TarError("a header is damaged")
    return int(digits or b"0", 8)


def _name(head: bytes) -> str:
    prefix = _text(head[345:500]) if head[257:263] == b"ustar\0" else ""
    return f"{prefix}/{_text(head[:100])}" if prefix else _text(head[:100])


def _text(data: bytes) -> str:
    return data.split(b"\0")[0].decode("utf-8", "surrogateescape")


def _take(further: _Further, kind: bytes, data: bytes) -> None:
    """Note what a header for the next one says; those for links and for all that follow say nothing of use."""
    if kind == b"L":
        further.name = _text(data)
    while kind in b"xX" and data.strip(b"\0"):
        length = _RECORD.match(data)
        record = data[length.end() : int(length[1]) - 1] if length else b""
        key, equals, value = record.partition(b"=")
        if length is None or not equals or not length.end() < int(length[1]) <= len(data):
            raise TarError("a further header is damaged")
        if key == b"path":
            further.name = _text(value)
        elif key == b"size":
            if not re.fullmatch(rb"[0-9]{1,20}", value):
                raise TarError("a size in a further header is no number")
            further.size = int(value)
        further.sparse |= key.startswith(b"GNU.sparse")
        data = data[int(length[1]) :]


def _after_map(file: BinaryIO, head: bytes, at: int, end: int) -> int:
    """Where the bytes of a sparse file begin: behind further blocks that list its holes."""
    more = head[482]
    while more:
        more, at = _read(file, at, BLOCK, end)[504], at + BLOCK
    return at
