"""The user's mistakes, and how they are answered: one sentence, exit code 2."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable

from twofold.printable import spelled_out

MOST_TIMES = 10_000  # that a step may do one thing


class UserError(Exception):
    """Something the user can mend. The message is one sentence that says what is wrong, where, and what to do;
    it is read as one line."""

    def __str__(self) -> str:
        return spelled_out(super().__str__())

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: the sentence."""
        return [str(self)]


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint ' Did you mean "x"?' with the known name nearest to `name`, or '' where none is near."""
    match = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f' Did you mean "{match[0]}"?' if match else ""


def clause(error: BaseException) -> str:
    """An error's first line without its full stop, for the middle of a sentence; its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(" .:,")


def above_zero(**settings: float) -> None:
    """Refuse a setting that must be a number above 0, naming it."""
    for name, value in settings.items():
        if not 0 < value < math.inf:
            raise UserError(f"{name} must be a number above 0, not {value}.")


def repeated(**settings: int) -> None:
    """Refuse a setting that says how often each step does something, where that would take the day."""
    for name, value in settings.items():
        if value > MOST_TIMES:
            raise UserError(
                f"{name} is {value:,}: at a thousand a second a single step would take {value / 3.6e6:,.1f} hours, "
                f"so give at most {MOST_TIMES:,}."
            )


def between_0_and_1(**settings: float) -> None:
    """Refuse a setting that must lie between 0 and 1, naming it."""
    for name, value in settings.items():
        if not 0 <= value <= 1:
            raise UserError(f"{name} must lie between 0 and 1, not {value}.")
