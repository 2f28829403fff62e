"""BYOL: Bootstrap Your Own Latent (Grill et al., NeurIPS 2020, 2006.07733)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from twofold.errors import above_zero, between_0_and_1
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.multicrop import look_by_size
from twofold.methods.record import Branch, Look, Pass
from twofold.nets.features import width_of
from twofold.nets.heads import mlp
from twofold.objectives.regression import normalised_squared_error
from twofold.seam import Progress


class BYOL(JointEmbedding):
    """The student predicts the EMA teacher's projection of the other view; there are no negatives.

    Args:
        hidden: Width inside projector and predictor (ImageNet 4096, small images 1024).
        dim: Width of projection and prediction (ImageNet 256, small images 64 or 128).
        momentum: Momentum of the teacher at the start.
        rising: Whether the momentum grows to 1 along a cosine, or stays as it is.
        output_bias: Whether the last linear layers have an offset.
        one_pass: Whether both views go through a network in one pass and share its batch statistics (SCRL), or each by
            itself.
        target_init: How the teacher starts: as a "copy" of the student, or from "random" weights of its own (official
            code; it reports no difference).
    """

    teacher_kind = "twin"

    def __init__(
        self,
        backbone: nn.Module,
        *,
        hidden: int = 4096,
        dim: int = 256,
        momentum: float = 0.99,
        rising: bool = True,
        output_bias: bool = False,
        one_pass: bool = False,
        target_init: Literal["copy", "random"] = "copy",
        additions: Sequence[Addition] = (),
    ) -> None:
        above_zero(hidden=hidden, dim=dim)
        between_0_and_1(momentum=momentum)
        projector = mlp([width_of(backbone), hidden, dim], last_bias=output_bias)
        predictor = mlp([dim, hidden, dim], last_bias=output_bias)
        super().__init__(Branch(backbone, projector, predictor), additions)
        self.momentum, self.rising, self.one_pass = momentum, rising, one_pass
        self.teacher = self.twin(Branch(backbone, projector))
        if target_init == "random":
            self.teacher.apply(_restart)
        self.dim = dim
        self.join_additions()

    def look_at(self, shown: Sequence[Tensor], wanted: Sequence[int]) -> dict[int, Look]:
        return look_by_size(self.student, shown, wanted) if self.one_pass else super().look_at(shown, wanted)

    def teach_at(self, tensors: Sequence[Tensor], wanted: Sequence[int], progress: Progress) -> dict[int, Look]:
        if not self.one_pass:
            return super().teach_at(tensors, wanted, progress)
        with torch.no_grad():
            return look_by_size(self.teacher, tensors, wanted)

    def compare(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor, extra: Tensor | None) -> Tensor:
        return normalised_squared_error(student_rows, teacher_rows)

    def finish(self, record: Pass) -> None:
        fraction = record.progress.fraction if self.rising else 0.0
        self.move_teacher(teacher_momentum(self.momentum, fraction))


def teacher_momentum(start: float, fraction: float) -> float:
    """1 - (1 - start) (1 + cos(pi t/T)) / 2: from `start` to 1 along a cosine; fraction t/T in [0, 1]."""
    return 1 - (1 - start) * (1 + math.cos(math.pi * fraction)) / 2


@torch.no_grad()
def _restart(module: nn.Module) -> None:
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
