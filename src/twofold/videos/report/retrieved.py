"""What a retrieval found: some of its queries as moving pictures, and the videos nearest to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twofold.page.gallery import checked_names, checked_pictures
from twofold.page.read import read_arrays
from twofold.page.sections import Section
from twofold.page.sprites import moving_picture
from twofold.printable import spelled_out

FILE = "retrieved.npz"  # of a run folder
SIDE = 64
MOST, LEAST = 6, 2  # queries on a page of its own, and on any


@dataclass(frozen=True)
class Retrieved:
    """The arrays of retrieved.npz; see `jobs.neighbours`."""

    films: np.ndarray
    names: list[str]
    kinds: list[str]
    found: np.ndarray
    same: np.ndarray
    cosines: np.ndarray
    queries: int
    gallery: int
    asked: str


@dataclass(frozen=True)
class Film:
    """A video as the page shows it. mark: "same" where it is of the query's class, "other" where not, "" of queries."""

    picture: str
    name: str
    kind: str
    cosine: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Answered:
    """Queries, each with what was found, nearest first; of how many and among how many; how many of these, and how
    many of the first ones, are of the class asked for."""

    rows: list[tuple[Film, list[Film]]]
    queries: int
    gallery: int
    asked: str
    right: int
    shown: int
    first: int


def read_retrieved(file: Path) -> Retrieved:
    """A retrieved.npz. Raises ValueError or KeyError where its arrays do not fit together; nothing is unpickled."""
    arrays = read_arrays(file)
    films = checked_pictures(arrays["films"], 5, "films")
    names, kinds = (checked_names(arrays[name].tolist(), len(films), "films") for name in ("names", "kinds"))
    found, same, cosines = arrays["found"], arrays["same"], arrays["cosines"]
    if found.ndim != 2 or found.dtype != np.int64 or not found.shape == same.shape == cosines.shape:
        raise ValueError(f"found is {found.dtype} {found.shape}")
    if not found.size or len(found) > len(films) or found.min() < -1 or found.max() >= len(films):
        raise ValueError(f"found names other films than the {len(films)} there are")
    if same.dtype != bool or cosines.dtype.kind != "f" or not np.isfinite(cosines).all():
        raise ValueError(f"same is {same.dtype} and cosines are {cosines.dtype}")
    queries, gallery = (int(count) for count in arrays["counts"].astype(np.int64).reshape(2))
    return Retrieved(films, names, kinds, found, same, cosines, queries, gallery, spelled_out(str(arrays["asked"])))


def retrieved_sections(retrieved: Retrieved | None, room: float) -> list[Section]:
    """The section, or nothing where no retrieval was measured; of fewer queries where a run has only the part `room` of
    a page of its own."""
    if retrieved is None:
        return []
    content = answered(retrieved, max(LEAST, round(room * MOST)))
    return [Section("retrieved", "Videos that were retrieved", "retrieved.html", content, "Retrieval")]


def answered(retrieved: Retrieved, most: int) -> Answered:
    """What the page shows of at most so many queries."""
    pictures: dict[int, str] = {}
    digits = 3 if retrieved.cosines[retrieved.found >= 0].min(initial=1.0) > 0.9 else 2  # such differ late

    def film(number: int, cosine: str = "", mark: str = "") -> Film:
        if number not in pictures:
            pictures[number] = moving_picture(retrieved.films[number], SIDE)
        return Film(pictures[number], retrieved.names[number], retrieved.kinds[number], cosine, mark)

    rows = []
    for query, numbers in enumerate(retrieved.found[:most].tolist()):
        beside = zip(numbers, retrieved.cosines[query].tolist(), retrieved.same[query].tolist(), strict=True)
        own = [film(n, f"{cosine:.{digits}f}", "same" if same else "other") for n, cosine, same in beside if n >= 0]
        rows.append((film(query), own))
    marks = [[one.mark == "same" for one in own] for _, own in rows]
    return Answered(
        rows,
        retrieved.queries,
        retrieved.gallery,
        retrieved.asked,
        right=sum(map(sum, marks)),
        shown=sum(map(len, marks)),
        first=sum(own[0] for own in marks if own),
    )
