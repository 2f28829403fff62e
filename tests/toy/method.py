"""A system of another shape: it restores a number from a noisy one."""

from __future__ import annotations

from torch import nn

from tests.toy.data import Small
from twofold.seam import Losses, Method, Progress, Term, Views


class Restore(Method):
    """The first view is restored from the second.

    Args:
        hidden: Width in the middle.
    """

    view_count = 2

    def __init__(self, backbone: Small, *, hidden: int = 8) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Sequential(nn.Linear(backbone.width, hidden), nn.ReLU(), nn.Linear(hidden, backbone.columns))

    def forward(self, views: Views, progress: Progress) -> Losses:
        features = self.backbone(views.tensors[1]).pooled
        error = (self.head(features) - views.tensors[0]).square().mean()
        return Losses({"error": Term(1.0, error)}, features.detach())
