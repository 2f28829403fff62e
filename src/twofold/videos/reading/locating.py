"""Where the videos lie that a list names."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from twofold.catalog.looking import TARS, VIDEOS
from twofold.pixels.reading.places import Place
from twofold.pixels.reading.walking import files_below
from twofold.videos.reading.archive import members_of
from twofold.videos.reading.source import Item

ABSENT, SEVERAL = "listed but not there", "listed without a folder and there in several"


def located(items: Sequence[Item], root: Place) -> tuple[list[tuple[int, Item]], Counter[str]]:
    """The items whose files are there, with their numbers, and how many others there are.

    A file is that of the path; else the only one of that name and folders with another ending, or below the list's last
    folders, as where a list was made elsewhere; else, for a name without folder, the only one of the name in any folder
    (lists of YouTube's videos say NAME or ID_BEGIN_END, or else ID).
    """
    inside, skipped = _in_tars(root), Counter[str]()
    known: Mapping[str, list[str]] | None = None
    found = []
    for i, item in enumerate(items):
        if item.name in inside:
            member = inside[item.name]
            found.append((i, replace(item, place=member.place, offset=member.offset, size=member.size)))
        elif (where := root.join(item.name)).is_file():
            found.append((i, replace(item, place=where)))
        elif root.is_dir():
            known = _by_ends(root) if known is None else known
            names = _ends(item.name, known) or known.get(_stem(item.group), [])
            if len(names) == 1:
                found.append((i, replace(item, name=names[0], place=root.join(names[0]))))
            else:
                skipped[SEVERAL if names else ABSENT] += 1
        else:
            skipped[ABSENT] += 1
    return found, skipped


def _by_ends(root: Place) -> dict[str, list[str]]:
    """The videos below a folder by every end of their paths, without the ending of the file."""
    found: dict[str, list[str]] = {}
    for name in sorted(files_below(root, Counter(), lambda name: name.lower().endswith(VIDEOS))):
        if name.lower().endswith(VIDEOS):
            parts = _stem(name).split("/")
            for start in range(len(parts)):
                found.setdefault("/".join(parts[start:]), []).append(name)
    return found


def _ends(name: str, known: Mapping[str, list[str]]) -> list[str]:
    """The videos whose whole path is an end of this one, the longest; for a name without folder, those of the name."""
    parts = _stem(name).split("/")
    if len(parts) == 1:
        return known.get(parts[0], [])
    for start in range(len(parts)):
        end = "/".join(parts[start:])
        whole = [found for found in known.get(end, []) if _stem(found) == end]
        if whole:
            return whole
    return []


def _stem(name: str) -> str:
    """A path without the ending of a video, in one of the spellings of letters with marks."""
    plain = unicodedata.normalize("NFC", name)
    return plain.rpartition(".")[0] if plain.lower().endswith(VIDEOS) else plain


def _in_tars(root: Place) -> dict[str, Item]:
    if root.is_file() and root.path.lower().endswith(TARS):
        return {item.name: item for item in members_of(root)}
    if not root.is_dir():
        return {}
    tars = [name for name in root.children() if name.lower().endswith(".tar")]
    return {item.name: item for name in tars for item in members_of(root.join(name))}
