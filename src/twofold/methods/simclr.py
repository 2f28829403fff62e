"""SimCLR: A Simple Framework for Contrastive Learning of Visual Representations (Chen et al., ICML 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import above_zero, repeated
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Branch, Look, Pass
from twofold.nets.features import width_of
from twofold.nets.heads import mlp
from twofold.objectives.contrastive import nt_xent
from twofold.processes import gather, rank


class SimCLR(JointEmbedding):
    """Both views go through one network in one pass; each picks its sibling among all other views of the global batch.

    Args:
        temperature: Temperature of the softmax over cosines (paper: 0.1 on ImageNet, 0.5 on CIFAR-10).
        hidden: Width inside the projector; the backbone's own where None.
        layers: Linear layers of the projector (v1 paper 2, official code 3), each with batch norm, the last without
            offset.
        dim: Width of the projection.
    """

    contrast = "batch"
    directions = ((0, 1),)

    def __init__(
        self,
        backbone: nn.Module,
        *,
        temperature: float = 0.5,
        hidden: int | None = None,
        layers: int = 2,
        dim: int = 128,
        additions: Sequence[Addition] = (),
    ) -> None:
        repeated(layers=layers)
        above_zero(temperature=temperature, layers=layers, dim=dim)
        width = width_of(backbone)
        widths = [width, *[hidden or width] * (layers - 1), dim]
        super().__init__(Branch(backbone, mlp(widths, bias=False, last_norm="scale")), additions)
        self.temperature = temperature
        self.dim = dim
        self.join_additions()

    def look_at(self, shown: Sequence[Tensor], wanted: Sequence[int]) -> dict[int, Look]:
        both = self.student(torch.cat([shown[0], shown[1]]))
        half = len(shown[0])
        return {0: both.each(lambda t: t[:half]), 1: both.each(lambda t: t[half:])}

    def compare(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor, extra: Tensor | None) -> Tensor:
        first, second = F.normalize(student_rows, dim=1), F.normalize(teacher_rows, dim=1)
        candidates = torch.cat([gather(first), gather(second)])
        return nt_xent(first, second, candidates, rank() * len(first), self.temperature)
