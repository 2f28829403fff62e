"""A path, local or behind an fsspec URL, with the few operations that reading needs."""

from __future__ import annotations

import os
import posixpath
import re
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from twofold.errors import UserError, clause, nearest
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.identity import content_digest

MOST_SHARDS = 10**6  # of a range in braces
ATTEMPTS = 3  # a remote read is tried again after 0.5 s and 1 s

MOST_IMAGE = 2**30  # bytes of a file that may be an image


def _open(path: str, buffering: int = -1) -> BinaryIO:
    """A regular file of the local disk. Raises OSError for a pipe, a socket or a device, which might never end."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe that nobody writes to does not hold us

    with _names_of_files():
        file = open(path, "rb", buffering=buffering, opener=opener)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError("it is no regular file")
    return file


@contextmanager
def _names_of_files() -> Iterator[None]:
    """A name that no file can have, with a zero byte in it, is that of a file that is not there."""
    try:
        yield
    except ValueError as error:
        raise FileNotFoundError(clause(error)) from error


@dataclass(frozen=True)
class Place:
    """A file or a folder. fs is None for the local disk; prefix is what messages put before the path."""

    path: str
    fs: Any = None
    prefix: str = ""

    def __str__(self) -> str:
        return self.prefix + self.path

    @property
    def name(self) -> str:
        """The last part of the path."""
        return posixpath.basename(self.path.replace(os.sep, "/").rstrip("/"))

    def at(self, path: str) -> Place:
        """Another path of the same file system."""
        return Place(path, self.fs, self.prefix)

    def join(self, name: str) -> Place:
        """A path below (or, where `name` is absolute, `name` itself)."""
        return self.at(os.path.join(self.path, name) if self.fs is None else posixpath.join(self.path, name))

    def below(self, name: str) -> Place | None:
        """The place of that path from this folder; None where it leads out of it."""
        if self.fs is not None:
            away = "://" in name or name.startswith("/") or ".." in name.split("/")
            return None if away else self.join(name)
        top = os.path.abspath(self.path).rstrip(os.sep)
        path = os.path.normpath(os.path.join(top, name))
        return self.at(path) if path.startswith(top + os.sep) and "\0" not in path else None

    def parent(self) -> Place:
        """The folder above."""
        split = os.path.split if self.fs is None else posixpath.split
        return self.at(split(self.path.rstrip("/"))[0])

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return os.path.isdir(self.path) if self.fs is None else bool(self.fs.isdir(self.path))

    def is_file(self) -> bool:
        """Whether it is a file."""
        return os.path.isfile(self.path) if self.fs is None else bool(self.fs.isfile(self.path))

    def children(self) -> list[str]:
        """Names in a folder, sorted."""
        if self.fs is None:
            return sorted(os.listdir(self.path))
        return sorted(posixpath.basename(p.rstrip("/")) for p in self.fs.ls(self.path, detail=False))

    def glob(self) -> list[Place]:
        """The files that a pattern with * or ? matches, sorted."""
        if self.fs is None:
            import glob

            try:
                found = [p for p in glob.glob(self.path, recursive=True) if os.path.isfile(p)]
            except ValueError:  # a zero byte, which no name has
                return []
        else:
            found = self.fs.glob(self.path)
        return [self.at(p) for p in sorted(found)]

    def open(self) -> BinaryIO:
        """The file, for reading bytes."""
        return _open(self.path) if self.fs is None else self.fs.open(self.path, "rb")

    def read(self, most: int | None = None) -> bytes:
        """The whole file; DecodeError where it is local and has more bytes than `most`."""
        if self.fs is None:
            with _open(self.path) as f:
                size = os.fstat(f.fileno()).st_size
                if most is not None and size > most:
                    raise DecodeError(f"has {size:,} bytes, more than an image")
                return f.read()
        return self._try(lambda: self.fs.cat_file(self.path))

    def read_range(self, start: int, size: int) -> bytes:
        """Some bytes of the file; fewer where the file ends."""
        if self.fs is None:
            with _open(self.path, buffering=0) as f:
                f.seek(start)
                return f.read(size)
        data = self._try(lambda: self.fs.cat_file(self.path, start=start, end=start + size))
        return data if len(data) <= size else data[start : start + size]  # a web server without ranges gives all

    def stamp(self) -> tuple[int, str]:
        """Size in bytes and a mark that changes when the file does."""
        if self.fs is None:
            with _names_of_files():
                found = os.stat(self.path)
            return found.st_size, str(found.st_mtime_ns)
        return remote_stamp(self.fs.info(self.path))

    def _try(self, read: Any) -> bytes:
        for attempt in range(ATTEMPTS):
            try:
                return read()
            except FileNotFoundError:
                raise
            except Exception as error:  # each file system has its own errors
                if attempt == ATTEMPTS - 1:
                    raise DecodeError(f"cannot be fetched ({type(error).__name__}: {error})") from error
                time.sleep(0.5 * 2**attempt)
        raise AssertionError


def digest_of_places(places: Sequence[Place], more: Iterable[object] = ()) -> str:
    """The content digest of whole files, by their last names."""
    sizes = [where.stamp()[0] for where in places]
    names = [where.name for where in places]
    return content_digest(names, sizes, lambda file, start, size: places[file].read_range(start, size), more)


def remote_stamp(info: dict[str, Any]) -> tuple[int, str]:
    """Size and mark of change from what an fsspec file system says of a file."""
    marks = [
        info[k] for k in ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "mtime", "created") if info.get(k)
    ]
    return int(info.get("size") or 0), str(marks[0]) if marks else ""


def place(path: str) -> Place:
    """A Place from what the user typed:

    a path (with ~) or a URL. UserError where the URL's file system is not installed.
    """
    if "://" not in path:
        return Place(os.path.expanduser(path))
    if path.startswith("file://"):
        return Place(path[len("file://") :])
    import fsspec

    scheme = path.split("://", 1)[0]
    try:
        fs, inner = fsspec.core.url_to_fs(path)
    except ImportError as error:
        raise UserError(f"{path}: {scheme}:// needs another package ({clause(error)}).") from error
    except ValueError as error:
        known = ", ".join(sorted(fsspec.available_protocols())[:12])
        raise UserError(f"{path}: {scheme}:// is no file system that fsspec knows ({known}, ...).") from error
    return Place(inner, fs, "" if "://" in inner else f"{scheme}://")


def missing(where: Place) -> UserError:
    """The error for a path that is not there, with the nearest name in the nearest folder that is."""
    below, above = where, where.parent()
    try:
        while above.path not in ("", "/", below.path) and not above.is_dir():
            below, above = above, above.parent()
        folder = above if above.path else above.at(".") if above.fs is None else above
        hint = nearest(below.name, folder.children())
        absent = below if below != where else None
    except Exception:  # a hint must not hide the message
        hint, absent = "", None
    where_it_ends = f" (already {absent} does not)" if absent else ""
    if where.fs is None and os.path.exists(where.path):
        return UserError(f"{where} is a pipe, a socket or a device: give a file or a folder.")
    return UserError(f"{where} does not exist{where_it_ends}.{hint}")


def braces(pattern: str) -> Iterator[str]:
    """The names that {000..009} and {a,b} stand for, in order; one name where there are no braces."""
    start = pattern.find("{")
    end = pattern.find("}", start)
    if start < 0 or end < 0:
        yield pattern
        return
    inside = pattern[start + 1 : end]
    first, dots, last = inside.partition("..")
    if dots and re.fullmatch("[0-9]{1,18}", first) and re.fullmatch("[0-9]{1,18}", last):
        if int(last) - int(first) >= MOST_SHARDS:
            raise UserError(f"{pattern} stands for more than {MOST_SHARDS:,} files: give a shorter range.")
        options = [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)]
    else:
        options = inside.split(",")
    for option in options:
        yield from braces(pattern[:start] + option + pattern[end + 1 :])
