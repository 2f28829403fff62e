"""The triplet loss over clips, a base of BE (Wang et al., CVPR 2021, 2009.05769, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import above_zero
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Branch, Pass
from twofold.nets.features import width_of
from twofold.objectives.contrastive import triplet
from twofold.processes import mirror


class Triplet(JointEmbedding):
    """Each clip is to be nearer to the other view of itself than to a clip of another video, by a margin.

    Args:
        margin: By how much, as a distance between unit rows.
        dim: Width of the projection, one linear layer.
    """

    contrast = "batch"
    directions = ((0, 1),)
    takes_negatives = True

    def __init__(
        self, backbone: nn.Module, *, margin: float = 0.5, dim: int = 128, additions: Sequence[Addition] = ()
    ) -> None:
        above_zero(margin=margin, dim=dim)
        super().__init__(Branch(backbone, nn.Linear(width_of(backbone), dim)), additions)
        self.margin, self.dim = margin, dim
        self.join_additions()

    def compare(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor, extra: Tensor | None) -> Tensor:
        """Negatives that are given count twice: as the query's own, and turned around in the batch as others' of it."""
        query, key = F.normalize(student_rows, dim=1), F.normalize(teacher_rows, dim=1)
        if extra is None:
            return triplet(query, key, mirror(key), self.margin)
        losses = [triplet(query, key, n, self.margin) for rows in extra.unbind(1) for n in (rows, mirror(rows))]
        return torch.stack(losses).sum(0)
