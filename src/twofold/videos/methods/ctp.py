"""CtP: Unsupervised Visual Representation Learning by Tracking Patches in Video (Wang et al., CVPR 2021,
2105.02545)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import roi_align

from twofold.errors import UserError, above_zero, between_0_and_1
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Branch, Pass, precise
from twofold.nets.features import width_of
from twofold.nets.heads import mlp
from twofold.seam import Term, Views
from twofold.videos.views.patches import SIDE, Patches, Tracks

SPREAD = (0.8, 0.8, 0.04, 0.04)  # what targets are divided by
CELLS = 5  # a side, of what is cut from the map


class CtP(JointEmbedding):
    """Patches of a clip move over it, and from its map and their boxes in the first frame a head tells their boxes in
    all frames, also in those in which a patch is hidden.

    Args:
        patches: Of each clip, 1 to 8.
        visible: How often a patch is seen in a frame but the first and the one that it is cut from.
        hidden: Width of the head's layer between.
        place: Weight of where the boxes' middles are.
        size: Weight of how large they are.
        blend: Whether mixed colours stay "exact" or are cut to whole levels of 255 after each patch ("official").
    """

    directions = ()
    compared_views = 1

    def __init__(
        self,
        backbone: nn.Module,
        *,
        patches: int = 3,
        visible: float = 0.8,
        hidden: int = 512,
        place: float = 1.0,
        size: float = 1.0,
        blend: Literal["exact", "official"] = "exact",
        additions: Sequence[Addition] = (),
    ) -> None:
        above_zero(patches=patches, hidden=hidden)
        between_0_and_1(visible=visible)
        if patches > 8:
            raise UserError(f"ctp follows 1 to 8 patches, not {patches}.")
        if min(place, size) < 0 or not place + size:
            raise UserError("ctp's weights of place and size are at least 0, and not both are 0.")
        if getattr(backbone, "cells", None) is None:
            raise UserError("ctp needs a map over time and space, and this backbone has none: take one like r3d18.")
        super().__init__(Branch(backbone, nn.Identity()), additions)
        self.dim, self.weights = width_of(backbone), {"place": place, "size": size}
        self.pretext = Patches(patches, visible, blend == "official")
        clips = cast(Any, backbone)
        channels, deep, self.frames = int(clips.map_width), int(clips.cells[0]), int(clips.frames)
        self.squeeze = nn.Conv3d(channels, channels, (deep, 1, 1))
        nn.init.kaiming_normal_(self.squeeze.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(cast(Tensor, self.squeeze.bias))
        self.head = mlp([channels * CELLS**2, hidden, 4 * self.frames], norm=False)
        for layer in (self.head[0], self.head[2]):
            nn.init.normal_(cast(Tensor, layer.weight), std=0.001)
            nn.init.zeros_(cast(Tensor, layer.bias))
        self.join_additions()

    def seen_by_student(self) -> list[int]:
        return [0]

    def base_terms(self, record: Pass, scale: float) -> dict[str, Term]:
        boxes, side = tracks_of(record.views).boxes, record.shown[0].shape[-1]
        with record.networks():
            answers = precise(self.predict(cast(Tensor, record.student[0].map), boxes[:, :, 0], side))
        record.kept["ctp_answers"] = answers.detach()
        losses = F.smooth_l1_loss(answers, targets(boxes, side).to(answers), reduction="none").mean((0, 1, 2))
        parts = {"place": losses[:2].sum(), "size": losses[2:].sum()}
        asked = {part: weight for part, weight in self.weights.items() if weight}
        return {f"base_{part}": Term(scale * weight, parts[part]) for part, weight in asked.items()}

    def predict(self, map: Tensor, boxes: Tensor, side: int) -> Tensor:
        """From a map (B, C, T', h, w) and boxes (B, P, 4) in the first frame of views of `side` pixels, what `targets`
        gives: (B, P, T, 4)."""
        flat = F.relu(self.squeeze(map)).squeeze(2)
        corners = list(boxes.to(flat))
        cut = roi_align(flat, corners, CELLS, flat.shape[-1] / side, sampling_ratio=2, aligned=True)
        return cast(Tensor, self.head(cut.flatten(1))).view(*boxes.shape[:2], self.frames, 4)

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """ctp_error: mean distance of told from true middles, in pixels of a view of 112. ctp_iou: mean intersection
        over union of their boxes; ctp_iou_hidden: where patches are hidden. ctp_error_still, ctp_iou_still: those of
        answers that nothing moves."""
        tracks, side = tracks_of(record.views), record.shown[0].shape[-1]
        answers = record.kept["ctp_answers"]
        numbers: dict[str, Tensor] = {}
        for name, told in (("", answers), ("_still", torch.zeros_like(answers))):
            found = inverse(told, tracks.boxes[:, :, :1].to(told), side)
            gap = (middles(found) - middles(tracks.boxes.to(told))).norm(dim=-1).mean() * SIDE / side
            iou = overlap(found, tracks.boxes.to(told))
            numbers |= {f"ctp_error{name}": gap, f"ctp_iou{name}": iou.mean()}
            if not name:
                hidden = ~tracks.visible
                numbers["ctp_iou_hidden"] = iou[hidden].mean() if hidden.any() else iou.new_tensor(float("nan"))
        return numbers

    def own_examples(self, record: Pass) -> dict[str, Tensor]:
        """ctp_true, ctp_told: boxes (B, P, T, 4) as shares of the view's side; ctp_visible (B, P, T)."""
        tracks, side = tracks_of(record.views), record.shown[0].shape[-1]
        told = inverse(record.kept["ctp_answers"], tracks.boxes[:, :, :1], side)
        return {"ctp_true": tracks.boxes / side, "ctp_told": told / side, "ctp_visible": tracks.visible}

    def collapse_causes(self) -> list[str]:
        return ["the learning rate is too high", *super().collapse_causes()[1:]]


def tracks_of(views: Views) -> Tracks:
    """What was drawn with the views; UserError where they have no patches."""
    if not isinstance(views.task, Tracks):
        raise UserError("ctp needs clips with patches to follow, and these views have none.")
    return views.task


def middles(boxes: Tensor) -> Tensor:
    """(..., 4) left, top, right, bottom -> (..., 2)."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2


def targets(boxes: Tensor, side: int) -> Tensor:
    """Boxes (B, P, T, 4) of views of `side` pixels -> (B, P, T, 4): how far middles have come since the first frame, in
    pixels of a view of 112, and by how much the logarithms of width and height have grown, over their spread."""
    boxes = boxes.double()
    size = (boxes[..., 2:] - boxes[..., :2]).clamp(min=1).log()
    moved = (middles(boxes) - middles(boxes[:, :, :1])) * (SIDE / side)
    return torch.cat([moved, size - size[:, :, :1]], 3) / boxes.new_tensor(SPREAD)


def inverse(told: Tensor, first: Tensor, side: int) -> Tensor:
    """The boxes that told targets (B, P, T, 4) make of the first ones (B, P, 1, 4)."""
    moved, grown = (told * told.new_tensor(SPREAD)).split(2, 3)
    middle = middles(first) + moved * (side / SIDE)
    half = (first[..., 2:] - first[..., :2]).clamp(min=1) * grown.exp() / 2
    return torch.cat([middle - half, middle + half], 3)


def overlap(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4)."""
    common = torch.minimum(first[..., 2:], second[..., 2:]) - torch.maximum(first[..., :2], second[..., :2])
    both = common.clamp(min=0).prod(-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1) for boxes in (first, second)]
    return both / (areas[0] + areas[1] - both).clamp(min=1e-6)
