"""Which of a group's arrays is what was seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twofold.control.reading import names
from twofold.control.reading.stores import Arrays, Unreadable
from twofold.errors import UserError, nearest


def observation_of(
    arrays: Arrays,
    own: Sequence[str],
    full: Callable[[str], str],
    called: str,
    wanted: str | None,
    notes: set[str],
) -> str:
    """The name of what was seen: the one that is wanted, the plain one, or the only pictures of several parts.

    own: names within a group. full: their names in the file. Raises Unreadable where nothing was seen, UserError where
    the user has to choose.
    """
    below = tuple(f"{name}/" for name in names.OBSERVATIONS)
    leaves = [name for name in own if name.startswith(below)]
    plain = names.first_of(names.OBSERVATIONS, own)
    if wanted is not None:
        return _wanted(wanted, own, [plain] if plain else leaves, called)
    if plain is not None:
        return plain
    if not leaves:
        for name in (name for name in arrays.objects if name in map(full, names.OBSERVATIONS)):
            raise Unreadable(f"{name} holds Python objects, which would have to run")
        raise Unreadable(f"it has no observations, which may be called {', '.join(names.OBSERVATIONS)}")
    pictures = [name for name in leaves if arrays.has_pictures(full(name))]
    if len(leaves) == 1:
        return leaves[0]
    if len(pictures) != 1:
        raise UserError(f"{called} has several observations, {', '.join(leaves)}: say which by --observation.")
    notes.add(f"Of the observations {', '.join(leaves)} the only pictures are taken: {pictures[0]}.")
    return pictures[0]


def _wanted(wanted: str, own: Sequence[str], known: Sequence[str], called: str) -> str:
    found = next((name for name in own if wanted in (name, name.partition("/")[2])), None)
    if found is None:
        listed, hint = ", ".join(known) or "none", nearest(wanted, [name.partition("/")[2] or name for name in known])
        raise UserError(f"{called} has no observation {wanted}; it has {listed}.{hint}")
    return found
