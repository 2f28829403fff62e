"""What videos there are: each in one record with its label, source and fold, so that nothing goes out of step."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import BinaryIO, cast

import numpy as np

from twofold.errors import UserError
from twofold.pixels.reading.identity import content_digest, wherever
from twofold.pixels.reading.places import Place
from twofold.pixels.reading.words import count_list, digest, some_of

TEST_SHARE = 5  # every fifth, where the data say nothing


@dataclass(frozen=True)
class Item:
    """A video. name: as messages and results call it. place: the file that it is, or the tar file that it lies in, from
    byte `offset` on for `size` bytes. label: -1 for none. group: the video that it was cut from, where that is known;
    videos of one group never part. fold: of a cross validation. part: train, valid, test or ""."""

    name: str
    place: Place
    offset: int = 0
    size: int | None = None
    label: int = -1
    group: str = ""
    fold: int | None = None
    part: str = ""


class Slice(io.RawIOBase):
    """Some bytes of an open file as a file of their own, as PyAV reads it."""

    def __init__(self, file: BinaryIO, offset: int, size: int) -> None:
        self.file, self.offset, self.size, self.at = file, offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = max(0, offset + {0: 0, 1: self.at, 2: self.size}[whence])
        return self.at

    def tell(self) -> int:
        return self.at

    def read(self, count: int = -1) -> bytes:
        left = max(self.size - self.at, 0)
        self.file.seek(self.offset + self.at)
        found = self.file.read(left if count is None or count < 0 else min(count, left))
        self.at += len(found)
        return found

    def close(self) -> None:
        self.file.close()
        super().close()


@dataclass(frozen=True)
class VideoSource:
    """Videos by number, not yet opened. skipped: what was passed over, by its ending or by cause, counted. notes: what
    was guessed about the data, a sentence each."""

    path: str
    items: tuple[Item, ...]
    classes: list[str] | None = None
    skipped: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def names(self) -> Sequence[str]:
        """The name of each video."""
        return [item.name for item in self.items]

    @cached_property
    def labels(self) -> np.ndarray:
        """int64 (n,), -1 for none."""
        return np.array([item.label for item in self.items], np.int64)

    def file(self, i: int) -> str | BinaryIO:
        """Video `i` as PyAV opens it: a path, or a seekable file that reads no more than it is asked for. Raises
        OSError."""
        item = self.items[i]
        return item.place.path if item.size is None and item.place.fs is None else self.opened(i)

    def opened(self, i: int) -> BinaryIO:
        """Video `i` as a seekable file that reads no more than it is asked for. Raises OSError."""
        item = self.items[i]
        file = item.place.open()
        return file if item.size is None else cast(BinaryIO, Slice(file, item.offset, item.size))

    def take(self, rows: Sequence[int]) -> VideoSource:
        """Some of the videos."""
        return replace(self, items=tuple(self.items[i] for i in rows))

    def class_count(self) -> int:
        """How many classes occur."""
        return len(np.unique(self.labels[self.labels >= 0]))

    def class_names(self) -> list[str]:
        """The names of the classes that occur."""
        return [(self.classes or [])[k] for k in np.unique(self.labels[self.labels >= 0])]

    def fingerprint(self) -> str:
        """A digest of names, labels, sizes and pieces of the bytes, wherever they lie."""
        names = wherever(self.names)
        sizes = [self.size(i) for i in range(len(self))]
        labels = (f"{item.label} {item.group}" for item in self.items)
        return content_digest(names, sizes, self.piece, labels)

    def stamp(self) -> str:
        """A digest of names, sizes and times of change."""
        return digest(part for i, name in enumerate(self.names) for part in (name, *self.stamps[i]))

    def describe(self) -> str:
        """One line: where, how many, of what classes, what was passed over."""
        text, classes = f"{self.path}: {len(self):,} video{'' if len(self) == 1 else 's'}", self.class_count()
        if classes:
            text += f", {classes} class{'' if classes == 1 else 'es'} ({some_of(self.class_names())})"
        bare = int((self.labels < 0).sum()) if classes else 0
        text += f", {bare:,} without a label" if bare else ""
        groups = {item.group for item in self.items if item.group}
        text += f", cut from {len(groups):,} sources" if 1 < len(groups) < len(self) else ""
        return text + (f"; passed over: {count_list(self.skipped)}" if self.skipped else "")

    @cached_property
    def stamps(self) -> list[tuple[int, str]]:
        """Size and time of change of the file that each video is, or lies in."""
        known: dict[str, tuple[int, str]] = {}
        for item in self.items:
            if item.place.path not in known:
                try:
                    known[item.place.path] = item.place.stamp()
                except OSError:  # it has gone
                    known[item.place.path] = (0, "")
        return [known[item.place.path] for item in self.items]

    def size(self, i: int) -> int:
        """The bytes of video `i`."""
        size = self.items[i].size
        return self.stamps[i][0] if size is None else size

    def piece(self, file: int, start: int, size: int) -> bytes:
        """Some bytes of a video. Raises OSError or DecodeError."""
        item = self.items[file]
        return item.place.read_range(item.offset + start, size)


def split_by_group(
    source: VideoSource, seed: int, same: Mapping[int, str] | None = None
) -> tuple[list[int], list[int]]:
    """Rows to learn from and, about a fifth, to test on: whole groups at a time, class by class where there are any.

    same: marks of rows that are copies of one another, and stay together. Raises UserError where all labelled videos
    are of one group.
    """
    groups: dict[str, list[int]] = {}
    for i, item in enumerate(source.items):
        groups.setdefault(item.group or f"\0{(same or {}).get(i, i)}", []).append(i)
    by_class: dict[int, list[str]] = {}
    for group, rows in groups.items():
        label = Counter(source.items[i].label for i in rows).most_common(1)[0][0]
        by_class.setdefault(label, []).append(group)
    test: list[int] = []
    for label, names in sorted(by_class.items()):
        order = np.random.default_rng([seed, label + 1]).permutation(len(names))
        wanted, have = sum(len(groups[n]) for n in names) / TEST_SHARE, 0
        for k in order[: max(len(names) - 1, 0)]:
            if have >= wanted:
                break
            test += groups[names[k]]
            have += len(groups[names[k]])
    if not test:
        raise UserError(f"{source.path} cannot be split into videos to learn from and to test on: give --test.")
    return sorted(set(range(len(source))) - set(test)), sorted(test)
