"""Which members of a tar file belong together: an image and what stands beside it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from twofold.pixels.reading.words import extension

NUMBER = re.compile(r"\.[0-9._-]*[0-9]")  # between the first dot and the last of photo.2021.1.jpg


class Named(Protocol):
    """A file in a shard."""

    @property
    def name(self) -> str:
        """Its name, with folders."""

    @property
    def shard(self) -> int:
        """The number of its shard."""


M = TypeVar("M", bound=Named)


@dataclass
class Sample(Generic[M]):
    """An image with the files beside it by their last extension. name: where samples have such files, without what
    comes after the first dot, else in full. further: other images of the sample, which are not read."""

    image: M
    name: str
    beside: dict[str, M] = field(default_factory=dict)
    further: int = 0


def gather(images: Sequence[M], others: Sequence[M]) -> list[Sample[M]]:
    """The samples among the members of shards, in order.

    A file that is no image makes a sample of the images that share its shard and its name up to the first dot: the one
    with the shortest extension is read. Where such files belong to one of these images each, by the whole name without
    the last extension, as in photo.1.jpg and photo.1.json, each image is a sample; so it is where the images are only
    numbered, as in photo.1.jpg and photo.2.jpg, and then the file belongs to all.
    """
    groups: dict[tuple[int, str], tuple[list[M], list[M]]] = defaultdict(lambda: ([], []))
    for image in images:
        groups[image.shard, _key(image.name)][0].append(image)
    for other in others:
        if (other.shard, _key(other.name)) in groups:
            groups[other.shard, _key(other.name)][1].append(other)
    convention = any(beside for _, beside in groups.values())
    samples = [sample for own, beside in groups.values() for sample in _samples(own, beside, convention)]
    order = {id(image): i for i, image in enumerate(images)}
    return sorted(samples, key=lambda sample: order[id(sample.image)])


def _samples(images: list[M], others: list[M], convention: bool) -> list[Sample[M]]:
    """The samples among the images and other files of one name up to the first dot. convention: whether any image of
    the shards has such files."""
    key = _key(images[0].name)
    if not others:
        return [Sample(image, key if convention and len(images) == 1 else image.name) for image in images]
    stems = {_stem(other.name) for other in others}
    if any(_stem(image.name) in stems - {key} for image in images):
        beside: dict[str, dict[str, M]] = defaultdict(dict)
        for other in others:
            beside[_stem(other.name)].setdefault(extension(other.name), other)
        return [Sample(image, _stem(image.name), beside[_stem(image.name)]) for image in images]
    shared = {extension(other.name): other for other in sorted(others, key=lambda m: -len(m.name))}
    if len(images) > 1 and all(NUMBER.fullmatch(_stem(image.name).removeprefix(key)) for image in images):
        return [Sample(image, _stem(image.name), shared) for image in images]
    best = min(images, key=lambda image: (len(image.name), image.name))
    return [Sample(best, key, shared, len(images) - 1)]


def _key(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    return folder + slash + base.split(".", 1)[0]


def _stem(name: str) -> str:
    """The name without its last extension."""
    ending = extension(name)
    return name[: len(name) - len(ending)] if ending else name
