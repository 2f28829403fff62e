"""How a text file is laid out, from its start: what stands between columns, a header, or one line for each user."""

from __future__ import annotations

import csv
import re
import sys
from dataclasses import dataclass

from twofold.interactions.reading.columns import role_of
from twofold.interactions.reading.quotes import STRICT, close_on_their_lines

DELIMITERS = ("\t", ";", ",", "|", "::")
TABLES = (".csv", ".tsv", ".inter", ".csv.gz", ".tsv.gz", ".inter.gz")
LISTED = 6  # as many whole numbers in every line, between blanks and without a header, are a list of items
VALUE = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|\d{4}-\d\d-\d\d.*")


@dataclass(frozen=True)
class Layout:
    """delimiter: between columns, ' ' for any blanks. names: the header, or None. width: columns. skip: lines before
    the first row. comments: how many of these are comments. quotes: whether "..." is one value. lists: whether each
    line is a user and that user's items (then only `skip` and `comments` count). may_be_lists: whether it could be,
    had its lines been of different lengths. first: the first row. rows: the first rows, the header not among
    them. blank: empty lines before all. over_lines: whether values in quotes may hold line ends."""

    delimiter: str
    names: list[str] | None
    width: int
    skip: int
    comments: int
    quotes: bool
    lists: bool
    may_be_lists: bool
    first: list[str]
    rows: list[list[str]]
    blank: int = 0
    over_lines: bool = False


def sniff(path: str, data: bytes, whole: bool, named: list[str]) -> Layout:
    """The layout of the text file that starts with `data`.

    whole: whether that is all of it. named: the columns the user named; a first line that holds them is a header.
    """
    lines = [ln.rstrip("\r") for ln in data.decode("utf-8", "replace").split("\n")]
    lines = lines if whole or len(lines) < 2 else lines[:-1]  # the last one may be cut
    blank = next((k for k, ln in enumerate(lines) if ln.strip()), 0)
    comments = 0
    while blank + comments < len(lines) and lines[blank + comments].startswith(("%", "# ")):
        comments += 1
    lines = [ln for ln in lines[blank + comments :] if ln.strip()] or [""]
    table = path.lower().endswith(TABLES)
    delimiter, quotes, rows = _split(lines, table, whole)
    names = _header(rows, [str(n) for n in named])
    skip = blank + comments + (0 if names is None else 1 + sum(value.count("\n") for value in rows[0]))
    may_be = delimiter in " \t" and names is None and not named and not table
    lists = may_be and delimiter == " " and _are_lists(rows)
    below = rows[1:] if names else rows
    first = next(iter(below), [])
    return Layout(delimiter, names, len(rows[0]), skip, comments, quotes, lists, may_be, first, below, blank)


def _split(lines: list[str], table: bool, whole: bool) -> tuple[str, bool, list[list[str]]]:
    """The first delimiter that gives all lines equally many columns, else blanks; a table with a broken line has the
    delimiter that most of its lines agree on. Where lines agree on their columns as they stand, no quote joins them."""
    best: tuple[int, str, bool, list[list[str]]] | None = None
    for delimiter in DELIMITERS:
        if not any(delimiter in ln for ln in lines[:2]):
            continue
        for quotes in (True, False):
            if quotes and delimiter in STRICT and not close_on_their_lines(lines, delimiter):
                continue
            rows = _rows(lines, delimiter, quotes)
            if quotes and len(rows) < len(lines):
                if _agree(plain := _rows(lines, delimiter, False)):
                    return delimiter, False, plain
                rows = rows if whole or len(rows) < 2 else rows[:-1]  # the last one may be cut
            widths = [len(r) for r in rows]
            usual = max(set(widths), key=widths.count)
            if usual > 1 and min(widths) == max(widths):
                return delimiter, quotes, rows
            if usual > 1 and (table or delimiter != "\t") and (not best or widths.count(usual) > best[0]):
                best = (widths.count(usual), delimiter, quotes, rows)
    if best and best[0] * 2 > len(best[3]):
        return best[1:]
    return " ", False, [ln.split() for ln in lines]


def _agree(rows: list[list[str]]) -> bool:
    return len(rows[0]) > 1 and all(len(row) == len(rows[0]) for row in rows)


def _rows(lines: list[str], delimiter: str, quotes: bool) -> list[list[str]]:
    if len(delimiter) > 1:
        return [ln.split(delimiter) for ln in lines]
    if not quotes:
        return [ln.split(delimiter) for ln in lines]
    limit = csv.field_size_limit(sys.maxsize)
    try:
        return list(csv.reader([ln + "\n" for ln in lines], delimiter=delimiter)) or [[""]]
    except csv.Error:
        return [ln.split(delimiter) for ln in lines]
    finally:
        csv.field_size_limit(limit)


def _header(rows: list[list[str]], named: list[str]) -> list[str] | None:
    """The names in the first row, where it is a header: it holds names that columns usually have or that the user
    named, or it holds no number and stands above a column of numbers."""
    first = [name.strip() for name in rows[0]]
    short = [name.split(":")[0] for name in first]
    roles = {role_of(name) for name in first}
    wanted = [n for n in named if not n.isdigit()]
    if {"user", "item"} <= roles or (wanted and any(n in first or n in short for n in wanted)):
        return first
    if any(VALUE.fullmatch(value) for value in first):
        return None
    if roles & {"user", "item"}:
        return first
    below = [row for row in rows[1:] if len(row) == len(first)]
    numbers = below and any(all(VALUE.fullmatch(row[k].strip()) for row in below) for k in range(len(first)))
    return first if numbers else None


def _are_lists(rows: list[list[str]]) -> bool:
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        return True
    return widths.pop() >= LISTED and all(value.isdigit() for row in rows[:100] for value in row)
