"""Images in tar shards, by the webdataset convention or as plain archives of folders."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from twofold.errors import UserError, clause
from twofold.images.reading.samples import Sample, gather
from twofold.images.reading.source import DecodeError, Source, is_image
from twofold.images.reading.tar import TarError, entries
from twofold.pixels.reading.labels import labels_from_names, labels_from_values, labels_of_parts
from twofold.pixels.reading.parts import select
from twofold.pixels.reading.places import MOST_IMAGE, Place, digest_of_places
from twofold.pixels.reading.wanted import ANYTHING, Wanted
from twofold.pixels.reading.words import count_list, digest, extension

_WORD, _JSON = 4096, 2**20  # bytes of a .cls file that may be a class, of a .json file that may hold one
_LOOKED_AT = 100  # .json files in which a label is looked for before all are read
LABEL_KEYS = ("label", "labels", "class", "cls")


class Member(NamedTuple):
    """A file in a shard: its name, the shard's number, and where its bytes lie."""

    name: str
    shard: int
    start: int
    size: int


class Shards(Source):
    """Members of tar files. The headers are read once; images are then read by their offset.

    Where members that are no images (.cls, .json, ...) share their name up to the first dot with images, they are one
    sample, by the convention of webdataset: see `samples.gather`. A number or word in .cls, else under "label" in
    .json, is its label. All other images are samples by themselves. Where nothing is labelled so, folders are labels.
    """

    def __init__(
        self, path: str, places: Sequence[Place], wanted: Wanted = ANYTHING, notes: tuple[str, ...] = ()
    ) -> None:
        self.path = path
        self.places = places
        skipped: Counter[str] = Counter()
        members = [m for shard, where in enumerate(places) for m in _members(shard, where, skipped)]
        images = [m for m in members if is_image(m.name)]
        extra = [m for m in members if not is_image(m.name)]
        if not images:
            raise UserError(f"{path} holds no images but {count_list(_extensions(extra)) or 'nothing'}.")
        gathered = gather(images, extra)
        selected = select(path, [sample.image.name for sample in gathered], wanted)
        samples = [gathered[i] for i in selected.rows]
        self._members = [sample.image for sample in samples]
        self.names = [sample.name for sample in samples]
        self._whole = len(samples) == len(gathered)
        self.notes = notes + selected.notes
        words, used = self._words(samples) if wanted.class_level is None else ([], set())
        self.labels, self.classes = labels_from_values(words)
        if ".json" in used and self.labels is not None:
            self.notes += (f"labels are told by the .json files in {path} (by folders instead: --class-level 1)",)
        skipped.update(_extensions(m for m in extra if extension(m.name) not in used))
        if further := sum(sample.further for sample in samples):
            skipped["further images of a sample"] = further
        if self.labels is None and wanted.class_level is not None:
            self.labels, self.classes = labels_from_names(path, [m.name for m in self._members], wanted.class_level)
        elif self.labels is None:
            self.labels, self.classes = labels_of_parts(selected.folders, selected.parts)
            self.folders = selected.folders
        self.skipped = dict(skipped)

    def file_name(self, i: int) -> str:
        """The name of the member."""
        return self._members[i].name

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

    def _words(self, samples: Sequence[Sample[Member]]) -> tuple[list[object], set[str]]:
        """The label of each sample by its .cls or, where some of the first have one there, its .json; and the endings
        of the files that told them."""
        told = [i for i, sample in enumerate(samples) if ".json" in sample.beside and ".cls" not in sample.beside]
        looked = {i: self._in_json(samples[i].beside[".json"]) for i in told[:_LOOKED_AT]}
        in_json = any(value is not None for value in looked.values())
        if in_json:
            looked |= {i: self._in_json(samples[i].beside[".json"]) for i in told[_LOOKED_AT:]}
        words = {i: self._word(sample.beside[".cls"]) for i, sample in enumerate(samples) if ".cls" in sample.beside}
        return [words.get(i, looked.get(i)) for i in range(len(samples))], {".cls", *([".json"] if in_json else [])}

    def _word(self, member: Member) -> int | str | None:
        if member.size > _WORD:
            return None
        text = self._bytes(member).decode("utf-8", "replace").strip()
        return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text or None

    def _in_json(self, member: Member) -> object:
        """What a JSON object holds under "label"."""
        if member.size > _JSON:
            return None
        try:
            found = json.loads(self._bytes(member))
        except (ValueError, RecursionError, DecodeError):
            return None
        value = next((found[key] for key in LABEL_KEYS if key in found), None) if isinstance(found, dict) else None
        return value if isinstance(value, (str, int, float)) and value != "" else None

    def fingerprint(self) -> str:
        """A digest of the shards' names, sizes and pieces of their bytes, and of the names of a part of the images."""
        return digest_of_places(self.places, () if self._whole else self.names)

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


def _extensions(members: Iterator[Member] | Sequence[Member]) -> Counter[str]:
    return Counter(extension(m.name) or "no extension" for m in members)
