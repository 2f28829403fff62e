"""One rule for pictures, boxes, polygons and masks: labels follow the stored or the turned picture, or a scaled one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twofold.errors import UserError
from twofold.images.labels.findings import Notes, listed
from twofold.images.labels.pictures import Frame

BEYOND = 1.5  # pixels by which a box may leave a picture and still be meant for it

Size = tuple[int, int]


@dataclass(frozen=True)
class Fit:
    """How the labels of one picture lie on it.

    turned: the picture is turned by EXIF, as its labels were drawn; else it stays as stored. size: (height, width) of
    the picture so. scale: (x, y), what label coordinates are multiplied with. why: stored, turned, ambiguous, drawn
    (turned, by the boxes and against the declared size), or "" where there is no turn.
    """

    turned: bool
    size: Size
    scale: tuple[float, float] = (1.0, 1.0)
    why: str = ""


def fit(frame: Frame, declared: Size | None, reach: tuple[float, float] | None) -> Fit | None:
    """How labels made for a picture of the `declared` (height, width) lie on this one, None where they cannot.

    reach: the largest (y, x) of the boxes in label coordinates, which may prove a side or contradict the size.
    """
    stored, upright = frame.stored, frame.upright
    if frame.turn == 1:
        return _scaled(True, upright, declared, "")
    if stored == upright:  # a mirror, a half turn, a square
        return _scaled(True, upright, declared, "ambiguous")
    if declared is None:
        side = _proved(stored, upright, reach)
        return Fit(False, stored, why="stored") if side == "stored" else Fit(True, upright, why=side or "ambiguous")
    on_upright = _scaled(True, upright, declared, "turned")
    on_stored = _scaled(False, stored, declared, "stored")
    if on_upright and on_stored:  # nearly square
        exact = [one for one in (on_upright, on_stored) if one.scale == (1.0, 1.0)]
        return exact[0] if len(exact) == 1 else _scaled(True, upright, declared, "ambiguous")
    if on_stored and on_stored.scale == (1.0, 1.0) and _proved(stored, upright, reach) == "turned":
        return Fit(True, upright, why="drawn")
    return on_upright or on_stored


def _proved(stored: Size, upright: Size, reach: tuple[float, float] | None) -> str:
    """Which of two frames the boxes lie in, "stored" or "turned", where they lie in one only."""
    if reach is None:
        return ""
    sides = {"stored": stored, "turned": upright}
    inside = [name for name, size in sides.items() if all(r <= s + BEYOND for r, s in zip(reach, size, strict=True))]
    return inside[0] if len(inside) == 1 else ""


def _scaled(turned: bool, size: Size, declared: Size | None, why: str) -> Fit | None:
    """A fit with the ratio of the sizes, where they have one aspect to the rounding of a pixel."""
    if declared is None or declared == size:
        return Fit(turned, size, why=why)
    (height, width), (h, w) = size, declared
    if abs(w * height / h - width) <= 1 or abs(width * h / height - w) <= 1:
        return Fit(turned, size, (width / w, height / h), why)
    return None


def fit_all(
    name: str,
    names: Sequence[str],
    frames: Sequence[Frame],
    declared: Sequence[Size | None],
    reaches: Sequence[tuple[float, float] | None],
    notes: Notes,
) -> list[Fit]:
    """The fit of every picture; what was found of turns and scales goes into the notes.

    Raises UserError where labels belong to pictures of another shape, naming three of them.
    """
    found = [fit(*about) for about in zip(frames, declared, reaches, strict=True)]
    strange = [i for i, one in enumerate(found) if one is None]
    if strange:
        shown = listed(
            f"{names[i]} is {_wh(frames[i].upright)} and labelled as {_wh(declared[i] or (0, 0))}" for i in strange
        )
        raise UserError(
            f"{name}: {len(strange):,} of {len(names):,} pictures have another shape than their labels say ({shown}): "
            f"give the pictures that were labelled, or correct or remove the sizes in the labels."
        )
    fits = _all_drawn([one for one in found if one], frames, reaches)
    _note_turns(fits, notes)
    for i, one in enumerate(fits):
        if one.scale != (1.0, 1.0):
            kind = "pictures of another size than their labels, same shape: labels scaled"
            notes.add(kind, f"{names[i]}, {_wh(declared[i] or (0, 0))} labelled, {_wh(one.size)} stored")
    return fits


def _all_drawn(fits: list[Fit], frames: Sequence[Frame], reaches: Sequence[tuple[float, float] | None]) -> list[Fit]:
    """Where boxes prove that a tool wrote unturned sizes beside turned boxes, and nothing speaks against it, it did so
    in all files."""
    unturned = [i for i, one in enumerate(fits) if one.why == "stored" and one.scale == (1.0, 1.0)]
    proved = any(one.why == "drawn" for one in fits)
    against = any(_proved(frames[i].stored, frames[i].upright, reaches[i]) == "stored" for i in unturned)
    if proved and not against:
        for i in unturned:
            fits[i] = Fit(True, frames[i].upright, why="drawn")
    return fits


def _note_turns(fits: Sequence[Fit], notes: Notes) -> None:
    counts = {why: sum(one.why == why for one in fits) for why in ("turned", "stored", "ambiguous", "drawn")}
    if not any(counts.values()):
        return
    parts = [
        f"{counts['turned']:,} labelled turned",
        f"{counts['stored']:,} labelled as stored",
        f"{counts['ambiguous']:,} ambiguous and taken as turned",
    ]
    if counts["drawn"]:
        parts.append(f"{counts['drawn']:,} with the stored size but boxes of the turned picture, taken as turned")
    notes.say(f"Pictures turned by EXIF: {sum(counts.values()):,} ({', '.join(parts)}).")


def _wh(size: Size) -> str:
    return f"{size[1]}x{size[0]}"
