"""Objects with boxes, of whatever format, laid on their pictures: sizes, turns, forms of boxes, what cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twofold.errors import UserError
from twofold.images.labels import boxes as forms
from twofold.images.labels.boxes import Boxes, Four
from twofold.images.labels.findings import Notes, listed
from twofold.images.labels.objects import Objects
from twofold.images.labels.pictures import Frame, frames_of, settle_rule, whereabouts
from twofold.images.labels.records import Labelled
from twofold.images.labels.shapes import Polygons, Runs, Shape, ShapeError, bounds_of, fill, mask_of, read_shape
from twofold.images.labels.survey import Survey, Wishes
from twofold.images.labels.turning import Fit, Size, fit_all
from twofold.images.reading.source import Source

ONE = "object"  # the class where labels tell none
YOLO = "cxcywh"  # the form of the one format whose boxes are fractions
NEAR = 2.0  # pixels, or this share of the box, by which a segmentation may differ from its box
NEAR_SHARE = 0.05
THIN = 3.0  # pixels: of a thinner segmentation it is looked whether it has a pixel at all


@dataclass
class Mark:
    """An object as it stands in a file. box: four numbers of the file's form, or None. number: of the class."""

    box: Four | None
    number: int
    where: str
    crowd: bool = False
    difficult: bool = False
    segmentation: Any = None
    shape: Shape | None = None


@dataclass
class Sheet:
    """The objects of one picture. row: in the source. size: (height, width) that the file says, if it does."""

    row: int
    size: Size | None = None
    marks: list[Mark] = field(default_factory=list)


@dataclass(frozen=True)
class Laid:
    """One picture's objects in its own pixels. boxes: float64 (n, 4), corners."""

    row: int
    frame: Frame
    fit: Fit
    boxes: Boxes
    marks: Sequence[Mark]


class Annotated(Survey):
    """Pictures with objects. classes: names by number; usual: the form of the format's boxes."""

    kind = "boxes"

    def __init__(
        self, name: str, source: Source, sheets: list[Sheet], classes: Sequence[str], notes: Notes, wishes: Wishes,
        *, usual: str, stamp: Sequence[object],
    ) -> None:  # fmt: skip
        self.name, self.source, self.classes, self.notes = name, source, tuple(classes), notes
        self.stamp = (*stamp, *sorted(wishes.of_numbers(), key=str))
        settle_rule(source, notes)
        sheets, frames = _readable(name, source, sheets, notes)
        for sheet, frame in zip(sheets, frames, strict=True):
            _read_shapes(sheet, sheet.size or frame.upright, notes)
        _settle_forms(name, sheets, frames, usual, wishes, notes)
        reaches = [_reach(sheet) for sheet in sheets]
        names = [source.names[sheet.row] for sheet in sheets]
        fits = fit_all(name, names, frames, [sheet.size for sheet in sheets], reaches, notes)
        self.laid = [_lay(*about, notes) for about in zip(sheets, frames, fits, strict=True)]
        self.masks = _have_masks(self.laid, notes)
        empty = sum(not laid.marks for laid in self.laid)
        if empty:
            notes.say(f"{empty:,} of {len(self.laid):,} pictures have no object; they are kept.")

    def agree(self, other: Annotated | None) -> tuple[str, ...]:
        """The classes of both, this one's first; of the other's those that occur or that this one has."""
        if other is None:
            return self.classes
        used = {other.classes[mark.number] for laid in other.laid for mark in laid.marks}
        return (*self.classes, *(name for name in other.classes if name in used and name not in self.classes))

    def pictures_at(self) -> list[str]:
        """See `Survey`."""
        return whereabouts(self.source, [laid.row for laid in self.laid])

    def labelled(self, agreed: tuple[str, ...]) -> Labelled:
        """The pictures with their objects; a class that never occurs is named."""
        objects = Objects(self.source, self.laid, [agreed.index(c) if c in agreed else -1 for c in self.classes])
        tallies = objects.tallies(agreed)
        never = [tally.name for tally in tallies if not tally.count]
        if never and any(tally.count for tally in tallies):
            self.notes.say(f"{len(never)} of {len(agreed)} classes never occur in {self.name}: {listed(never, 12)}.")
        for one, other in _alike(agreed):
            self.notes.say(
                f'The classes "{one}" and "{other}" differ in case or spaces alone and are told apart: rename them in '
                f"the labels if one is meant."
            )
        return objects.labelled(self.name, agreed, self.notes.sentences(), tallies, self.masks, self.stamp)


def _alike(classes: Sequence[str]) -> list[tuple[str, str]]:
    """Names that are one but for case and spaces, in pairs."""
    first: dict[str, str] = {}
    pairs = [(first.setdefault("".join(name.lower().split()), name), name) for name in classes]
    return [(one, other) for one, other in pairs if one != other]


def _readable(name: str, source: Source, sheets: list[Sheet], notes: Notes) -> tuple[list[Sheet], list[Frame]]:
    """The sheets whose pictures can be opened, with their frames."""
    found = frames_of(source, [sheet.row for sheet in sheets])
    kept = [(sheet, frame) for sheet, frame in zip(sheets, found, strict=True) if isinstance(frame, Frame)]
    for sheet, reason in zip(sheets, found, strict=True):
        if isinstance(reason, str):
            notes.add("pictures that cannot be read, left out", f"{source.names[sheet.row]}, {reason}")
    if not kept:
        raise UserError(f"{name}: none of its {len(sheets):,} labelled pictures can be read: check the files.")
    return [sheet for sheet, _ in kept], [frame for _, frame in kept]


def _read_shapes(sheet: Sheet, size: Size, notes: Notes) -> None:
    for mark in sheet.marks:
        if mark.segmentation is None:
            continue
        try:
            mark.shape = read_shape(mark.segmentation, *size)
            mark.shape = _of_size(mark.shape, size)
            mark.segmentation = None
        except ShapeError as error:
            mark.segmentation = str(error)
            mark.shape = None


def _of_size(shape: Shape, size: Size) -> Shape:
    """The shape, where its runs are made for a picture of this aspect."""
    for part in shape if isinstance(shape, tuple) else (shape,):
        if isinstance(part, Runs) and (part.height, part.width) != size:
            (h, w), (height, width) = (part.height, part.width), size
            if abs(w * height / h - width) > 1 and abs(width * h / height - w) > 1:
                raise ShapeError("runs of a picture of another shape")
    return shape


def _settle_forms(
    name: str, sheets: list[Sheet], frames: list[Frame], usual: str, wishes: Wishes, notes: Notes
) -> None:
    """Every mark's box as corners in label pixels."""
    marks, sizes = [], []
    for sheet, frame in zip(sheets, frames, strict=True):
        own = []
        for mark in sheet.marks:
            if mark.box is not None and forms.is_dummy(mark.box):
                notes.add("dummy boxes (all 0 or all -1), read as no object", mark.where)
                mark.box = None
                if mark.shape is None:
                    continue
            own.append(mark)
            if mark.box is not None:
                marks.append(mark)
                sizes.append(sheet.size or frame.upright)
        sheet.marks = own
    boxes, areas = np.array([mark.box for mark in marks]).reshape(-1, 4), np.array(sizes, np.float64).reshape(-1, 2)
    form, fractions = usual, True
    if wishes.boxes or usual != YOLO:
        form, fractions = forms.settle_form(name, boxes, areas, usual, wishes.boxes)
        if fractions:
            notes.say("Boxes are read as fractions of the picture, for no number of theirs is above 1.5.")
    if wishes.boxes and wishes.boxes != usual:
        notes.say(f"Boxes are read as {forms.WORDS[form]}, as --boxes says.")
    boxes = forms.corners(boxes, form)
    if fractions:
        boxes = boxes * areas[:, [1, 0, 1, 0]]
    for mark, box, area in zip(marks, boxes.tolist(), areas, strict=True):
        mark.box = (box[0], box[1], box[2], box[3])
        if fractions and isinstance(mark.shape, Polygons):
            mark.shape = Polygons(tuple(ring * area[::-1] for ring in mark.shape.rings))


def _reach(sheet: Sheet) -> tuple[float, float] | None:
    """The largest y and x of the boxes."""
    boxes = [mark.box for mark in sheet.marks if mark.box is not None]
    return (max(box[3] for box in boxes), max(box[2] for box in boxes)) if boxes else None


def _lay(sheet: Sheet, frame: Frame, fit: Fit, notes: Notes) -> Laid:
    """A picture's objects in its own pixels; what cannot be used is left out and counted."""
    height, width = fit.size
    kept, boxes = [], []
    for mark in sheet.marks:
        outline = _outline(mark, fit)
        box = None if mark.box is None else _scaled(mark.box, *fit.scale)
        if outline is not None and (box is None or _is_flat(box)):
            notes.add("boxes taken from the segmentation, for they have none or no size", mark.where)
            box = outline
        if box is None:
            notes.add("objects without box and without segmentation, left out", mark.where)
            continue
        left, top, right, bottom = box
        inside = (max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))
        if _is_flat(inside):
            lies = "less than a pixel wide or high" if _is_flat(box) else "outside their picture"
            notes.add(f"boxes {lies}, left out", mark.where)
            continue
        if any(abs(one - other) > 0.01 for one, other in zip(inside, box, strict=True)):
            notes.add("boxes that leave their picture, clipped", mark.where)
        if outline is not None and not _matches(outline, box):
            notes.add("segmentations that do not match their box, both kept", mark.where)
        kept.append(mark)
        boxes.append(inside)
    return Laid(sheet.row, frame, fit, np.array(boxes, np.float64).reshape(-1, 4), kept)


def _scaled(box: Four, x: float, y: float) -> Four:
    return box[0] * x, box[1] * y, box[2] * x, box[3] * y


def _is_flat(box: Four) -> bool:
    return box[2] - box[0] < 1 or box[3] - box[1] < 1


def _outline(mark: Mark, fit: Fit) -> Four | None:
    """The bounds of a mark's shape in the picture's pixels; a shape without a pixel is taken from the mark."""
    if mark.shape is None:
        return None
    found = bounds_of(mark.shape)
    if found is None or not _has_pixel(mark.shape, found, fit):
        mark.shape, mark.segmentation = None, "segmentation without a pixel"
        return None
    part = mark.shape[0] if isinstance(mark.shape, tuple) else mark.shape
    if isinstance(part, Runs):
        return _scaled(found, fit.size[1] / part.width, fit.size[0] / part.height)
    return _scaled(found, *fit.scale)


def _has_pixel(shape: Shape, bounds: Four, fit: Fit) -> bool:
    """Whether something is left of a shape on the picture; of thick polygons that is taken for granted."""
    if not isinstance(shape, Polygons):
        return fit.scale == (1.0, 1.0) or bool(mask_of(shape, fit.size).any())
    left, top, right, bottom = _scaled(bounds, *fit.scale)
    if min(right - left, bottom - top) >= THIN:
        return True
    corner, size = np.floor([left, top]), (int(bottom - top) + 2, int(right - left) + 2)
    return bool(fill([ring * fit.scale - corner for ring in shape.rings], *size).any())


def _matches(outline: Four, box: Four) -> bool:
    near = [max(NEAR, NEAR_SHARE * (box[k + 2] - box[k])) for k in (0, 1)] * 2
    return all(abs(one - other) <= most for one, other, most in zip(outline, box, near, strict=True))


def _have_masks(laid: list[Laid], notes: Notes) -> bool:
    """Whether masks are offered: where at least half of the objects have a segmentation."""
    marks = [mark for one in laid for mark in one.marks]
    shaped = sum(mark.shape is not None for mark in marks)
    reasons = Counter(str(mark.segmentation or "no segmentation") for mark in marks if mark.shape is None)
    if not shaped:
        broken = {reason: n for reason, n in reasons.items() if reason not in ("no segmentation", "empty segmentation")}
        if broken:
            notes.say(f"No segmentation can be used ({_counted(broken)}): boxes only.")
        return False
    if 2 * shaped < len(marks):
        notes.say(f"Only {shaped:,} of {len(marks):,} objects have a segmentation ({_counted(reasons)}): boxes only.")
        return False
    if reasons:
        notes.say(
            f"{len(marks) - shaped:,} of {len(marks):,} objects have no usable segmentation ({_counted(reasons)}); "
            f"they are left out where masks are used, and kept where boxes are."
        )
    return True


def _counted(reasons: dict[str, int]) -> str:
    return ", ".join(f"{reason} {n:,}" for reason, n in sorted(reasons.items(), key=lambda kv: -kv[1])[:6])
