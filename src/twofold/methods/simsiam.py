"""SimSiam: Exploring Simple Siamese Representation Learning (Chen & He, CVPR 2021, 2011.10566)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from twofold.errors import above_zero, repeated
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Branch, Pass
from twofold.nets.features import width_of
from twofold.nets.heads import mlp
from twofold.objectives.regression import negative_cosine


class SimSiam(JointEmbedding):
    """A small predictor guesses one view's projection from the other; the target's gradient is stopped.

    Args:
        dim: Width of the projection; where None, 2048 for backbones of 512 channels or more, and 512 for smaller ones.
        hidden: Width inside the predictor; a quarter of dim where None.
        layers: Linear layers of the projector (ImageNet 3, CIFAR 2).
        fix_predictor_rate: Whether the predictor keeps the initial learning rate, as in the released results.
    """

    teacher_kind = "detached"

    def __init__(
        self,
        backbone: nn.Module,
        *,
        dim: int | None = None,
        hidden: int | None = None,
        layers: int = 3,
        fix_predictor_rate: bool = True,
        additions: Sequence[Addition] = (),
    ) -> None:
        width = width_of(backbone)
        dim = dim or (2048 if width >= 512 else 512)
        repeated(layers=layers)
        above_zero(layers=layers, dim=dim, hidden=hidden or dim // 4)
        projector = mlp([width] * layers + [dim], bias=False, last_bias=True, last_norm="plain")
        projector.get_parameter(f"{len(projector) - 2}.bias").requires_grad_(False)
        predictor = mlp([dim, hidden or dim // 4, dim], bias=False, last_bias=True)
        super().__init__(Branch(backbone, projector, predictor), additions)
        self.fix_predictor_rate = fix_predictor_rate
        self.dim = dim
        self.join_additions()

    def compare(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor, extra: Tensor | None) -> Tensor:
        return negative_cosine(student_rows, teacher_rows)

    def combine(self, losses: list[Tensor]) -> Tensor:
        return torch.stack(losses).mean()

    def constant_rate(self) -> Sequence[nn.Parameter]:
        predictor = self.student.predictor
        return list(predictor.parameters()) if self.fix_predictor_rate and predictor is not None else ()
