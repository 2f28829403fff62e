"""SCRL: Spatially Consistent Representation Learning (Roh et al., CVPR 2021, 2103.06122)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from twofold.errors import UserError, above_zero, between_0_and_1
from twofold.methods.addition import Addition
from twofold.methods.cells import grid_of, map_width, take_stage
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Branch, Look, Pass, precise
from twofold.methods.regions import Regions, Rules, drawn_from, region_pairs
from twofold.nets.features import Grid, width_of
from twofold.processes import total, world
from twofold.seam import Progress, Situation, Term


class SCRL(Addition):
    """The base predicts, in the place of whole views, boxes that cover the same part of an image in both views.

    Args:
        boxes: Number of pairs of boxes an image.
        least: Least side of a box in pixels of the view; one cell of the map where 0.
        mode: Where boxes are drawn: in a cell of a random "grid", which favours a spread of sizes, or at "random".
        overlap: Intersection over union from which a box is too like another one of its image; 1 allows any.
        jitter: Share of its size by which the second view's box is moved and stretched at most.
        feature_stage: Stage of a ResNet, 1 to 4, on whose map boxes are pooled, with a projector of its own; the last
            map, and the base's projector, where 0.
    """

    def __init__(
        self,
        *,
        boxes: int = 10,
        least: int = 0,
        mode: Literal["grid", "random"] = "grid",
        overlap: float = 0.5,
        jitter: float = 0.0,
        feature_stage: int = 0,
    ) -> None:
        super().__init__()
        above_zero(boxes=boxes)
        between_0_and_1(overlap=overlap, jitter=jitter)
        if min(least, feature_stage) < 0:
            raise UserError(f"scrl's least and feature_stage count from 0, not {min(least, feature_stage)}.")
        self.feature_stage = feature_stage
        self.rules = Rules(boxes, least, mode == "grid", overlap, jitter)

    def join(self, method: JointEmbedding) -> None:
        name, predictor = type(method).__name__, method.student.predictor
        if method.contrast != "none" or predictor is None:
            raise UserError(f"scrl predicts regions without negatives, and {name} does not predict; use byol+scrl.")
        take_stage(method, self.feature_stage)
        width = map_width(method.backbone, "scrl")
        if width != width_of(method.backbone) and not self.feature_stage:
            raise UserError("scrl needs a map as wide as the pooled feature, which this backbone lacks; use a ResNet.")
        self.grid = grid_of(method.backbone)
        if min(self.grid.rows, self.grid.columns) < 3:
            raise UserError(
                f"scrl draws boxes on a map of at least 3 x 3 cells, and this one has {self.grid.rows} x "
                f"{self.grid.columns}: give a larger --image-size, or a --stem that shrinks less, or with a ResNet "
                f"--method.scrl.feature_stage 3."
            )
        self.rules = replace(self.rules, least=self.rules.least or self.grid.stride)
        teacher = cast(Branch, method.teacher if method.momentum_teacher else method.student)
        projectors = [method.student.projector, teacher.projector]
        if width != width_of(method.backbone):
            self.projector = of_width(method.student.projector, width)
            self.twin = method.twin(self.projector)
            projectors = [self.projector, self.twin]
        # The base's own modules, in a list so that they are no parts of this one.
        self.heads = [nn.Sequential(projectors[0], predictor), projectors[1]]

    def base_scale(self, progress: Progress) -> float:
        return 0.0

    def terms(self, record: Pass) -> dict[str, Term]:
        regions = self.regions(record)
        own = torch.tensor(float(len(regions.image)), device=record.shown[0].device)
        count = total(own)
        record.kept["scrl_boxes"] = count / (self.rules.boxes * len(record.views.index) * world())
        if not count:
            return {"scrl": Term(1.0, record.student[0].row.sum() * 0)}
        predictions = self.rows(self.heads[0], record, record.student, regions)
        with torch.no_grad():
            targets = self.rows(self.heads[1], record, record.teacher, regions)
        losses = [record.compare(predictions[i], targets[j]).sum() for i, j in record.directions]
        # Processes may have different numbers of pairs, and data parallelism takes the mean over processes.
        return {"scrl": Term(1.0, record.combine(losses) * world() / count)}

    def check(self, situation: Situation) -> None:
        if not situation.geometry:
            raise UserError(
                "scrl needs to know where its views were cut from their pictures, and callables do not say: give a "
                "name or a recipe as views."
            )

    def regions(self, record: Pass) -> Regions:
        """The pairs of boxes of this step; UserError where the views were not cut from pictures."""
        if len(record.views.geometry) < 2:
            raise UserError(
                "scrl needs to know where its views were cut from their pictures, and these views do not say."
            )
        first, second = (geometry.to("cpu") for geometry in record.views.geometry[:2])
        draws = drawn_from(record.progress, record.views.index.cpu())
        return region_pairs(first, second, record.shown[0].shape[-1], self.rules, draws)

    def rows(self, head: nn.Module, record: Pass, looks: Mapping[int, Look], regions: Regions) -> tuple[Tensor, ...]:
        """What a head makes of the boxes of the first and the second view, (R, D) each, in one pass."""
        boxes = (regions.first, regions.second)
        pooled = [pool(cast(Tensor, looks[v].map), regions.image, box, self.grid) for v, box in enumerate(boxes)]
        with record.networks():
            made = head(torch.cat(pooled))
        return precise(made).chunk(2)

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """scrl_boxes: share of the pairs of boxes that were found; images whose views share too little have none."""
        return {"scrl_boxes": record.kept["scrl_boxes"]}

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        if row.get("scrl_boxes", 1.0) >= 0.25:
            return []
        return [
            "scrl finds boxes for less than a quarter of the images, as views share too little at this size: "
            "give a larger --image-size, or views of larger crops."
        ]


def of_width(projector: nn.Module, width: int) -> nn.Module:
    """A projector of the same layers for rows of another width, with new weights."""
    made = cast(nn.Sequential, copy.deepcopy(projector))
    first = cast(nn.Linear, made[0])
    made[0] = nn.Linear(width, first.out_features, bias=first.bias is not None)
    for layer in list(made)[1:]:
        reset = getattr(layer, "reset_parameters", None)
        if callable(reset):
            reset()
    return made


def pool(map: Tensor, image: Tensor, boxes: Tensor, grid: Grid) -> Tensor:
    """The mean of a map over boxes (RoIAlign to one cell). map: (B, C, h, w); image: (R,); boxes: (R, 4) px -> (R, C).

    Without the shift by half a cell where cell i is centred on pixel stride * i, as in the authors' code for ResNets;
    with it where cells are patches.
    """
    map = precise(map)
    rois = torch.cat([image[:, None].double(), boxes], 1).to(map)
    return roi_align(map, rois, 1, 1 / grid.stride, sampling_ratio=-1, aligned=grid.patches).flatten(1)
