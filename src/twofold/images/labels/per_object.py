"""A mask for each object, many to a picture: ID/images/ID.png beside ID/masks/*.png, or images/ID.png and
masks/ID/*.png."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from twofold.errors import UserError
from twofold.images.labels.annotated import ONE, Annotated, Mark, Sheet
from twofold.images.labels.findings import Notes, listed
from twofold.images.labels.lists import class_list
from twofold.images.labels.pictures import in_threads
from twofold.images.labels.sheets import read_sheet
from twofold.images.labels.stored import Stored
from twofold.images.labels.survey import Wishes
from twofold.images.reading.pairing import IMAGE_ENDS, IMAGE_FOLDERS, MASK_ENDS, MASK_FOLDERS, key, match
from twofold.images.reading.source import Source
from twofold.pixels.reading.failure import DecodeError

FOLDERS = IMAGE_FOLDERS | MASK_FOLDERS


def masks_of_objects(pictures: Sequence[str], masks: Sequence[str]) -> dict[int, list[int]] | None:
    """The masks of each picture, by numbers, where folders alone tell: that of the masks is named like a picture, or
    holds one picture only. None where most masks belong to none so, or some to one of their own name."""
    if not masks or any(match(pictures, masks, FOLDERS, IMAGE_ENDS, MASK_ENDS)):
        return None
    owners: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(pictures):
        own = key(name, FOLDERS, IMAGE_ENDS)
        owners[own].append(i)
        owners[posixpath.dirname(own)].append(i)
    found: dict[int, list[int]] = defaultdict(list)
    for k, name in enumerate(masks):
        owner = owners.get(posixpath.dirname(key(name, FOLDERS)), [])
        if len(owner) == 1:
            found[owner[0]].append(k)
    return dict(found) if 2 * sum(map(len, found.values())) > len(masks) else None


def open_per_object(name: str, pictures: Stored, masks: Stored, wishes: Wishes) -> Annotated:
    """The pictures with their objects, all of one class. Raises UserError where the masks belong to no picture."""
    found = masks_of_objects(pictures.source.names, masks.source.names)
    if found is None:
        raise UserError(
            f"{name}: its masks (such as {masks.source.names[0]}) belong to no picture by their folders: give the "
            f"folder of pictures with {wishes.asks_images}."
        )
    notes = Notes()
    given = class_list(wishes.classes, [])
    if given is not None and len(given.names) != 1:
        raise UserError(f"{name} has a mask for each object and no classes, and {given.where} names several: name one.")
    classes = list(given.names) if given else [ONE]
    notes.say(f'Each mask is an object of class "{classes[0]}": its pixels above half of the mask\'s largest value.')
    order = [k for own in found.values() for k in own]
    read = dict(zip(order, in_threads(lambda k: _mark(masks.source, k), order), strict=True))
    for k, why in read.items():
        if why is None:
            notes.add("masks without an object, left out", masks.source.names[k])
        elif isinstance(why, str):
            notes.add("masks that cannot be read, left out", f"{masks.source.names[k]}, {why}")
    sheets = []
    for row in range(len(pictures.source)):
        marks = [mark for k in found.get(row, []) if isinstance(mark := read[k], Mark)]
        sizes = {tuple(mark.segmentation["size"]) for mark in marks}
        if len(sizes) > 1:
            raise UserError(f"{name}: masks of {pictures.source.names[row]} have several sizes ({listed(sizes)}).")
        sheets.append(Sheet(row, next(iter(sizes), None), marks))
    rest = [k for k in range(len(masks.source)) if k not in read]
    notes.add("masks without a picture, left out", masks.source.names[rest[0]] if rest else "", len(rest))
    stamp = [pictures.source.fingerprint(), masks.source.fingerprint()]
    return Annotated(name, pictures.source, sheets, classes, notes, wishes, usual="xywh", stamp=stamp)


def _mark(masks: Source, k: int) -> Mark | str | None:
    """The object that a mask shows, None where it shows none, or why it cannot be read."""
    try:
        values = read_sheet(masks.fetch(k)).values
    except DecodeError as error:
        return error.reason
    if not values.any():
        return None
    return Mark(None, 0, masks.names[k], segmentation=_runs(2 * values > values.max()))


def _runs(mask: np.ndarray) -> dict[str, Any]:
    """A mask as COCO writes it: lengths of runs down the columns, zeros first."""
    flat = mask.T.ravel()
    ends = [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), flat.size]
    lengths = np.diff(ends).tolist()
    return {"size": list(mask.shape), "counts": [0, *lengths] if flat[0] else lengths}
