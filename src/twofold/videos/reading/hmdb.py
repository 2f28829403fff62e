"""HMDB51's split files: one for each class and split, CLASS_test_split1.txt, of lines NAME 0, 1 or 2."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from twofold.errors import UserError
from twofold.pixels.reading.places import Place, place
from twofold.pixels.reading.wanted import Wanted
from twofold.videos.reading.lists import MOST_BYTES
from twofold.videos.reading.locating import located
from twofold.videos.reading.source import Item, VideoSource

SPLIT = re.compile(r"(?P<name>.+)_test_split(?P<number>\d+)\.txt", re.IGNORECASE)
TRAIN, TEST = "1", "2"
PARTS = {TRAIN: "train", TEST: "test"}


def read_splits(path: str, where: Place, videos: str | None, wanted: Wanted) -> VideoSource:
    """The videos of one split of all classes, of which `where` is the file of one class: those to learn from or to test
    on, as `wanted` says. videos: the folder that they lie in. Raises UserError where none is there."""
    number = _matched(where.name)["number"]
    beside = sorted(name for name in where.parent().children() if SPLIT.fullmatch(name))
    files = [name for name in beside if _matched(name)["number"] == number]
    classes = [_matched(name)["name"] for name in files]
    part = wanted.part or wanted.role
    flags = {TRAIN, TEST} if part in ("all", "none") else {TRAIN} if part == "train" else {TEST}
    skipped: Counter[str] = Counter()
    items: list[Item] = []
    root = place(videos) if videos else where.parent()
    for label, name in enumerate(files):
        for line in where.parent().join(name).read(MOST_BYTES).decode("utf-8", "replace").splitlines():
            video, _, flag = line.strip().rpartition(" ")
            if not video:
                continue
            if flag in flags:
                own = f"{classes[label]}/{video.strip()}"
                inner = own if root.join(own).is_file() else video.strip()
                items.append(Item(inner, Place(""), label=label, part=PARTS[flag]))
            else:
                skipped["of the other part" if flag in (TRAIN, TEST) else f"of neither part in split {number}"] += 1
    found, absent = located(items, root)
    if not found:
        first = items[0].name if items else "nothing"
        raise UserError(f"{path} names no video that lies in {root} (first {first}): say by --videos where they are.")
    skipped.update(absent)
    note = f"{path}: split {number} of {len(files)} classes, by the files of that number beside it."
    kept = tuple(replace(item, label=items[i].label) for i, item in found)
    return VideoSource(path, kept, classes, dict(+skipped), (note,))


def _matched(name: str) -> re.Match[str]:
    found = SPLIT.fullmatch(name)
    assert found is not None
    return found
