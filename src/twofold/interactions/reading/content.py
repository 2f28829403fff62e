"""The bytes of a local file: what kind it is by its first bytes, its start, and the whole, also through gzip."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from typing import IO, Any, cast

import pyarrow as pa

from twofold.bounded import Bounded
from twofold.errors import UserError, clause, nearest

SAMPLE = 1 << 18
_LOOKED_AT = 2**19  # bytes; gzip packs a thousand into one at most
KINDS = "CSV, TSV, text with one line for each user, RecBole's .inter (all of them also .gz), .parquet or .npz"


def check_file(path: str) -> str:
    """'text', 'parquet' or 'npz'. UserError for a file that is not there, is empty, or is of none of these kinds."""
    if "://" in path and not os.path.exists(path):
        raise UserError(f"{path} is a URL; fetch the file first, interactions are read from the local disk.")
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder; give one file of it ({KINDS}).")
    if not os.path.exists(path):
        folder, name = os.path.split(path)
        hint = nearest(name, os.listdir(folder or ".")) if os.path.isdir(folder or ".") else ""
        raise UserError(f"{path} does not exist.{hint}")
    if not os.path.isfile(path):
        raise UserError(f"{path} is a pipe, a socket or a device, and is read more than once: write it to a file.")
    try:
        with open(path, "rb") as f:
            start = f.read(8)
    except PermissionError as error:
        raise UserError(f"{path} may not be read (permission denied).") from error
    if not start:
        raise UserError(f"{path} is empty; it should hold interactions ({KINDS}).")
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"PK\x03\x04"):
        if path.lower().endswith(".npz"):
            return "npz"
        raise UserError(f"{path} is a zip archive; unpack it and give the file of interactions in it.")
    if path.lower().endswith((".parquet", ".parq", ".pq", ".npz")):
        raise UserError(f"{path} is not a whole {path.rpartition('.')[2]} file; write or fetch it again.")
    if start[0] == 0x80 and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise UserError(f"{path} is a pickle, which may run code when read; save it as .npz, .parquet or CSV.")
    return "text"


def sample(path: str, size: int = SAMPLE) -> tuple[bytes, bool]:
    """The first bytes of a text file, and whether they are all of it. UserError where they are not text in UTF-8."""
    try:
        with unpacked(path) as f:
            data = f.read(size + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise broken(path, error) from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"{path} is text in UTF-16; save it in UTF-8.")
    if b"\0" in data:
        raise UserError(f"{path} holds binary data, not text; interactions are {KINDS}.")
    if not data.strip():
        raise UserError(f"{path} is empty but for blanks; it should hold interactions ({KINDS}).")
    return data[:size].removeprefix(b"\xef\xbb\xbf"), len(data) <= size


def check_line_ends(path: str, data: bytes) -> None:
    """Refuse the start of a table whose lines end in carriage returns alone, which would read as one line."""
    if b"\r" in data.strip() and b"\n" not in data:
        raise UserError(f"{path} has lines that end in carriage returns alone (old Mac text): save it with line feeds.")


def unpacked(path: str) -> IO[bytes]:
    """The file, unpacked as it is read. OSError where it unpacks to what no file of interactions does."""
    if not is_gzip(path):
        return open(path, "rb")
    return io.BufferedReader(Bounded(cast(IO[bytes], gzip.open(path)), os.path.getsize(path)), 1 << 20)


def stream(path: str) -> Any:
    """The file as an arrow stream, unpacked."""
    return pa.input_stream(unpacked(path) if is_gzip(path) else pa.OSFile(os.fsencode(path)), compression=None)


def whole(path: str) -> bytes:
    """All bytes, unpacked. UserError where the packing is broken, or holds too much, before any of it is kept."""
    try:
        if is_gzip(path) and os.path.getsize(path) > _LOOKED_AT:
            with unpacked(path) as f:
                while f.read(1 << 24):
                    pass
        with unpacked(path) as f:
            return f.read().removeprefix(b"\xef\xbb\xbf")
    except (EOFError, OSError, zlib.error) as error:
        raise broken(path, error) from error


def is_gzip(path: str) -> bool:
    """Whether the file is packed with gzip, by its first bytes."""
    with open(path, "rb") as f:
        return f.read(2) == b"\x1f\x8b"


def broken(path: str, error: Exception) -> UserError:
    """The error for a file that cannot be unpacked or read to its end."""
    if is_gzip(path):
        return UserError(f"{path} is not a whole .gz file ({clause(error)}); fetch or pack it again.")
    return UserError(f"{path} cannot be read ({clause(error)}).")
