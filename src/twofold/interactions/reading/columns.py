"""Which columns hold users, items, weights and times: as named, by their usual names, else the first two."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from twofold.errors import UserError
from twofold.interactions.reading.raw import Named, unknown_column

# As they stand once lower case letters and digits alone are left: User_ID:token is userid.
USUAL = {
    "user": (
        *("userid", "user", "users", "uid", "userindex", "usersid", "useridx", "customerid", "customer", "clientid"),
        *("client", "visitorid", "visitor", "reviewerid", "reviewer", "memberid", "member", "accountid", "account"),
        *("buyerid", "buyer", "readerid", "listenerid", "playerid", "authorid", "sessionid", "session"),
    ),
    "item": (
        *("itemid", "item", "items", "iid", "itemindex", "itemsid", "itemidx", "productid", "product", "movieid"),
        *("movie", "filmid", "bookid", "book", "isbn", "articleid", "article", "newsid", "songid", "song", "trackid"),
        *("track", "artistid", "artist", "albumid", "videoid", "video", "gameid", "game", "appid", "businessid"),
        *("business", "venueid", "locationid", "poiid", "poi", "parentasin", "asin", "sku", "stockcode", "recipeid"),
    ),
    "weight": (
        *("weight", "weights", "rating", "ratings", "score", "scores", "count", "counts", "stars", "overall"),
        *("playcount", "plays", "quantity"),
    ),
    "time": (
        *("timestamp", "timestamps", "time", "times", "datetime", "date", "unixtime", "unixreviewtime", "ts"),
        *("createdat", "reviewtime", "invoicedate"),
    ),
}
# What a column is called that numbers the rows; one of these is no user or item where it differs in every row.
INDEX = re.compile(
    r"(index|idx|id|uuid|guid|pk|no|nr|num|number|row|unnamed[0-9]*|(index)?level[0-9]+|"
    r"(row|record|event|review|rating|interaction|transaction|order|purchase|sale|play|listen|click|view|log|line|entry)"
    r"(id|uuid|no|nr|num|number|index|idx))?"
)


@dataclass(frozen=True)
class Chosen:
    """Numbers of columns, counted from 0; weight and time are None where there is none. passed: columns that number
    the rows."""

    user: int
    item: int
    weight: int | None
    time: int | None
    passed: tuple[int, ...] = ()

    def all(self) -> list[int]:
        """The distinct numbers, ascending."""
        return sorted({n for n in (self.user, self.item, self.weight, self.time) if n is not None})


def plain_name(name: str) -> str:
    """A column's name as `USUAL` holds it: without the type of RecBole, case, blanks and signs."""
    return re.sub(r"[^a-z0-9]", "", name.lower().split(":")[0])


def role_of(name: str) -> str | None:
    """What a column of this name usually holds."""
    return next((role for role, names in USUAL.items() if plain_name(name) in names), None)


def choose(
    path: str, names: list[str] | None, width: int, named: Named, counts_rows: Callable[[int], bool] = lambda _: False
) -> Chosen:
    """The columns of a table of `width` columns with these names (None where the file has no header).

    Named columns may be names (with or without the type of RecBole) or numbers counted from 0. counts_rows: whether a
    column differs in every row; one that does, and has no name or that of an index, is passed over while others are
    left. UserError for a column that is not there, or that is given twice.
    """
    if width < 2:
        raise UserError(f"{path} has one column only; a file of interactions has a user and an item in each row.")
    found = _found(path, names, width, named, ())
    passed: tuple[int, ...] = ()
    while found and (index := _index(found, names, named, counts_rows)) is not None:
        again = _found(path, names, width, named, (*passed, index))
        if "user" not in again or "item" not in again:
            break
        found, passed = again, (*passed, index)
    for role in ("user", "item"):
        if role not in found:
            raise UserError(f"{path} has no column left for the {role}s; name it with {role}.")
    if found["user"] == found["item"]:
        raise UserError(f"{path}: users and items are given as the same column ({_words(names, found['user'])}).")
    read = {role: number for role, number in found.items() if role not in named.unread}
    return Chosen(found["user"], found["item"], read.get("weight"), read.get("time"), passed)


def _found(path: str, names: list[str] | None, width: int, named: Named, without: tuple[int, ...]) -> dict[str, int]:
    """Columns by role: those named, those of usual names, else the first ones, none of `without` where not named."""
    found = {role: _find(path, value, names, width) for role, value in named.by_role().items()}
    for role in ("user", "item", "weight", "time") if names else ():
        if role not in found and getattr(named, role) is None:
            usual = {plain_name(n): k for k, n in reversed(list(enumerate(names or []))) if k not in without}
            fitting = [usual[n] for n in USUAL[role] if n in usual and usual[n] not in found.values()]
            found.update({role: fitting[0]} if fitting else {})
    for role in ("user", "item"):
        free = [k for k in range(width) if k not in found.values() and k not in without]
        if role not in found and free:
            found[role] = free[0]
    return found


def _index(
    found: dict[str, int], names: list[str] | None, named: Named, counts_rows: Callable[[int], bool]
) -> int | None:
    """The column of users or items that rather numbers the rows, or None."""
    asked = [found[role] for role in ("user", "item") if role in found and getattr(named, role) is None]
    for number in asked:
        likely = INDEX.fullmatch(plain_name(names[number])) if names else number == 0
        if likely and counts_rows(number):
            return number
    return None


def in_words(chosen: Chosen, names: list[str] | None) -> str:
    """The choice in words: 'users in column uid, items in column iid'."""
    numbers = {"users": chosen.user, "items": chosen.item, "weights": chosen.weight, "times": chosen.time}
    words = ", ".join(f"{what} in column {_words(names, n)}" for what, n in numbers.items() if n is not None)
    return words + passed_over(chosen, names)


def passed_over(chosen: Chosen, names: list[str] | None) -> str:
    """The columns that only number the rows, in words, or ''."""
    listed = " and ".join(_words(names, n) or "without a name" for n in chosen.passed)
    return f"; passed over, for it differs in every row: column {listed}" if listed else ""


def _words(names: list[str] | None, number: int) -> str:
    return names[number] if names else f"{number} (counted from 0)"


def _find(path: str, value: str | int, names: list[str] | None, width: int) -> int:
    if names and str(value) in names:
        return names.index(str(value))
    short = [n.split(":")[0].strip() for n in names or []]
    if str(value) in short:
        return short.index(str(value))
    if re.fullmatch(r"[0-9]{1,9}", str(value)) and int(value) < width:
        return int(value)
    if names:
        raise unknown_column(path, value, short)
    raise UserError(f"{path} has no header and no column {value}; its columns are the numbers 0 to {width - 1}.")
