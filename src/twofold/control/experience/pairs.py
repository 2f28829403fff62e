"""Pairs of moments with the same return, and with another: what RCRL learns to tell apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twofold.control.experience.segments import ReturnSegments

Positions = NDArray[np.int64]
Positives = Literal["segment", "bin", "mix"]
Negatives = Literal["other_return", "other_segment", "other_bin"]

TRIES = 32  # partners that are looked at for each anchor, of which the first that fits is taken
FEWEST = 32  # segments, below which nothing is drawn


@dataclass(frozen=True)
class Pairs:
    """B anchors, each with a step of the same return and one of another; as positions of the index.

    different: bool (B, B), whether the positive of column j certainly has another return than the anchor of row i; what
    is neither on the diagonal nor different is no negative.
    """

    anchor: Positions
    positive: Positions
    negative: Positions
    different: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.anchor)


def draw_pairs(
    index: ReturnSegments,
    count: int,
    rng: np.random.Generator,
    *,
    positives: Positives = "segment",
    negatives: Negatives = "other_return",
    recent: float = 1.0,
) -> Pairs | None:
    """Up to `count` anchors with their partners; None where the index cannot tell returns apart yet.

    positives: of the anchor's segment (RCRL); of its bin, anywhere (Z-learning); or half and half, where negatives are
    half of the same episode. negatives: of a segment with another return, of any other segment, or of another bin; for
    "bin" always of another bin. Anchors are drawn by segment, not by step, so that long stretches without rewards do
    not crowd out the others; for "bin" by step. recent: the share of what is stored, the newest, that is drawn from.
    Anchors without a partner are left out. Drawn from `rng` alone.
    """
    since = index.position - int(recent * min(index.position, index.capacity))
    table = index.table[np.searchsorted(index.table[:, 0], since) :]
    if len(table) < FEWEST if positives != "bin" else not len(index.edges):
        return None
    anchor, positive = _alike(index, table, count, since, rng, positives)
    negative = _negatives(index, table, anchor, since, rng, positives, negatives)
    kept = negative >= 0
    if kept.sum() < 2:
        return None
    anchor, positive, negative = anchor[kept], positive[kept], negative[kept]
    different = _different(index, anchor[:, None], positive[None, :], positives, negatives)
    np.fill_diagonal(different, False)
    if positives != "mix":
        negative = _among(positive, different, negative, rng)
    return Pairs(anchor, positive, negative, different)


def _among(
    positive: Positions, different: NDArray[np.bool_], negative: Positions, rng: np.random.Generator
) -> Positions:
    """For each anchor any of the others' positives that is different, which are drawn like its negative and need not be
    looked at twice; its own negative where none is."""
    chance = rng.random(different.shape) * different
    return np.where(different.any(1), positive[chance.argmax(1)], negative)


def _alike(
    index: ReturnSegments,
    table: NDArray[np.int64],
    count: int,
    since: int,
    rng: np.random.Generator,
    positives: Positives,
) -> tuple[Positions, Positions]:
    """Anchors with their positives; those that found none are left out."""
    by_segment = {"segment": count, "bin": 0, "mix": count // 2}[positives]
    parts = list[tuple[Positions, Positions]]()
    if by_segment:
        parts.append(_of_segments(table, by_segment, rng))
    if by_segment < count:
        parts.append(_of_bins(index, _steps(index, since, rng), count - by_segment))
    anchor, positive = (np.concatenate(half) for half in zip(*parts, strict=True))
    return anchor[positive >= 0], positive[positive >= 0]


def _different(
    index: ReturnSegments, one: Positions, other: Positions, positives: Positives, negatives: Negatives
) -> NDArray[np.bool_]:
    """Whether steps count as different under a choice of negatives."""
    if positives == "bin" or negatives == "other_bin":
        bins, others = index.bin_of(one), index.bin_of(other)
        return (bins >= 0) & (others >= 0) & (bins != others)
    if negatives == "other_segment" and positives == "segment":
        return index.start[index.slot(one)] != index.start[index.slot(other)]
    return index.differ(one, other)


def _negatives(
    index: ReturnSegments,
    table: NDArray[np.int64],
    anchor: Positions,
    since: int,
    rng: np.random.Generator,
    positives: Positives,
    negatives: Negatives,
) -> Positions:
    def fits(one: Positions, other: Positions) -> NDArray[np.bool_]:
        return _different(index, one, other, positives, negatives)

    if positives == "segment" and negatives != "other_bin":
        return _first(anchor, lambda count: _of_segments(table, count, rng)[0], fits)
    far = _first(anchor, _steps(index, since, rng), fits)
    if positives != "mix":
        return far
    hard = _first(anchor, _steps_near(index, anchor, rng), index.differ)
    chosen = rng.random(len(anchor)) < 0.5
    return np.where(chosen & (hard >= 0), hard, far)


def _of_segments(table: NDArray[np.int64], count: int, rng: np.random.Generator) -> tuple[Positions, Positions]:
    """Two distinct steps of one segment, segments being equally likely, `count` times."""
    start, stop = table[rng.integers(len(table), size=count)].T
    length = stop - start
    one = rng.integers(length)
    other = (one + 1 + rng.integers(length - 1)) % length
    return start + one, start + other


def _of_bins(index: ReturnSegments, anywhere: Callable[[int], Positions], count: int) -> tuple[Positions, Positions]:
    """Two distinct steps of one bin, each step that has a bin being equally likely; -1 for what was not found."""
    anchor = _first(np.zeros(count, np.int64), anywhere, lambda _, step: index.bin_of(step) >= 0)
    same = _first(anchor, anywhere, lambda a, b: (index.bin_of(a) == index.bin_of(b)) & (a != b))
    return anchor, np.where(anchor >= 0, same, -1)


def _steps(index: ReturnSegments, since: int, rng: np.random.Generator) -> Callable[[int], Positions]:
    """Steps that are stored, equally likely; those whose return is unknown, too."""
    return lambda count: rng.integers(max(since, index.oldest), index.position, size=count)


def _steps_near(index: ReturnSegments, anchor: Positions, rng: np.random.Generator) -> Callable[[int], Positions]:
    """Steps of the anchors' own episodes, `TRIES` for each anchor in turn."""
    first, stop = index.around(anchor)

    def draw(count: int) -> Positions:
        each = count // len(anchor)
        return rng.integers(np.repeat(first, each), np.repeat(stop, each))

    return draw


def _first(
    anchor: Positions,
    draw: Callable[[int], Positions],
    fits: Callable[[Positions, Positions], NDArray[np.bool_]],
) -> Positions:
    """For each anchor the first of `TRIES` drawn steps that fits it, or -1."""
    drawn = draw(len(anchor) * TRIES).reshape(len(anchor), TRIES)
    good = fits(anchor[:, None], drawn)
    taken = drawn[np.arange(len(anchor)), good.argmax(1)]
    return np.where(good.any(1), taken, -1)
