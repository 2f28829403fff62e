"""A linear classifier of true boxes, each pooled from the frozen map: a fast stand-in for detection (SCRL's idea)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.evaluation.accuracy import majority_class
from twofold.evaluation.linear import linear_probe
from twofold.images.dense.grid import Grid
from twofold.images.dense.maps import MapSet
from twofold.runs.screen import OnProgress


@dataclass(frozen=True)
class RoiLinear:
    """scores: {"top1", "top5" beyond 5 classes, "balanced" where classes are unequal}, 0..1, on the test boxes.
    majority: the same of the largest class as the answer to all. boxes: learned from, and tested on."""

    scores: dict[str, float]
    majority: dict[str, float]
    boxes: tuple[int, int]


def roi_linear(train: MapSet, test: MapSet, *, seed: int = 0, on_progress: OnProgress | None = None) -> RoiLinear:
    """RoIAlign (one bin) of every true box but crowds on the map, standardised by the training boxes, then
    `evaluation.linear_probe`. Raises UserError where a side has no boxes, or the training side one class only."""
    total = len(train) + len(test)

    def tell(done: int) -> None:
        if on_progress:
            on_progress(done, total)

    learned, labels = box_features(train, lambda done, _: tell(done))
    asked, truth = box_features(test, lambda done, _: tell(len(train) + done))
    for maps, found in ((train, labels), (test, truth)):
        if not len(found):
            raise UserError(f"{maps.data.name} has no boxes to classify: roi-linear needs some.")
    if len(labels.unique()) < 2:
        raise UserError(f"The boxes of {train.data.name} are of one class only: roi-linear needs at least two.")
    mean, std = learned.mean(0), learned.std(0, unbiased=False).clamp(min=1e-6)
    classes = len(train.data.classes)
    scores = linear_probe((learned - mean) / std, labels, (asked - mean) / std, truth, classes, seed)
    return RoiLinear(scores, majority_class(labels, truth, classes), (len(labels), len(truth)))


def box_features(maps: MapSet, on_progress: OnProgress | None = None) -> tuple[Tensor, Tensor]:
    """(vectors, classes) of all boxes but crowds: float32 (n, C), int64 (n,), on the CPU."""
    vectors, classes = [], [torch.zeros(0, dtype=torch.int64)]
    for done, made in enumerate(maps.stream(range(len(maps))), 1):
        instances = maps.data.instances(made.number)
        keep = ~instances.crowd
        if keep.any():
            vectors.append(roi_means(made.map, made.grid, instances.boxes[keep]).cpu())
            classes.append(instances.classes[keep])
        if on_progress:
            on_progress(done, len(maps))
    return torch.cat(vectors) if vectors else torch.zeros(0, 1), torch.cat(classes)


def roi_means(cells: Tensor, grid: Grid, boxes: Tensor) -> Tensor:
    """RoIAlign with one bin: float32 (n, C) of a map (C, rows, columns) at boxes (n, 4) in source pixels, where a pixel
    covers [x, x + 1). Samples as many points as the box has cells, rounded up, each way."""
    from torchvision.ops import roi_align

    x, y = grid.across.cell_of(boxes[:, 0::2].double() - 0.5), grid.down.cell_of(boxes[:, 1::2].double() - 0.5)
    placed = torch.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], 1) + 0.5  # "aligned" takes half a cell away again
    return roi_align(cells[None], [placed.to(cells)], output_size=1, aligned=True).flatten(1)
