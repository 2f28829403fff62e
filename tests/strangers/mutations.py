"""Whole files made wrong: bytes, words and numbers changed, outside and inside of what packs them."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

NUMBERS = (0, 1, -1, 127, 255, 2**15, 2**31 - 1, 2**31, 2**32, 2**62, 2**63, 2**64, 10**12, 10**30)
VALUES = (None, True, -1, 0, 1e400, 2**70, "", "x", "\x1b[2J", [], [1], {}, {"a": [None]}, float("nan"), 0.5, "é" * 9)
WORDS = (
    *(b"\0", b"\xff" * 8, b"\x80", b"\n", b"[", b"]" * 50, b"{" * 2000, b"nan", b"1e999", b"\xc2\xb2", b"../"),
    *(b"!!python/object:os.system", b"&a", b"*a"),
)
MARKS = (
    *(b'"', b'""', b"'", b",", b"\t", b";", b"|", b"::", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"\0", b"#", b"%"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xe9", b"\xc2\x85", b"\xe2\x80\xa8", b"\xd9\xa3", b"\xc2\xb2", b"nan", b"NULL"),
    *(b"inf", b"-0", b"1e400", b"-1", b"99999999999999999999", b"0x10", b"1_0", b"2024-13-45", b"2024-05-01T25:00:00"),
    *(
        b"2024-05-01 12:00:00.123456789 UTC",
        b"true",
        b"user",
        b"item",
        b"timestamp",
        b"/",
        b"..",
        b"~",
        b"{0..9}",
        b"-" * 9,
        b"x" * 300,
    ),
)


def mutate(data: bytes, draw: random.Random, start: int = 700) -> bytes:
    """One to four changes: bytes, words, numbers in text and in binary, pieces cut, doubled or moved.

    start: bytes at the beginning in which half of the changes are, for headers are there; below 0, at the end.
    """
    for _ in range(draw.choice((1, 1, 2, 4))):
        at, length = draw.randrange(len(data) + 1), draw.choice((1, 2, 4, 8, 30, 600))
        if draw.random() < 0.5:
            near = draw.randrange(min(abs(start), len(data)) + 1)
            at = near if start > 0 else len(data) - near
        data = _changed(data, at, length, draw)
    return data


def _changed(data: bytes, at: int, length: int, draw: random.Random) -> bytes:
    kind = draw.randrange(8)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[at + length :]
    if kind == 2:
        return data[:at] + draw.choice(WORDS) + data[at:]
    if kind == 3:
        word = draw.choice(WORDS)
        return data[:at] + word + data[at + len(word) :]
    if kind == 4:
        number = draw.choice(NUMBERS) % 2 ** (8 * 8)
        word = number.to_bytes(8, draw.choice(("big", "little")))[-draw.choice((1, 2, 4, 8)) :]
        return data[:at] + word + data[at + 8 :]
    if kind == 5:
        places = list(re.finditer(rb"\d+", data))
        if not places:
            return data
        found, text = draw.choice(places), str(draw.choice(NUMBERS)).encode()
        if draw.random() < 0.5:  # of the same length, so that what is around it stays where it is
            text = text[: len(found[0])].rjust(len(found[0]), b"0")
        return data[: found.start()] + text + data[found.end() :]
    if kind == 6:
        return data[: at + length] + data[at:]
    return data[:at] + bytes(draw.randrange(256) for _ in range(length)) + data[at + length :]


def mutate_text(data: bytes, draw: random.Random) -> bytes:
    """A table in text with marks put in, values and lines changed, or in another encoding or with other line ends."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        lines = data.split(b"\n")
        at, kind = draw.randrange(len(lines)), draw.randrange(9)
        if kind < 3:
            place = draw.randrange(len(data) + 1)
            data = data[:place] + draw.choice(MARKS) + data[place + draw.choice((0, 0, 1, 3)) :]
            continue
        if kind == 3:
            values = list(re.finditer(rb"[^\s,;|\"]+", data))
            if values:
                found = draw.choice(values)
                data = data[: found.start()] + draw.choice(MARKS) + data[found.end() :]
            continue
        if kind == 4:
            lines[at : at + 1] = [] if len(lines) > 1 else [b""]
        elif kind == 5:
            lines.insert(at, draw.choice([*lines, b"", b" ", b"%", b"# " + lines[0], *MARKS]))
        elif kind == 6:
            separator = draw.choice((b",", b"\t", b" ", b";"))
            lines[at] = separator.join([*lines[at].split(separator), b"x"] * draw.choice((1, 2, 50)))
        elif kind == 7:
            return draw.choice((b"\r\n", b"\r", b"\n\n", b"\0\n")).join(lines)
        else:
            text = data.decode("utf-8", "replace")
            return text.encode(draw.choice(("utf-16", "utf-32", "latin-1", "utf-8-sig", "cp037")), "replace")
        data = b"\n".join(lines)
    return data if draw.random() < 0.9 else mutate(data, draw)


def odd(value: Any, draw: random.Random) -> Any:
    """A nested value with one part changed to something of another type, left out or nested deeper."""
    if isinstance(value, dict) and value and draw.random() < 0.85:
        key = draw.choice(list(value))
        if draw.random() < 0.15:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: odd(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.85:
        at = draw.randrange(len(value))
        return [*value[:at], odd(value[at], draw), *value[at + 1 :]]
    if draw.random() < 0.05:
        for _ in range(draw.choice((50, 500))):
            value = {"a": value}
        return value
    return draw.choice(VALUES)


def mutate_file(name: str, data: bytes, draw: random.Random) -> bytes:
    """A file of any kind changed, from the outside or within what holds it, with the right checksums in places."""
    inside = draw.random() < 0.65
    if data[:2] == b"PK" and inside:
        return _inside_zip(data, draw)
    if name.endswith(".safetensors") and inside and b"__metadata__" in data:
        return _inside_safetensors(data, draw)
    if data[:2] == b"\x1f\x8b" and inside:
        inner = mutate_text if name.endswith((".csv.gz", ".tsv.gz")) else mutate
        return gzip.compress(inner(gzip.decompress(data), draw), 1)
    if data[:4] == b"\x89PNG" and inside:
        return _inside_png(data, draw)
    if data[:4] == b"PAR1":
        return mutate(data, draw, -int.from_bytes(data[-8:-4], "little") - 8)
    if name.endswith(".tar"):
        return _right_sums(mutate(data, draw)) if inside else mutate(data, draw)
    return mutate(data, draw)


def _inside_zip(data: bytes, draw: random.Random) -> bytes:
    """A zip file with one member changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        parts = {info.filename: old.read(info) for info in old.infolist()}
        packing = old.infolist()[0].compress_type
    chosen = draw.choice([part for part in parts if not part.endswith(("version", "byteorder"))][:5])
    parts[chosen] = mutate(parts[chosen], draw)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as new:
        for part, content in parts.items():
            new.writestr(part, content)
    return out.getvalue()


def _inside_safetensors(data: bytes, draw: random.Random) -> bytes:
    """The header changed, or what twofold says in it."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    about = {key: json.loads(text) if key != "format" else text for key, text in header["__metadata__"].items()}
    if draw.random() < 0.7:
        changed = odd(about, draw)
        header["__metadata__"] = (
            {k: json.dumps(v) for k, v in changed.items()} if isinstance(changed, dict) else changed
        )
    else:
        header = odd(header, draw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[end:]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def _inside_png(data: bytes, draw: random.Random) -> bytes:
    """One chunk of a PNG changed, the pixels unpacked; lengths and checksums as they should be."""
    chunks = list(_chunks(data))
    at = draw.randrange(len(chunks))
    kind, content = chunks[at]
    packed = kind == b"IDAT"
    content = mutate(zlib.decompress(content) if packed else content, draw, 30)
    chunks[at] = kind, zlib.compress(content) if packed else content
    if draw.random() < 0.2:
        chunks.insert(draw.randrange(len(chunks)), draw.choice(chunks))
    whole = [
        len(part).to_bytes(4, "big") + kind + part + zlib.crc32(kind + part).to_bytes(4, "big") for kind, part in chunks
    ]
    return data[:8] + b"".join(whole)


def _right_sums(data: bytes) -> bytes:
    """A tar file whose headers have right checksums, so that readers believe the rest."""
    whole = bytearray(data)
    for at in range(0, len(whole) - 511, 512):
        if whole[at + 257 : at + 262] == b"ustar":
            whole[at + 148 : at + 156] = b" " * 8
            whole[at + 148 : at + 155] = b"%06o\0" % sum(whole[at : at + 512])
    return bytes(whole)
