"""DSC: Dense Semantic Contrast for Self-Supervised Visual Representation Learning (Li et al., ACM MM 2021, 2109.07756).

A reconstruction: no code was released, and numbers, weights and formulas below are not the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import UserError, above_zero, between_0_and_1
from twofold.methods.addition import Addition
from twofold.methods.cells import Cells, DenseBranches, at, distances, grid_of, matches
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Look, Pass
from twofold.objectives.clustering import effective_number, spherical_kmeans, supervised_contrast, tied_to_place
from twofold.objectives.contrastive import info_nce_each
from twofold.objectives.prototypes import cross_entropy, sinkhorn
from twofold.processes import gather, rank, total, world
from twofold.seam import Progress, Situation, Term

TEMPERATURE = 0.1  # of the guesses at classes
ANCHORS, KEYS = 1024, 4096  # cells that the supervised contrast takes at most


class DSC(Addition):
    """An addition, reconstructed: cells agree with their neighbours in the other view, and with classes of the batch.

    Args:
        weight: Weight lambda of the neighbours' term; the base's own term gets 1 - lambda.
        neighbours: Number n of the other view's cells, the most similar ones, that each cell is drawn to.
        own_neighbours: Number n' of cells of the same view, as the teacher sees it, that each cell is drawn to.
        radius: Cells of the other view farther away in the picture than this many cells are no neighbours; 0 for any.
        variant: Where classes come from: "pm" maps cells to learned prototypes, shared out alike; "km" finds them by
            k-means in each batch; "km-supcon" contrasts cells of different classes of such a k-means.
        semantic: Weight gamma of the term of the classes.
        classes: Number of classes; 128 where 0, with k-means at most one for 32 cells.
        warmup: Share of the run before there are classes.
        ramp: Share of the run over which gamma then grows from 0.
        grid: Side S of the S x S cells to which maps are pooled; 0 for the map's own cells.
        hidden: Width inside the dense head; the map's where 0.
        feature_stage: Stage of a ResNet, 1 to 4, whose map gives the cells; the last map where 0.
    """

    leaves_out = True  # prototypes of classes wait for the warm-up

    def __init__(
        self,
        *,
        weight: float = 0.5,
        neighbours: int = 3,
        own_neighbours: int = 0,
        radius: float = 0.0,
        variant: Literal["pm", "km", "km-supcon"] = "pm",
        semantic: float = 0.5,
        classes: int = 0,
        warmup: float = 0.1,
        ramp: float = 0.05,
        grid: int = 0,
        hidden: int = 0,
        feature_stage: int = 0,
    ) -> None:
        super().__init__()
        above_zero(neighbours=neighbours)
        between_0_and_1(weight=weight, warmup=warmup, ramp=ramp)
        if (least := min(own_neighbours, radius, semantic, classes, grid, hidden, feature_stage)) < 0:
            raise UserError(
                f"dsc's own_neighbours, radius, semantic, classes, grid, hidden and feature_stage count from 0, not "
                f"{least}."
            )
        self.weight, self.neighbours, self.own_neighbours, self.radius = weight, neighbours, own_neighbours, radius
        self.variant, self.semantic, self.classes = variant, semantic, classes or 128
        self.warmup, self.ramp, self.grid, self.hidden = warmup, ramp, grid, hidden
        self.feature_stage = feature_stage
        self.runs_network = own_neighbours > 0

    def join(self, method: JointEmbedding) -> None:
        self.dense = DenseBranches(method, "dsc", self.grid, self.hidden, self.feature_stage)
        self.cells = grid_of(method.backbone)
        count = self.grid**2 or self.cells.rows * self.cells.columns
        if max(self.neighbours, self.own_neighbours) > count:
            raise UserError(f"dsc's neighbours are at most the {count} cells of the map: give fewer, or a larger map.")
        rows = F.normalize(torch.randn(self.classes, method.dim), dim=1)
        self.prototypes = nn.Parameter(rows) if self.variant == "pm" else None

    def check(self, situation: Situation) -> None:
        if self.radius and not situation.geometry:
            raise UserError(
                "dsc's radius needs to know where views were cut, which callables do not say: leave it at 0."
            )

    def base_scale(self, progress: Progress) -> float:
        return 1 - self.weight

    def semantic_at(self, progress: Progress) -> float:
        """gamma at this moment."""
        age = progress.fraction - self.warmup
        return self.semantic * (0.0 if age < 0 else min(age / self.ramp, 1.0) if self.ramp else 1.0)

    def terms(self, record: Pass) -> dict[str, Term]:
        gamma = self.semantic_at(record.progress)
        near, meant = [], []
        for i, j in record.directions:
            queries, keys = self.dense.student(record, i), self.dense.teacher(record, record.teacher[j])
            record.kept[f"dsc_keys_{j}"] = keys.pooled
            near.append(self.neighbour_loss(record, queries, keys, i, j))
            if gamma:
                meant.append(self.class_loss(record, queries, keys))
        terms = {"dsc": Term(self.weight, record.combine(near))}
        return terms | ({"dsc_classes": Term(gamma, record.combine(meant))} if meant else {})

    def neighbour_loss(self, record: Pass, queries: Cells, keys: Cells, i: int, j: int) -> Tensor:
        """The mean over cells of view i, and over the neighbours of each, of its contrast with the queue."""
        similar = queries.backbone @ keys.backbone.transpose(1, 2)
        if self.radius:
            far = distances(record.views, i, j, self.cells, self.grid) > self.radius
            similar = similar.masked_fill(far.to(similar.device), float("-inf"))
        nearest = similar.topk(self.neighbours, dim=2)
        positives, counted = [_picked(keys.dense, nearest.indices)], [nearest.values.isfinite()]
        if self.own_neighbours:
            own = self.dense.teacher(record, self.again(record, i))
            places = (queries.backbone @ own.backbone.transpose(1, 2)).topk(self.own_neighbours, dim=2).indices
            positives.append(_picked(own.dense, places))
            counted.append(torch.ones_like(places, dtype=torch.bool))
        rows, valid = queries.dense.flatten(0, 1), torch.cat(counted, 2).flatten(0, 1).to(queries.dense.dtype)
        stored = self.dense.negatives(rows)
        losses = info_nce_each(rows, torch.cat(positives, 2).flatten(0, 1), stored, self.dense.temperature)
        each = (losses * valid).sum(1) / valid.sum(1).clamp_min(1)
        # Cells without a neighbour within the radius count for nothing, over all processes.
        present = (valid.sum(1) > 0).to(each.dtype)
        return (each * present).sum() * world() / total(present.sum()).clamp_min(1)

    def again(self, record: Pass, view: int) -> Look:
        """The teacher's look at a view; made where the base did not need it."""
        return record.teacher[view] if view in record.teacher else record.teach(record.views.tensors[view])

    def class_loss(self, record: Pass, queries: Cells, keys: Cells) -> Tensor:
        """How badly cells guess the class of the key cell that they match, on average."""
        everyone = gather(keys.dense.flatten(0, 1))
        found = matches(queries.backbone, keys.backbone)
        own = slice(rank() * found.numel(), (rank() + 1) * found.numel())
        rows = queries.dense.flatten(0, 1)

        def matched(values: Tensor) -> Tensor:
            """Of values (M, ...) of all key cells, those of the cells that the queries match."""
            return at(values[own].reshape(*found.shape, -1), found).flatten(0, 1)

        if self.prototypes is not None:
            codes = sinkhorn(everyone @ self.prototypes.detach().T)
            self.look_at_classes(record, codes.argmax(1), self.classes, found.shape[1])
            guess = (rows @ self.prototypes.to(rows.dtype).T / TEMPERATURE).log_softmax(1)
            return cross_entropy(matched(codes), guess).mean()
        count = max(min(self.classes, len(everyone) // 32), 2)
        centroids, labels = spherical_kmeans(everyone, count, record.progress.generator("dsc"))
        self.look_at_classes(record, labels, count, found.shape[1])
        wanted = matched(labels).squeeze(1)
        if self.variant == "km":
            return F.cross_entropy(rows @ centroids.T / TEMPERATURE, wanted)
        return self.contrast_of_classes(record, rows, wanted, everyone, labels, found.shape[1])

    def contrast_of_classes(
        self, record: Pass, rows: Tensor, wanted: Tensor, everyone: Tensor, labels: Tensor, cells: int
    ) -> Tensor:
        """The supervised contrast of some of all query cells against some key cells; same for any number of processes.

        rows: (N, D), wanted: (N,), of this process. everyone: (M, D), labels: (M,), key cells of all processes.
        """
        offset, device = rank() * len(rows), rows.device
        drawn = record.progress.generator("dsc", "cells")
        anchors, chosen = (torch.randperm(len(everyone), generator=drawn)[:most].to(device) for most in (ANCHORS, KEYS))
        mine = anchors[(anchors >= offset) & (anchors < offset + len(rows))]
        same = wanted[mine - offset][:, None] == labels[chosen]
        elsewhere = (mine // cells)[:, None] != chosen // cells
        positive = same & elsewhere
        losses = supervised_contrast(rows[mine - offset], everyone[chosen], positive, ~same, TEMPERATURE)
        counted = total(positive.any(1).sum().to(losses.dtype))
        return losses.sum() * world() / counted.clamp_min(1)

    @torch.no_grad()
    def look_at_classes(self, record: Pass, labels: Tensor, count: int, cells: int) -> None:
        """Keep, for the log, how many classes are in use and how much of them is position."""
        places = torch.arange(len(labels), device=labels.device) % cells
        record.kept["dsc_used"] = effective_number(labels, count) / count
        record.kept["dsc_position"] = tied_to_place(labels, places, record.progress.generator("dsc", "position"))

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """dsc_used: share of the classes in use. dsc_position: share of the classes' information that is position."""
        return {name: record.kept[name] for name in ("dsc_used", "dsc_position") if name in record.kept}

    @torch.no_grad()
    def finish(self, record: Pass) -> None:
        for view in record.teacher:
            self.dense.enqueue(record.kept[f"dsc_keys_{view}"])
        if self.prototypes is not None:
            self.prototypes.copy_(F.normalize(self.prototypes, dim=1))

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        if row.get("dsc_used", 1.0) >= 1 / 8:
            return []
        return ["dsc uses less than an eighth of its classes: fewer --method.classes, or a later warmup, may help."]


def _picked(keys: Tensor, places: Tensor) -> Tensor:
    """(B, Q, D), int64 (B, P, n) -> (B, P, n, D)."""
    return at(keys, places.flatten(1)).unflatten(1, places.shape[1:])
