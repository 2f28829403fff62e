"""Text files of one interaction a line: CSV, TSV, semicolons, blanks, RecBole's .inter, with or without a header."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc

from twofold.errors import UserError
from twofold.interactions.reading.columns import Chosen, choose, in_words
from twofold.interactions.reading.content import SAMPLE, broken, check_line_ends, sample, stream, whole
from twofold.interactions.reading.ids import distinct, encode
from twofold.interactions.reading.lists import read_lists
from twofold.interactions.reading.numbers import times, weights
from twofold.interactions.reading.quotes import QUOTING, STRICT, find_quotes, has_quotes, survey
from twofold.interactions.reading.raw import Named, Raw, refuse_named
from twofold.interactions.reading.sniff import Layout, sniff

BLOCK, LARGEST = 8 << 20, 1 << 30  # bytes that one thread parses at a time, and at most, where a value is longer
ZONE = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
COUNTED = 10  # rows that a column without a name has to count to be taken for their number
IDS = pa.dictionary(pa.int32(), pa.string())


def read_text(path: str, named: Named, lists: bool = False) -> Raw:
    """The rows of a text file.

    named: the columns the user named. lists: that each line is a user and that user's items, known from elsewhere;
    where it is not, a file says so itself by lines of different lengths.
    """
    layout = _layout(path, named)
    if lists or layout.lists:
        refuse_named(path, named)
        return read_lists(path, layout)
    chosen = choose(path, layout.names, layout.width, named, lambda number: _counts_rows(path, layout, number))
    if not layout.first:
        raise UserError(f"{path} holds a header and no interactions.")
    dropped = {"comment lines": layout.comments} if layout.comments else {}
    try:
        table, notes = _table(path, layout, chosen)
    except _OtherWidths as error:
        if layout.width == 2 and layout.delimiter == " " and layout.names is None and not named.by_role():
            return read_lists(path, layout)  # the first users have one item each, later ones more
        raise UserError(f"{path} has {error}; mend or remove that line.") from error
    weight = None if chosen.weight is None else weights(table["weight"], _where(path, layout, chosen.weight))
    time = None if chosen.time is None else times(table["time"], _where(path, layout, chosen.time))
    users = encode(table["user"], _where(path, layout, chosen.user))
    items = encode(table["item"], _where(path, layout, chosen.item))
    return Raw(users, items, weight, time, in_words(chosen, layout.names), dropped, notes)


def _layout(path: str, named: Named) -> Layout:
    """The layout by the start of the file: by more of it while that holds no whole row."""
    size = SAMPLE
    while True:
        data, complete = sample(path, size)
        check_line_ends(path, data)
        layout = sniff(path, data, complete, [str(v) for v in named.by_role().values()])
        if complete or (len(layout.rows) > 1 and layout.width > 1):
            return layout
        size *= 4


def _counts_rows(path: str, layout: Layout, number: int) -> bool:
    """Whether a column differs in every row; without a header it also has to count the rows from 0 or 1."""
    values = [row[number] for row in layout.rows if number < len(row)]
    if len(set(values)) < len(values):
        return False
    if layout.names is None:
        counted = [[str(first + k) for k in range(len(values))] for first in (0, 1)]
        if layout.may_be_lists or len(values) < COUNTED or values not in counted:
            return False
    try:
        column = _table(path, layout, Chosen(number, number, None, None))[0]["user"]
    except _OtherWidths:
        return False
    return distinct(encode(column, _where(path, layout, number)))


def text_names(path: str, named: Named) -> list[str] | None:
    """The names in the header, [] without one, None where each line is a user and that user's items."""
    layout = _layout(path, named)
    return None if layout.lists else layout.names or []


def says_lists(path: str) -> bool | None:
    """Whether a text file has one line for each user, by its own start; None where all lines are of one length, so
    that it may or may not."""
    data, complete = sample(path)
    check_line_ends(path, data)
    layout = sniff(path, data, complete, [])
    return layout.lists or (None if layout.may_be_lists else False)


class _OtherWidths(Exception):
    """A line with more or fewer columns than the others; the message says which."""


def _table(path: str, layout: Layout, chosen: Chosen) -> tuple[dict[str, Any], list[str]]:
    """The columns of `_columns_of`, and what is to be said of quotes that are none, or that hold line ends.

    Rows that are as many as lines prove that no quote joined lines. Otherwise the quotes decide: a value over several
    lines is read where all quotes close as they should and the lines, as they stand, are no rows.
    """
    plain = replace(layout, quotes=False)
    if layout.delimiter not in QUOTING or not has_quotes(path):
        return _columns_of(path, plain, chosen), []
    quoted, found = replace(layout, quotes=True), None
    with contextlib.suppress(_OtherWidths, UserError):
        found = _columns_of(path, quoted, chosen)
        lines, clean = survey(path, layout.delimiter)
        if clean and len(found["user"]) + layout.skip - layout.blank == lines:
            return found, []
    quotes = find_quotes(whole(path), layout.delimiter)
    as_text = "its quotes do not enclose values and were read as part of them"
    if layout.delimiter in STRICT:
        if quotes.broken or quotes.over_lines:
            return _columns_of(path, plain, chosen), [as_text]
        return found or _columns_of(path, quoted, chosen), []
    if quotes.broken:
        if not quotes.enclosed:
            return _columns_of(path, plain, chosen), [as_text]
        raise UserError(
            f"{path} has a quote in line {quotes.broken} that does not enclose a value, and others that do: close "
            "it, or double it within a value in quotes."
        )
    if not quotes.over_lines:
        return found or _columns_of(path, quoted, chosen), []
    with contextlib.suppress(_OtherWidths):
        return _columns_of(path, plain, chosen), [as_text]
    over_lines = replace(quoted, over_lines=True)
    return _columns_of(path, over_lines, chosen), [f"{quotes.over_lines:,} values in quotes go over several lines"]


def _columns_of(path: str, layout: Layout, chosen: Chosen) -> dict[str, Any]:
    """The chosen columns by role: ids dictionary-encoded, weight and time as numbers where they are, else as text."""
    kinds: dict[str, pa.DataType] = {"user": IDS, "item": IDS}
    if chosen.weight is not None:
        kinds["weight"] = pa.float64()
    if chosen.time is not None:
        kinds["time"] = _kind_of_time(layout.first[chosen.time] if chosen.time < len(layout.first) else "")
    try:
        return _read(path, layout, chosen, kinds, threads=True)
    except pa.ArrowInvalid as error:
        if "conversion error" in str(error) and "UTF8" not in str(error):  # the slower way reads more and says where
            kinds.update({role: pa.string() for role in kinds if role not in ("user", "item")})
            try:
                return _read(path, layout, chosen, kinds, threads=True)
            except pa.ArrowInvalid as again:
                raise _refused(path, again) from again
        if "Expected" not in str(error):
            raise _refused(path, error) from error
    try:  # again, in order, so that the line is known
        return _read(path, layout, chosen, kinds, threads=False)
    except pa.ArrowInvalid as error:
        row = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", str(error))
        if not row:
            raise _refused(path, error) from error
        raise _OtherWidths(f"{row[3]} columns in line {int(row[1])} but {layout.width} in the lines before") from error


def _read(
    path: str,
    layout: Layout,
    chosen: Chosen,
    kinds: dict[str, pa.DataType],
    threads: bool,
    tidy: bool = False,
    block: int = BLOCK,
) -> dict[str, Any]:
    double = len(layout.delimiter) > 1  # '::' is two delimiters with an empty column between
    names = [f"c{n // 2 if double else n}{'' if not double or n % 2 == 0 else 'x'}" for n in range(_columns(layout))]
    roles = {role: f"c{getattr(chosen, role)}" for role in kinds}
    convert = pc.ConvertOptions(
        column_types={roles[role]: kind for role, kind in kinds.items()},
        include_columns=list(dict.fromkeys(roles.values())),
        strings_can_be_null=False,
    )
    source = io.BytesIO(_tidy(whole(path))) if tidy else stream(path)
    try:
        with source:
            table = pc.read_csv(
                source,
                pc.ReadOptions(use_threads=threads, block_size=block, skip_rows=layout.skip, column_names=names),
                pc.ParseOptions(
                    delimiter=layout.delimiter[0],
                    quote_char='"' if layout.quotes else False,
                    newlines_in_values=layout.over_lines,
                ),
                convert,
            )
    except pa.ArrowInvalid as error:
        if layout.delimiter == " " and not tidy and "Expected" in str(error):
            return _read(path, layout, chosen, kinds, threads, tidy=True)  # several blanks, or blanks at an end
        if "straddling" in str(error) and layout.over_lines and block < LARGEST:
            return _read(path, layout, chosen, kinds, threads, block=block * 8)  # a value longer than a block
        raise
    except OSError as error:
        raise broken(path, error) from error
    return {role: table[name] for role, name in roles.items()}


def _columns(layout: Layout) -> int:
    return layout.width * 2 - 1 if len(layout.delimiter) > 1 else layout.width


def _tidy(data: bytes) -> bytes:
    """One blank for several, none at the ends of lines."""
    data = re.sub(rb"[ \t\r]+", b" ", data)
    return data.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")


def _kind_of_time(value: str) -> pa.DataType:
    try:
        float(value or "nan")
        return pa.float64()
    except ValueError:
        return pa.timestamp("us", "UTC") if ZONE.search(value) and len(value) > 10 else pa.timestamp("us")


def _where(path: str, layout: Layout, number: int) -> str:
    return f"{path}: column {layout.names[number] if layout.names else number}"


def _refused(path: str, error: Exception) -> UserError:
    text = str(error).splitlines()[0].rstrip(".")
    if "UTF8" in text:
        return UserError(f"{path} holds values that are not text in UTF-8; save it in UTF-8.")
    if "Empty CSV" in text:
        return UserError(f"{path} holds no interactions.")
    return UserError(f"{path} cannot be read as a table ({text[:200]}).")
