"""The user's mistakes, and how they are answered: one sentence, exit code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can mend. The message is one sentence that says what is wrong, where, and what to do."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint ' Did you mean "x"?' with the known name nearest to `name`, or '' where none is near."""
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{match[0]}"?' if match else ""
