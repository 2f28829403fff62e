"""Test pictures that have a near copy among the training pictures, and splits that keep such copies on one side."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from twofold.errors import UserError
from twofold.images.labels.pictures import in_threads
from twofold.images.labels.records import Labelled
from twofold.randomness import generator

Hashes = NDArray[np.uint64]
SIDE = 32  # pixels of the grey picture whose lowest 8 x 8 frequencies are hashed
NEAR = 8  # of 64 bits, for two pictures of any names: one of 2 million pairs of unlike photographs comes so near
NEAR_FRAMES = 12  # for two frames of one sequence, by their names: of frames far apart one in a thousand differs in 14
MINUTE = 2000  # frames: names that are numbers alone and lie farther apart are photographs of a collection
PAIRS = 2**18  # of pictures that are compared at once: 2 MB of hashes, which stay in the cache
COPIES = re.compile(r"(_(?:jpe?g|png|webp|bmp|tiff?))?[._]rf[._][0-9a-z]{6,}$", re.IGNORECASE)
FRAME = re.compile(r"[ _.-]*\d+$")


@dataclass(frozen=True)
class Leak:
    """How many of the test pictures have a near copy among the training pictures. such_as: (test, training) names."""

    copies: int
    test: int
    train: int
    such_as: tuple[str, str] | None

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.copies / self.test if self.test else 0.0

    def sentence(self) -> str:
        """The line that stands under the numbers of every dense protocol."""
        if not self.copies or self.such_as is None:
            return f"None of {self.test:,} test images has a near copy among {self.train:,} training images."
        return (
            f"{self.copies:,} of {self.test:,} test images ({self.share:.0%}) have a near copy among {self.train:,} "
            f"training images, such as {self.such_as[0]} of {self.such_as[1]}: the numbers measure memory as well."
        )


def near_copies(train: Labelled, test: Labelled) -> Leak:
    """Compare every test picture with all training pictures by a 64-bit perceptual hash and by their names.

    A near copy differs in at most 8 bits, as it is or mirrored, or in at most 12 where both names are of one sequence
    of frames (of names that are numbers alone, those of about a minute); copies that an export has augmented
    (name.rf.HASH) are known by their names. Raises UserError for pictures that cannot be read.
    """
    theirs, (ours, mirrored) = hashes(train)[0], hashes(test)
    by_base: dict[str, int] = {}
    for k, name in enumerate(train.names):
        if (base := _base(name)) is not None:
            by_base.setdefault(base, k)
    sequences = _frames(train.names, test.names)
    copies, such_as = 0, None
    for rows in _chunks(len(ours), len(theirs)):
        bits = np.minimum(distances(ours[rows], theirs), distances(mirrored[rows], theirs))
        limit = np.where(_in_sequence(sequences[1], sequences[0], rows), NEAR_FRAMES, NEAR)
        margin = bits.astype(np.int64) - limit
        for k, row in enumerate(margin):
            name = test.names[rows.start + k]
            nearest = by_base.get(_base(name) or "")
            if nearest is None and row.min() <= 0:
                nearest = int(row.argmin())
            if nearest is not None:
                copies += 1
                such_as = such_as or (name, train.names[nearest])
    return Leak(copies, len(test), len(train), such_as)


def hold_out(data: Labelled, share: float = 0.2, seed: int = 0) -> tuple[Labelled, Labelled]:
    """(train, test): about a share of the pictures held out, near copies and frames that resemble each other always on
    one side. Raises UserError where all pictures hang together."""
    groups = groups_of(data)
    order = torch.randperm(len(groups), generator=generator(seed, "groups", len(data))).tolist()
    if len(groups) < 2:
        raise UserError(
            f"{data.name}: all {len(data):,} pictures hang together by near copies, so none can be held out: give "
            f"others to test on, by --test."
        )
    wanted = max(1, round(share * len(data)))
    test: list[int] = []
    for k in order:
        left = len(data) - len(test) - len(groups[k])
        if left > 0 and len(test) + len(groups[k]) <= max(wanted, 1) + len(groups[k]) // 2 and len(test) < wanted:
            test += groups[k]
    if not test:
        test = sorted(groups, key=len)[0]
    held = set(test)
    return data.select([i for i in range(len(data)) if i not in held]), data.select(sorted(held))


def groups_of(data: Labelled) -> list[list[int]]:
    """The pictures in groups that hang together by near copies."""
    parent = list(range(len(data)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    marks, mirrored = hashes(data)
    first: dict[str, int] = {}
    for i, name in enumerate(data.names):
        if (base := _base(name)) is not None:
            parent[root(i)] = root(first.setdefault(base, i))
    frames = _frames(data.names)[0]
    for rows in _chunks(len(marks), len(marks)):
        bits = np.minimum(distances(marks[rows], marks), distances(mirrored[rows], marks))
        same = _in_sequence(frames, frames, rows)
        for i, j in np.argwhere(bits <= np.where(same, NEAR_FRAMES, NEAR)).tolist():
            parent[root(rows.start + i)] = root(j)
    groups: dict[int, list[int]] = defaultdict(list)
    for i in range(len(data)):
        groups[root(i)].append(i)
    return list(groups.values())


def _chunks(count: int, others: int) -> Iterator[slice]:
    """The rows of a table of so many pictures by others, in parts of about PAIRS."""
    rows = max(PAIRS // max(others, 1), 1)
    return (slice(start, min(start + rows, count)) for start in range(0, count, rows))


def hashes(data: Labelled) -> tuple[Hashes, Hashes]:
    """uint64 (n,), a perceptual hash of each picture, and that of its mirror image."""

    def both(i: int) -> tuple[int, int]:
        picture = data.thumbnail(i, SIDE)
        return hash_of(picture), hash_of(picture.flip(-1))

    found = np.array(in_threads(both, range(len(data))), np.uint64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def hash_of(picture: Tensor) -> int:
    """64 bits of a picture, uint8 (3, H, W): which of the lowest 8 x 8 frequencies of its grey values lie above their
    median. Changes of size, light and compression flip few of them."""
    grey = picture.float().mean(0)[None, None]
    small = F.interpolate(grey, size=(SIDE, SIDE), mode="bilinear", antialias=True)[0, 0].numpy()
    low = (_COSINES @ small @ _COSINES.T).ravel()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


_COSINES = np.cos(np.pi * (np.arange(SIDE) + 0.5) * np.arange(8)[:, None] / SIDE).astype(np.float32)


def distances(one: Hashes, other: Hashes) -> NDArray[np.uint8]:
    """uint8 (n, m): in how many bits hashes differ."""
    differing = one[:, None] ^ other[None, :]
    if hasattr(np, "bitwise_count"):  # numpy 2, and ten times as fast
        return np.bitwise_count(differing)
    parts = differing.view(np.uint16).reshape(len(one), len(other), 4)
    return _BITS[parts].sum(2, dtype=np.uint8)


_BITS = np.array([bin(v).count("1") for v in range(2**16)], np.uint8)


def _base(name: str) -> str | None:
    """The name before an export's mark of a copy, None where it has none."""
    stem = posixpath.splitext(posixpath.basename(name))[0]
    return COPIES.sub("", stem) if COPIES.search(stem) else None


def _sequence(name: str) -> str | None:
    """The folder and name without the number at its end, None where it has no such number."""
    stem = posixpath.splitext(name)[0]
    return FRAME.sub("", stem) if FRAME.search(stem) else None


def _frames(*names: Sequence[str]) -> list[NDArray[np.int64]]:
    """int64 (n, 2) for each: the number of a sequence, shared by its frames, and the frame's number in it where names
    are numbers alone, else 0."""
    number: dict[str, int] = {}
    out, alone = [], -1
    for part in names:
        values = []
        for name in part:
            sequence = _sequence(name)
            if sequence is None:
                alone -= 1
                values.append((alone, 0))
            else:
                stem = posixpath.splitext(posixpath.basename(name))[0]
                place = int(stem[-18:]) if stem.isdecimal() else 0
                values.append((number.setdefault(sequence, len(number)), place))
        out.append(np.array(values, np.int64).reshape(-1, 2))
    return out


def _in_sequence(one: NDArray[np.int64], other: NDArray[np.int64], rows: slice) -> NDArray[np.bool_]:
    """bool (rows, m): whether two pictures are frames of one sequence."""
    same = one[rows, None, 0] == other[None, :, 0]
    return same & (np.abs(one[rows, None, 1] - other[None, :, 1]) <= MINUTE)
