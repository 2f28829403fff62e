"""Segmentation by looking up the nearest cells of labelled pictures, without any training ("hummingbird").

Balazevic et al., Towards In-Context Scene Understanding, NeurIPS 2023.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.images.dense.cell_labels import class_counts
from twofold.images.dense.grid import unit
from twofold.images.dense.maps import Mapped, MapSet
from twofold.images.evaluation.features import InputSettings
from twofold.images.evaluation.iou import Confusion, SegmentationScores
from twofold.images.labels.records import IGNORE
from twofold.randomness import generator
from twofold.runs.screen import OnProgress

NEIGHBOURS, TEMPERATURE, BUDGET = 30, 0.02, 100_000
MOST_IGNORED = 0.5  # share of a cell's pixels past which it is not remembered
CHUNK = 2**24  # similarities held at once


@dataclass(frozen=True)
class RetrievalSegmentation:
    """scores: on the test pictures. cells: in the memory. left_out: cells of the training pictures that were ignored
    for more than half, or lie in the padding."""

    scores: SegmentationScores
    cells: int
    left_out: int


class Memory(NamedTuple):
    """Remembered cells: unit vectors (M, C) with soft labels (M, K), rows that sum to 1. left_out: see above.
    places: float64 (M, 3), the number of each cell's training picture, and x and y of its centre there in pixels."""

    vectors: Tensor
    labels: Tensor
    left_out: int
    places: Tensor


OnAnswer = Callable[[Mapped, Tensor, Memory], None]  # a test picture, its answer int64 (H, W), what was looked up


def retrieval_segmentation(
    train: MapSet,
    test: MapSet,
    *,
    seed: int = 0,
    budget: int | None = BUDGET,
    neighbours: int = NEIGHBOURS,
    temperature: float = TEMPERATURE,
    ignored_as_first: bool = False,
    on_progress: OnProgress | None = None,
    on_answer: OnAnswer | None = None,
) -> RetrievalSegmentation:
    """Each cell of a test picture takes the mean of the soft labels of its `neighbours` nearest remembered cells by
    cosine, weighted by softmax(cosine / temperature); the labels are enlarged bilinearly to the mask's size.

    budget: cells to remember, an equal number of each picture (`sampled`); None for all. ignored_as_first: count
    ignored pixels of the memory as class 0, as open-hummingbird-eval does (see also `like_open_hummingbird`).
    on_answer: sees each test picture.
    """
    total = len(train) + len(test)
    memory = remember(train, budget, seed, ignored_as_first=ignored_as_first, on_progress=_from(0, total, on_progress))
    matrix = Confusion(train.data.classes)
    tell = _from(len(train), total, on_progress)
    for done, made in enumerate(test.stream(range(len(test))), 1):
        cells = unit(made.map.flatten(1).T)
        soft = looked_up(cells, memory, neighbours, temperature)
        labels = soft.T.unflatten(1, made.map.shape[1:])
        answer = made.grid.largest(labels)
        matrix.add(test.mask(made.number), answer)
        if on_answer:
            on_answer(made, answer, memory)
        if tell:
            tell(done, total)
    return RetrievalSegmentation(matrix.scores(), len(memory.vectors), memory.left_out)


def remember(
    maps: MapSet,
    budget: int | None,
    seed: int,
    *,
    ignored_as_first: bool = False,
    on_progress: OnProgress | None = None,
) -> Memory:
    """The cells of labelled pictures, at most `budget` in all, with their soft labels. Raises UserError for none."""
    classes = len(maps.data.classes)
    each = None if budget is None else max(budget // max(len(maps), 1), 1)
    vectors, labels, places, left_out = [], [], [], 0
    for done, made in enumerate(maps.stream(range(len(maps))), 1):
        mask = maps.mask(made.number)
        if ignored_as_first:
            mask = torch.where(mask == IGNORE, 0, mask)
        counts = class_counts(mask, made.grid, classes)
        usable = usable_cells(counts)
        left_out += int((~usable).sum())
        chosen = sampled(counts, usable, each, generator(seed, "remembered cells", made.number))
        vectors.append(unit(made.map.flatten(1).T[chosen.to(made.map.device)]))
        labels.append(soft_labels(counts[chosen]))
        number = torch.full((len(chosen), 1), made.number, dtype=torch.float64)
        places.append(torch.cat([number, made.grid.centres()[chosen]], 1))
        if on_progress:
            on_progress(done, len(maps))
    if not sum(len(part) for part in vectors):
        raise UserError(f"{maps.data.name} has no cell of which half is labelled: nothing can be looked up there.")
    return Memory(torch.cat(vectors), torch.cat(labels).to(vectors[0].device), left_out, torch.cat(places))


def usable_cells(counts: Tensor) -> Tensor:
    """bool (cells,): which have pixels at all, at most half of them ignored; counts as `class_counts` gives them."""
    pixels = counts.sum(1)
    return (pixels > 0) & (counts[:, -1] <= MOST_IGNORED * pixels)


def soft_labels(counts: Tensor) -> Tensor:
    """float32 (cells, classes): the share of each class among a cell's labelled pixels."""
    known = counts[:, :-1].double()
    return (known / known.sum(1, keepdim=True).clamp(min=1)).float()


def sampled(counts: Tensor, usable: Tensor, most: int | None, draws: torch.Generator) -> Tensor:
    """int64: the cells of a picture to remember, at most `most`, so that rare classes survive.

    Kept are those with the smallest score, (the sum of the pixels that the classes present in the cell have in the
    whole picture) times a uniform draw.
    """
    rows = usable.nonzero()[:, 0]
    if most is None or len(rows) <= most:
        return rows
    frequency = counts[:, :-1].sum(0).double()
    scores = ((counts[rows, :-1] > 0).double() * frequency).sum(1)
    scores *= torch.rand(len(rows), generator=draws, dtype=torch.float64)
    return rows[scores.topk(most, largest=False).indices.sort().values]


def looked_up(cells: Tensor, memory: Memory, neighbours: int, temperature: float) -> Tensor:
    """float32 (n, K): the labels of unit cells (n, C) by their nearest remembered ones."""
    most = min(neighbours, len(memory.vectors))
    best = cells.new_zeros(len(cells), 0)
    where = torch.zeros(len(cells), 0, dtype=torch.int64, device=cells.device)
    step = max(CHUNK // max(len(cells), 1), most)
    for start in range(0, len(memory.vectors), step):
        cosine = cells @ memory.vectors[start : start + step].T
        found = cosine.topk(min(most, cosine.shape[1]), dim=1)
        best, where = torch.cat([best, found.values], 1), torch.cat([where, found.indices + start], 1)
        kept = best.topk(min(most, best.shape[1]), dim=1).indices
        best, where = best.gather(1, kept), where.gather(1, kept)
    weight = (best / temperature).softmax(1)
    return torch.einsum("nk,nkc->nc", weight, memory.labels[where])


def like_open_hummingbird(inputs: InputSettings) -> InputSettings:
    """The inputs as open-hummingbird-eval normalises them: the deviation of blue is 0.255 there, not 0.225."""
    return replace(inputs, std=(inputs.std[0], inputs.std[1], 0.255))


def _from(first: int, total: int, on_progress: OnProgress | None) -> OnProgress | None:
    if on_progress is None:
        return None
    return lambda done, _: on_progress(first + done, total)
