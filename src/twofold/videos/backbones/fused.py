"""The map of a residual network's last two stages together (CMD, Huang et al., CVPR 2021, 2104.00862)."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.nets.features import Features
from twofold.videos.backbones.backbone import Backbone

CELL = 16  # pixels


def fused_features(backbone: nn.Module, clips: Tensor) -> Features:
    """Clips (B, 3, T, H, W) -> the fused map (B, C, T', h, w) and the pooled feature of the last map.

    The third stage's frames are folded into channels, those that fall on one frame of the fourth side by side, and
    added to the fourth stage, on the grid of that of both whose cells are nearest to 16 pixels (7 x 7 of 112). Networks
    without stages, or whose channels do not fit so, give their last map. Raises UserError where there is none.
    """
    if not isinstance(backbone, Backbone) or not backbone.has_stages:
        features: Features = backbone(clips)
        if features.map is None or features.map.dim() != 5:
            raise UserError("The backbone gives no map over time and space; choose a residual network, such as r3d18.")
        return features
    third, fourth = backbone.stages(clips)[2:]
    return Features(fuse(third, fourth, clips.shape[-1] / CELL), fourth.mean((2, 3, 4)))


@torch.no_grad()
def fused_shape(backbone: nn.Module) -> tuple[int, ...]:
    """Channels, frames, rows and columns of the fused map of the clips that a backbone is made for."""
    if not isinstance(backbone, Backbone):
        return (int(cast(Any, backbone).map_width), *cast(Any, backbone).cells)
    was = backbone.training
    device = next(backbone.parameters()).device
    clip = torch.zeros(1, 3, backbone.frames, backbone.clip_size, backbone.clip_size, device=device)
    found = fused_features(backbone.eval(), clip).map
    backbone.train(was)
    return tuple(cast(Tensor, found).shape[1:])


def fuse(third: Tensor, fourth: Tensor, wanted: float) -> Tensor:
    """Maps (B, C3, T3, h3, w3) and (B, C4, T4, h4, w4) -> (B, C4, T4, h, w), h being that of h3 and h4 which is nearer
    to `wanted` cells; the fourth alone where C3 times the frames that fall on one of its own are not C4."""
    fold = third.shape[2] // fourth.shape[2]
    if fold * fourth.shape[2] != third.shape[2] or fold * third.shape[1] != fourth.shape[1]:
        return fourth
    folded = third.unflatten(2, (-1, fold)).transpose(2, 3).flatten(1, 2)
    fine = abs(third.shape[3] - wanted) < abs(fourth.shape[3] - wanted)
    rows, columns = (third if fine else fourth).shape[3:]
    shape = (fourth.shape[2], rows, columns)
    return F.adaptive_avg_pool3d(folded, shape) + F.interpolate(fourth, shape, mode="nearest")
