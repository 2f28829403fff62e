"""Columns of weights and times to float64, and the first row that is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twofold.errors import UserError

NONE = ("", "na", "n/a", "nan", "null", "none")  # what stands where a value is missing

UNITS = (
    ("seconds", 1e8, 1e11),
    ("milliseconds", 1e11, 1e14),
    ("microseconds", 1e14, 1e17),
    ("nanoseconds", 1e17, 1e20),
)
FORMS = (
    (r"\s*(?i:z|utc|gmt)$", "Z"),
    (r"([+-]\d\d:?\d\d)Z$", r"\1"),
    (r"(:\d\d(?:[.,]\d+)?)\s+([+-])", r"\1\2"),
    (r"(:\d\d)[.,](\d{1,6})\d*", r"\1.\2"),
    (r"^(\d{4}-\d\d-\d\d)Z?$", r"\1T00:00:00"),
    (r"^(\d{4}-\d\d-\d\d)[tT ]\s*", r"\1T"),
)  # of dates that arrow does not read as they stand: pattern, and what to write


def weights(column: Any, where: str) -> np.ndarray:
    """float64 (E,), NaN where missing. column: arrow, of numbers, booleans or text; where: the column in words.

    UserError for text that is no number, with its row.
    """
    return _floats(column, where, "weights are numbers", _to_double)


def times(column: Any, where: str) -> np.ndarray:
    """float64 (E,), NaN where missing: numbers as they are, dates in seconds since 1970 in UTC.

    column: arrow, of numbers, timestamps, dates, or text of numbers or ISO dates, with or without a zone (a date
    without one is in UTC), of any number of digits, of which those beyond a microsecond do not count. UserError for any
    other, with its row.
    """
    return _floats(column, where, "times are numbers or ISO dates (2024-05-01 or 2024-05-01T12:30:00)", _to_time)


def mixed_units(time: np.ndarray) -> str:
    """What to say of times that look as if they were of several units, or ''. time: float64 (E,)."""
    counts = {unit: int(((time >= low) & (time < high)).sum()) for unit, low, high in UNITS}
    found = [f"{unit} in {count:,} rows" for unit, count in counts.items() if count]
    if len(found) < 2:
        return ""
    return f"its times look like {' and '.join(found)}: bring them to one unit, or the latest are not the latest"


def _floats(column: Any, where: str, wanted: str, convert: Callable[[Any], Any]) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.utf8_trim_whitespace(column)
        missing = pc.is_in(pc.utf8_lower(column), value_set=pa.array(NONE, column.type))
        column = pc.if_else(missing, pa.scalar(None, column.type), column)
    try:
        found = convert(column)
    except pa.ArrowNotImplementedError as error:
        raise UserError(f"{where} holds {column.type}; {wanted}.") from error
    except pa.ArrowInvalid as error:
        row = _first_bad(column, convert)
        bad = f"{str(column[row].as_py())[:40]!r} in row {row + 1}"
        if row and _fits(column.slice(row, 1), convert):
            raise UserError(
                f"{where} holds {bad}, and rows before it in another form; give all in one form."
            ) from error
        raise UserError(f"{where} holds {bad}; {wanted}.") from error
    return found.fill_null(float("nan")).to_numpy()


def _fits(column: Any, convert: Callable[[Any], Any]) -> bool:
    try:
        convert(column)
    except pa.ArrowInvalid:
        return False
    return True


def _first_bad(column: Any, convert: Callable[[Any], Any]) -> int:
    """The first row that makes the conversion fail, by halving."""
    good, bad = 0, len(column)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            convert(column.slice(good, middle - good))
            good = middle
        except pa.ArrowInvalid:
            bad = middle
    return good


def _to_double(column: Any) -> Any:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return column.cast(pa.float64(), safe=pa.types.is_string(column.type))


def _to_time(column: Any) -> Any:
    if pa.types.is_temporal(column.type):
        return _seconds(column)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return _to_double(column)
    for kind in (pa.float64(), pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            found = column.cast(kind)
            return found if kind == pa.float64() else _seconds(found)
        except pa.ArrowInvalid:
            continue
    return _seconds(_in_one_form(column).cast(pa.timestamp("us", "UTC")))


def _in_one_form(dates: Any) -> Any:
    """Dates as text, each with a time of day, a zone (UTC where there was none) and no more than six decimals."""
    for pattern, instead in FORMS:
        dates = pc.replace_substring_regex(dates, pattern, instead)
    zoned = pc.match_substring_regex(dates, r"(Z|[T :]\d\d(\.\d+)?[+-]\d\d(:?\d\d)?)$")
    return pc.if_else(zoned, dates, pc.binary_join_element_wise(dates, pa.scalar("Z", dates.type), ""))


def _seconds(column: Any) -> Any:
    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        raise pa.ArrowNotImplementedError(str(column.type))
    zone = column.type.tz if pa.types.is_timestamp(column.type) else None
    micro = column.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())
    return pc.divide(micro.cast(pa.float64(), safe=False), 1e6)
