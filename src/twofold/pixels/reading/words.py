"""Names, counts and reasons in words, as messages of every reader say them."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Mapping, Sequence

from twofold.printable import printable

SHOWN, LONGEST_NAME = 5, 40  # classes in a line, characters of the name of each


def extension(name: str) -> str:
    """The extension in lower case with its dot, '' where there is none."""
    return posixpath.splitext(name)[1].lower()


def some_of(names: Sequence[str]) -> str:
    """The first names with commas between, long ones cut short."""
    cut = [name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..." for name in names[:SHOWN]]
    return ", ".join([*cut, *(["..."] if len(names) > SHOWN else [])])


def count_list(counts: dict[str, int], most: int = 6) -> str:
    """'.txt 3, hidden 1' with the largest first."""
    ordered = sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))
    rest = sum(n for _, n in ordered[most:])
    return ", ".join(f"{printable(k)} {n:,}" for k, n in ordered[:most]) + (f", others {rest:,}" if rest else "")


def by_reason(broken: Mapping[str, str], most: int = 3) -> str:
    """'a.jpg, b.jpg (the file is empty), c.tif and 40 others (a TIFF of 13 bands)': up to `most` reasons, each once,
    with up to three names."""
    names: dict[str, list[str]] = {}
    for name, reason in broken.items():
        names.setdefault(reason, []).append(name)
    parts = []
    for reason, those in list(names.items())[:most]:
        few = those if len(those) <= 3 else those[:1]
        others = f" and {len(those) - 1:,} others" if len(those) > 3 else ""
        parts.append(f"{', '.join(few)}{others} ({reason})")
    return ", ".join(parts) + (", ..." if len(names) > most else "")


def digest(parts: Iterable[object]) -> str:
    """A short hexadecimal digest of a list of plain values."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(str(part).encode("utf-8", "surrogateescape") + b"\0")
    return state.hexdigest()
