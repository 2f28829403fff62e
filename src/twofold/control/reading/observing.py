"""Which of a group's arrays is what was seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twofold.control.reading import names
from twofold.control.reading.remarks import Notes
from twofold.control.reading.stores import Arrays, Unreadable
from twofold.errors import UserError, nearest


def observation_of(
    arrays: Arrays,
    own: Sequence[str],
    full: Callable[[str], str],
    called: str,
    wanted: str | None,
    notes: Notes,
) -> str:
    """The name of what was seen: the one that is wanted, the plain one, or the only pictures of several parts.

    own: names within a group. full: their names in the file. Raises Unreadable where nothing was seen, UserError where
    the user has to choose.
    """
    below = tuple(f"{name}/" for name in names.OBSERVATIONS)
    leaves = [name for name in own if name.startswith(below)]
    plain = [name for name in names.OBSERVATIONS if name in own]
    if wanted is not None:
        return _wanted(wanted, own, [*plain, *leaves], called)
    if plain and (not leaves or plain[0] in names.FIRST):
        if len(plain) + len(leaves) > 1:
            notes.add(f"Of the observations {', '.join([*plain, *leaves])} the first is taken; see --observation")
        return plain[0]
    if not leaves:
        for name in (name for name in map(full, names.OBSERVATIONS) if name in arrays.skipped):
            raise Unreadable(f"{name} {arrays.skipped[name]}")
        raise Unreadable(f"it has no observations, which may be called {', '.join(names.OBSERVATIONS)}")
    if len(leaves) == 1 and not plain:
        return leaves[0]
    pictures = [name for name in [*leaves, *plain] if arrays.has_pictures(full(name))]
    listed = ", ".join([*leaves, *plain])
    if len(pictures) != 1:
        raise UserError(f"{called} has several observations, {listed}: say which by --observation.")
    notes.add(f"Of the observations {listed} the only pictures are taken, {pictures[0]}; see --observation")
    return pictures[0]


def _wanted(wanted: str, own: Sequence[str], known: Sequence[str], called: str) -> str:
    found = next((name for name in own if wanted in (name, name.partition("/")[2])), None)
    if found is None:
        listed, hint = ", ".join(known) or "none", nearest(wanted, [name.partition("/")[2] or name for name in known])
        raise UserError(f"{called} has no observation {wanted}; it has {listed}.{hint}")
    return found
