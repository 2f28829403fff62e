"""What a reader of one format hands over: the rows of a file as they stand in it, nothing dropped for its value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from twofold.errors import UserError, nearest
from twofold.interactions.reading.ids import Ids


@dataclass
class Raw:
    """E rows of a file.

    users, items: their ids. weight, time: float64 (E,) with NaN where a row has none, or None. taken: which columns
    these are, in words. dropped: what the format itself left out, counted by reason. notes: what else to say of the
    file, one sentence each.
    """

    users: Ids
    items: Ids
    weight: np.ndarray | None
    time: np.ndarray | None
    taken: str
    dropped: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Named:
    """The columns the user named, each a name or a number; '' for none, None where it is to be recognised. unread:
    roles whose columns are recognised, so that they are nothing else, and not read."""

    user: str | int | None = None
    item: str | int | None = None
    weight: str | int | None = None
    time: str | int | None = None
    unread: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for role in ("user", "item"):
            if getattr(self, role) == "":
                raise UserError(f"The name of the {role} column is empty; only weight and time may be left out so.")

    def by_role(self) -> dict[str, str | int]:
        """The named ones by role, without those that are to be left out."""
        roles = {role: getattr(self, role) for role in ("user", "item", "weight", "time")}
        return {role: value for role, value in roles.items() if value not in (None, "")}


def refuse_named(path: str, named: Named) -> None:
    """UserError where columns are named for a file that has none."""
    for role, value in named.by_role().items():
        raise UserError(f"{path} has one line for each user and no columns; leave out the {role} column {value}.")


def unknown_column(path: str, value: str | int, known: Iterable[str], what: str = "column") -> UserError:
    """The error for a column that is not there, with the nearest name."""
    names = list(known)
    return UserError(f"{path} has no {what} {value} (it has {', '.join(names)}).{nearest(str(value), names)}")
