"""MoCo v3: An Empirical Study of Training Self-Supervised Vision Transformers (Chen et al., ICCV 2021, 2104.02057)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import UserError, above_zero, between_0_and_1, repeated
from twofold.methods.addition import Addition
from twofold.methods.byol import teacher_momentum
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Branch, Pass
from twofold.nets.features import width_of
from twofold.nets.heads import mlp
from twofold.objectives.contrastive import info_nce_in_batch
from twofold.processes import gather, rank
from twofold.seam import Progress


class MoCoV3(JointEmbedding):
    """A predicted query picks its key, made by the EMA teacher, among all keys of the global batch; no queue.

    Args:
        temperature: Temperature tau of the softmax over cosines (ViT 0.2, official ResNet-50 1.0); the loss is scaled
            by 2 tau.
        hidden: Width inside projector and predictor.
        dim: Width of projection and prediction.
        layers: Linear layers of the projector (ResNet 2, ViT 3), the last with batch norm without scale and offset.
        predictor_norm: Whether the predictor also ends with such a batch norm (ViT).
        momentum: Momentum of the teacher at the start; it grows to 1 along a cosine.
        frozen_patches: Whether the patch projection of a ViT stays random.
    """

    contrast = "keys"
    teacher_kind = "twin"
    takes_negatives = True

    def __init__(
        self,
        backbone: nn.Module,
        *,
        temperature: float = 0.2,
        hidden: int = 4096,
        dim: int = 256,
        layers: int = 2,
        predictor_norm: bool = False,
        momentum: float = 0.99,
        frozen_patches: bool = False,
        additions: Sequence[Addition] = (),
    ) -> None:
        repeated(layers=layers)
        above_zero(temperature=temperature, hidden=hidden, dim=dim, layers=layers)
        between_0_and_1(momentum=momentum)
        if frozen_patches:
            freeze_patches(backbone)
        projector = mlp([width_of(backbone), *[hidden] * (layers - 1), dim], bias=False, last_norm="plain")
        predictor = mlp([dim, hidden, dim], bias=False, last_norm="plain" if predictor_norm else "none")
        super().__init__(Branch(backbone, projector, predictor), additions)
        self.temperature, self.momentum = temperature, momentum
        self.teacher = self.twin(Branch(backbone, projector))
        self.dim = dim
        self.join_additions()

    def before_step(self, progress: Progress) -> None:
        self.move_teacher(teacher_momentum(self.momentum, progress.fraction))

    def compare(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor, extra: Tensor | None) -> Tensor:
        queries, keys = F.normalize(student_rows, dim=1), F.normalize(teacher_rows, dim=1)
        losses = info_nce_in_batch(queries, gather(keys), self.temperature, rank() * len(queries), extra)
        return 2 * self.temperature * losses

    @torch.no_grad()
    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """pretext_top1: share of queries that are nearer to their own key than to any other of the batch."""
        i, j = record.directions[0]
        queries, keys = record.student[i].row, F.normalize(record.teacher[j].row, dim=1)
        own = torch.arange(len(queries), device=queries.device) + rank() * len(queries)
        return {"pretext_top1": ((queries @ gather(keys).T).argmax(1) == own).float().mean()}


def freeze_patches(backbone: nn.Module) -> None:
    """No gradient for the layer that makes tokens of patches; refuses a backbone that has none."""
    kinds = ("patch_embed", "conv_proj")
    found = [module for name, module in backbone.named_modules() if name.rpartition(".")[2] in kinds]
    if not found:
        raise UserError("frozen_patches is for ViTs, and this backbone has no patch projection: leave it out.")
    for module in found:
        module.requires_grad_(False)
