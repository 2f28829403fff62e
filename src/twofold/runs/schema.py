"""Whether values read from a file are what a dataclass declares; nothing is converted."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from twofold.errors import UserError, clause
from twofold.files import read_whole

MOST_BYTES = 2**26  # of a JSON file of a run


def wrong_in(cls: type, values: object) -> str:
    """The first field of a dataclass that is missing, or of another type, in a mapping; "" where all are right.

    A field with a default may be missing; further keys are let pass.
    """
    if not isinstance(values, Mapping):
        return "everything"
    for declared in dataclasses.fields(cls):
        has_default = not declared.default is declared.default_factory is dataclasses.MISSING
        if declared.name not in values:
            if not has_default:
                return declared.name
        elif not fits(values[declared.name], _hints(cls)[declared.name]):
            return declared.name
    return ""


def fits(value: object, kind: Any) -> bool:
    """Whether a value is of a type: plain, a list, a mapping or a union of such; True is no number, nan is one."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is list:
        return isinstance(value, list) and all(fits(one, inner[0]) for one in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(k, inner[0]) and fits(v, inner[1]) for k, v in value.items())
    if kind is float:
        return type(value) is float or (type(value) is int and abs(value) < 2**63)
    if kind is int:
        return type(value) is int and abs(value) < 2**63
    return isinstance(value, kind)


def read_json(file: Path) -> Any:
    """What a JSON file of a run holds. Raises UserError where it is damaged."""
    try:
        return json.loads(read_whole(file, MOST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file} is damaged ({clause(error)}): remove it, or restore it.") from error


def finite(*numbers: float) -> bool:
    """Whether all are numbers that can be reckoned with, 0 or more."""
    return all(math.isfinite(number) and number >= 0 for number in numbers)


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)
