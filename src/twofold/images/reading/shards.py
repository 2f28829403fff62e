"""Images in tar shards, by the webdataset convention or as plain archives of folders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from twofold.errors import UserError, clause
from twofold.images.reading.places import MOST_IMAGE, Place, digest_of_places
from twofold.images.reading.source import (
    DecodeError,
    Source,
    count_list,
    digest,
    extension,
    is_image,
    labels_from_folders,
    labels_from_values,
)
from twofold.images.reading.tar import TarError, entries

_WORD = 4096  # bytes of a .cls file that may be a class


class Member(NamedTuple):
    """A file in a shard: its name, the shard's number, and where its bytes lie."""

    name: str
    shard: int
    start: int
    size: int


class Shards(Source):
    """Members of tar files. The headers are read once; images are then read by their offset.

    Where a shard holds other members beside the images (.cls, .json, ...), files that share their name up to the first
    dot are one sample: the image with the shortest extension is read and the number or word in .cls is the label.
    Otherwise each image is a sample and folders are labels.
    """

    def __init__(self, path: str, places: Sequence[Place]) -> None:
        self.path = path
        self.places = places
        skipped: Counter[str] = Counter()
        members = [m for shard, where in enumerate(places) for m in _members(shard, where, skipped)]
        images = [m for m in members if is_image(m.name)]
        extra = [m for m in members if not is_image(m.name)]
        if not images:
            raise UserError(f"{path} holds no images but {count_list(_extensions(extra)) or 'nothing'}.")
        if extra:
            samples: dict[tuple[int, str], Member] = {}
            for m in images:
                best = samples.setdefault((m.shard, _key(m.name)), m)
                if m is not best:
                    skipped["further images of a sample"] += 1
                    samples[m.shard, _key(m.name)] = min(best, m, key=lambda m: (len(m.name), m.name))
            classes = {(m.shard, _key(m.name)): m for m in extra if extension(m.name) == ".cls"}
            skipped.update(_extensions(m for m in extra if extension(m.name) != ".cls"))
            self._members = list(samples.values())
            self.names = [key for _, key in samples]
            words = [self._word(classes[key]) if key in classes else None for key in samples]
            self.labels, self.classes = labels_from_values(words)
        else:
            self._members = images
            self.names = [m.name for m in images]
        if self.labels is None:
            self.labels, self.classes = labels_from_folders([m.name for m in self._members])
        self.skipped = dict(skipped)

    def read(self, i: int) -> bytes:
        """The member's bytes."""
        return self._bytes(self._members[i])

    def size(self, i: int) -> int:
        """Bytes of the member."""
        return self._members[i].size

    def _bytes(self, member: Member) -> bytes:
        if member.size > MOST_IMAGE:
            raise DecodeError(f"has {member.size:,} bytes, more than an image")
        data = self.places[member.shard].read_range(member.start, member.size)
        if len(data) < member.size:
            raise DecodeError(f"{self.places[member.shard]} ends in the middle of it")
        return data

    def _word(self, member: Member) -> int | str | None:
        if member.size > _WORD:
            return None
        text = self._bytes(member).decode("utf-8", "replace").strip()
        return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text or None

    def fingerprint(self) -> str:
        """A digest of the shards' names, sizes and pieces of their bytes."""
        return digest_of_places(self.places)

    def stamp(self) -> str:
        """A digest of the shards' names, sizes and times of change."""
        return digest(part for where in self.places for part in (where.name, *where.stamp()))

    def describe(self) -> str:
        """One line: the shards, samples and classes."""
        shards = f"{len(self.places)} tar shards" if len(self.places) > 1 else "a tar file"
        return f"{self.path}: {len(self):,} images in {shards}{self.tally()}"


def _members(shard: int, where: Place, skipped: Counter[str]) -> Iterator[Member]:
    try:
        with where.open() as file:
            for entry in entries(file, skipped):
                if any(part.startswith(".") and part != "." for part in entry.name.split("/")):
                    skipped["hidden"] += 1
                else:
                    yield Member(entry.name.removeprefix("./"), shard, entry.start, entry.size)
    except TarError as error:
        packed = extension(where.name) in (".gz", ".tgz", ".bz2", ".xz", ".zst")
        cause = (
            "is compressed; unpack it to a plain .tar first" if packed else f"is not a whole tar file ({clause(error)})"
        )
        raise UserError(f"{where} {cause}.") from error


def _key(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    return folder + slash + base.split(".", 1)[0]


def _extensions(members: Iterator[Member] | Sequence[Member]) -> Counter[str]:
    return Counter(extension(m.name) or "no extension" for m in members)
