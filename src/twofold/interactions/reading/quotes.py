"""Quotes in text files: which of them enclose a value, and which are part of it (RFC 4180, section 2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from twofold.interactions.reading.content import broken, stream

QUOTING = (",", ";", "\t", "|")  # between which a value may stand in quotes
STRICT = ("\t", "|")  # and, of these, where each value ends with its line
CHUNK = 1 << 20  # bytes at a time; what is made of them fits the caches


class Quotes(NamedTuple):
    """The quotes of a file. enclosed: values in quotes that close as they should. over_lines: how many of these hold a
    line end. broken: the line, counted from 1, of the first quote before a value that does not close, or None."""

    enclosed: int
    over_lines: int
    broken: int | None


def find_quotes(data: bytes, delimiter: str) -> Quotes:
    """What the quotes in all bytes of a file are. A quote inside an open value is part of it."""
    mark = re.escape(delimiter.encode())
    opened = re.compile(rb"(?:\A|[\r\n" + mark + rb'])"')
    closed = re.compile(rb'"[^"]*(?:""[^"]*)*"(?=[\r\n' + mark + rb"]|\Z)")
    enclosed = over_lines = at = 0
    first = None
    while found := opened.search(data, at):
        start = found.end() - 1
        value = closed.match(data, start)
        if value is None:
            first = data.count(b"\n", 0, start) + 1 if first is None else first
            at = start + 1
            continue
        enclosed += 1
        over_lines += data.find(b"\n", start, value.end()) >= 0 or data.find(b"\r", start, value.end()) >= 0
        at = value.end()
    return Quotes(enclosed, over_lines, first)


def close_on_their_lines(lines: list[str], delimiter: str) -> bool:
    """Whether each quote that opens a value is closed in its line."""
    marked = (line for line in lines if '"' in line)
    return all(find_quotes(line.encode(), delimiter).broken is None for line in marked)


def has_quotes(path: str) -> bool:
    """Whether there is a quote in the file."""
    return any(b'"' in chunk for chunk in _chunks(path))


def survey(path: str, delimiter: str) -> tuple[int, bool]:
    """How many lines of a file are not empty, and whether each of its quotes begins or ends a value, as many of both.

    What stands in the way of the second may be in order (RFC 4180 doubles a quote within a value): `find_quotes` tells.
    """
    lines, opened, closed, quotes, last = 0, 0, 0, 0, b"\n"
    for chunk in _chunks(path):
        data = np.frombuffer(last + chunk, np.uint8)
        quote, ends = data == ord('"'), (data == ord("\n")) | (data == ord("\r"))
        beside = ends | (data == ord(delimiter))
        lines += int(np.count_nonzero(ends[:-1] > ends[1:]))
        quotes += int(np.count_nonzero(quote[1:]))
        opened += int(np.count_nonzero(beside[:-1] & quote[1:]))
        closed += int(np.count_nonzero(quote[:-1] & beside[1:]))
        last = chunk[-1:]
    closed += last == b'"'
    return lines, opened == closed and opened + closed == quotes


def _chunks(path: str) -> Iterator[bytes]:
    try:
        with stream(path) as source:
            while chunk := source.read(CHUNK):
                yield chunk
    except OSError as error:
        raise broken(path, error) from error
