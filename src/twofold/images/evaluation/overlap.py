"""Images that are both to be learned from and to be tested on, by their bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from twofold.images.evaluation.splits import Split
from twofold.images.reading import DecodeError

MOST = 100_000  # images read of each side
FEW = 1000  # of the tested ones where there are more, or they are far away


@dataclass(frozen=True)
class Overlap:
    """count: of the `looked` images to test on, out of `total`, those that are also to be learned from; first: the name
    of one. whole: whether all images to learn from were looked at."""

    count: int
    looked: int
    total: int
    first: str
    whole: bool

    def describe(self) -> str:
        """A sentence, or "" where nothing is in both."""
        if not self.count:
            return ""
        least = "" if self.whole else "At least "
        looked = f" ({self.looked:,} were looked at)" if self.looked < self.total else ""
        return (
            f"{least}{self.count:,} of the {self.total:,} images to test on{looked} are also among those to learn "
            f"from, byte for byte (such as {self.first}): what they answer is remembered, not recognised."
        )


def overlap(train: Split, test: Split) -> Overlap:
    """The images of `test` whose bytes (or pixels, of arrays) are among those of `train`.

    Where sizes are known, only images of equal size are read; of large sets and of those far away a part.
    """
    far = any("://" in split.images.source.path for split in (train, test))
    asked = _some(test.indices, FEW if far or len(train) + len(test) > MOST else MOST)
    ours, theirs = train.images.source, test.images.source
    sizes = {theirs.size(i) for i in asked}
    fitting = [i for i in train.indices.tolist() if _may_be(ours.size(i), sizes)]
    read = _some(torch.tensor(fitting, dtype=torch.int64), MOST)
    known = {ours.size(i) for i in read}
    seen = set(_digests(train, read)) - {None}
    also = [i for i in asked if _may_be(theirs.size(i), known)]
    found = [i for i, mark in zip(also, _digests(test, also), strict=True) if mark in seen]
    first = theirs.names[found[0]] if found else ""
    return Overlap(len(found), len(asked), len(test), first, len(read) == len(fitting))


def _may_be(size: int | None, sizes: set[int | None]) -> bool:
    return bool(sizes) and (size is None or None in sizes or size in sizes)


def _some(indices: Tensor, most: int) -> list[int]:
    """At most so many of them, spread evenly."""
    if len(indices) > most:
        indices = indices[np.linspace(0, len(indices) - 1, most).astype(np.int64)]
    return indices.tolist()


def _digests(split: Split, indices: Sequence[int]) -> list[bytes | None]:
    """A digest of each image, None where it cannot be read."""
    source = split.images.source

    def digest(i: int) -> bytes | None:
        try:
            data = source.fetch(i)
        except DecodeError:
            return None
        plain = data if isinstance(data, bytes) else repr(data.shape).encode() + data.tobytes()
        return hashlib.blake2b(plain, digest_size=16).digest()

    with ThreadPoolExecutor(split.images.workers) as threads:
        return list(threads.map(digest, indices))
