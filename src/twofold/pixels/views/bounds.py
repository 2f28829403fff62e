"""What the fields of an operation may be: their bounds, and a value read as the type of its field."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Sequence
from functools import cache
from typing import Any

from twofold.catalog.settings import convert
from twofold.errors import UserError

# The least and the most of each number, by the name of the field.
BOUNDS: dict[str, tuple[float, float]] = {
    "p": (0, 1),
    "area": (0, 1),
    "ratio": (0, math.inf),
    "side": (0, 1),
    "shares": (0, 1),
    "degrees": (0, 180),
    "brightness": (0, math.inf),
    "contrast": (0, math.inf),
    "saturation": (0, math.inf),
    "hue": (0, 0.5),
    "sigma": (0, math.inf),
    "factors": (1, math.inf),
    "threshold": (0, 1),
}
ABOVE = ("ratio", "side", "shares")  # whose least is no value itself
EMPTY = ("factors",)  # which may have no numbers


def fitting(called: str, operation: type, field: str, value: Any) -> Any:
    """A value, which may be text, as the type of a field of an operation.

    called: the field, as a mistake names it. Raises UserError that says what it takes.
    """
    kind = _types(operation)[field]
    if typing.get_origin(kind) is not tuple:
        value = convert(called, value, kind)
        numbers = () if isinstance(value, str) else (value,)
    else:
        numbers = value = tuple(convert(called, value, list[float]))
        if not value and field not in EMPTY:
            raise UserError(f"{called} takes numbers, and there are none.")
        if ... not in typing.get_args(kind) and (len(value) != 2 or value[0] > value[1]):
            raise UserError(f"{called} takes two numbers, the lower one first, not {_listed(value)}.")
    if not numbers:
        return value
    least, most = BOUNDS[field]
    above = field in ABOVE
    for number in numbers:
        if not (math.isfinite(number) and least <= number <= most and not (above and number == least)):
            first = f"above {least:g}" if above else f"at least {least:g}"
            last = "" if math.isinf(most) else f" and at most {most:g}"
            raise UserError(f"{called} must be {first}{last}, not {number:g}.")
    return value


def check(operations: Sequence[Any], known: Any) -> None:
    """Refuse, with a UserError, a view that is not made of the known operations, or one with a value out of bounds."""
    if not isinstance(operations, tuple | list):
        raise UserError(
            f"A view of an augmentation is a tuple of operations, not {operations!r:.80}: write Augmentation(((...),))."
        )
    for operation in operations:
        if not isinstance(operation, known):
            raise UserError(
                f"An augmentation is made of operations such as Crop and Flip, not of {type(operation).__name__}: hand "
                "over what is called with a picture as it is, as transform or views."
            )
        for field in dataclasses.fields(operation):
            called = f"{type(operation).__name__}.{field.name}"
            value = getattr(operation, field.name)
            found = fitting(called, type(operation), field.name, value)
            if isinstance(value, str) and not isinstance(found, str):
                raise UserError(f"{called} takes a number, not the text {value!r:.60}.")


def typed(value: Any) -> str:
    """A value as it is typed."""
    return _listed(value) if isinstance(value, tuple) else value if isinstance(value, str) else f"{value:g}"


def _listed(numbers: Sequence[float]) -> str:
    return ",".join(f"{number:g}" for number in numbers)


@cache
def _types(operation: type) -> dict[str, Any]:
    return typing.get_type_hints(operation)
