"""MoCo v1 (He et al., CVPR 2020, 1911.05722) and v2 (Chen et al., 2020, 2003.04297): Momentum Contrast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import above_zero, between_0_and_1
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Branch, Look, Pass
from twofold.nets.batch_norm import deinterleave, interleave, split
from twofold.nets.features import width_of
from twofold.nets.heads import mlp
from twofold.nets.queue import Queue
from twofold.objectives.contrastive import info_nce, uniformity
from twofold.processes import gather, rank
from twofold.seam import Progress, Situation


class MoCo(JointEmbedding):
    """The query picks its key, made by the EMA teacher, among a queue of past keys.

    Args:
        temperature: Temperature of the softmax over cosines (v1 0.07, v2 0.2, CIFAR 0.1).
        queue: Number of past keys that are kept; it must stay well below the number of images.
        momentum: Momentum of the teacher: the share of itself that it keeps at each step.
        dim: Width of the projection.
        head: The projector: one "linear" layer (v1, CIFAR) or an "mlp" of two (v2).
        symmetric: Whether both views are queries once.
        reduction: How the two directions of a symmetric loss are joined: "sum", as in the official code, or "mean".
        key_bn: What keeps the keys' batch statistics from giving the answer away: "split" (each batch norm works in
            `groups` parts of the batch, which is shuffled for the keys), "shuffle" (across devices) or "plain"
            (nothing).
        groups: Parts into which "split" batch norm cuts the batch of a device.
        mask_unfilled: Whether slots of the queue that hold no key yet are left out; else their noise serves as
            negatives, as in the official code.
    """

    batch_norm = "local"
    contrast = "queue"
    teacher_kind = "twin"
    takes_negatives = True

    def __init__(
        self,
        backbone: nn.Module,
        *,
        temperature: float = 0.2,
        queue: int = 65536,
        momentum: float = 0.999,
        dim: int = 128,
        head: Literal["linear", "mlp"] = "mlp",
        symmetric: bool = False,
        reduction: Literal["sum", "mean"] = "sum",
        key_bn: Literal["split", "shuffle", "plain"] = "split",
        groups: int = 8,
        mask_unfilled: bool = False,
        additions: Sequence[Addition] = (),
    ) -> None:
        above_zero(temperature=temperature, queue=queue, dim=dim, groups=groups)
        between_0_and_1(momentum=momentum)
        width = width_of(backbone)
        projector = nn.Linear(width, dim) if head == "linear" else mlp([width, width, dim], norm=False)
        super().__init__(Branch(split(backbone, groups) if key_bn == "split" else backbone, projector), additions)
        self.directions = ((0, 1), (1, 0)) if symmetric else ((0, 1),)
        self.temperature, self.momentum, self.reduction = temperature, momentum, reduction
        self.key_bn, self.groups, self.mask_unfilled = key_bn, groups, mask_unfilled
        self.queue = Queue(queue, dim)
        self.teacher = self.twin(self.student)
        self.dim = dim
        self.join_additions()

    def before_step(self, progress: Progress) -> None:
        self.move_teacher(self.momentum)

    def look(self, view: Tensor) -> Look:
        parts = self.parts(view)
        return super().look(interleave(view, parts)).each(lambda rows: deinterleave(rows, parts))

    def teach(self, view: Tensor, progress: Progress) -> Look:
        if self.key_bn == "plain":
            return super().teach(view, progress)
        devices = self.key_bn == "shuffle"
        batch, first = len(view), rank() * len(view) if devices else 0
        everyone = gather(view) if devices else view
        drawn = progress.generator("shuffle", 0 if devices else rank())
        order = torch.randperm(len(everyone), generator=drawn).to(view.device)
        own = slice(first, first + batch)
        shuffled = super().teach(everyone[order[own]], progress)
        return shuffled.each(lambda rows: (gather(rows) if devices else rows)[order.argsort()[own]])

    def parts(self, view: Tensor) -> int:
        """Into how many parts the batch norms cut a batch."""
        return self.groups if self.key_bn == "split" and len(view) % self.groups == 0 else 1

    def stored_negatives(self) -> Tensor:
        return self.queue.rows

    def usable_negatives(self) -> Tensor:
        return self.queue.stored(self.mask_unfilled)

    def compare(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor, extra: Tensor | None) -> Tensor:
        if extra is not None:
            record.kept.setdefault("extra", extra)
        queries, keys = F.normalize(student_rows, dim=1), F.normalize(teacher_rows, dim=1)
        return info_nce(queries, keys, self.usable_negatives().to(queries.dtype), self.temperature, extra)

    def combine(self, losses: list[Tensor]) -> Tensor:
        return torch.stack(losses).sum() if self.reduction == "sum" else torch.stack(losses).mean()

    @torch.no_grad()
    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """How hard the pretext task is, additions' negatives included.

        pretext_top1: share of queries that are nearer to their key than to any negative. negatives_with_mass: share of
        the negatives that get more than an even share of the softmax. uniformity: of the queries (lower is better).
        queue_filled: share of the queue that holds keys. Where there are no negatives yet, the first two are left out.
        """
        i, j = record.directions[0]
        queries = F.normalize(record.student[i].row, dim=1)
        positive = (queries * F.normalize(record.teacher[j].row, dim=1)).sum(1, keepdim=True)
        against = queries @ self.usable_negatives().to(queries.dtype).T
        if "extra" in record.kept:
            against = torch.cat([against, torch.einsum("bd,bsd->bs", queries, record.kept["extra"])], dim=1)
        found = {"uniformity": uniformity(queries), "queue_filled": self.queue.filled() / len(self.queue.rows)}
        if not against.shape[1]:
            return found
        even = (torch.cat([positive, against], dim=1) / self.temperature).logsumexp(1, keepdim=True)
        even = even - math.log(1 + against.shape[1])
        return {
            "pretext_top1": (against.amax(1, keepdim=True) < positive).float().mean(),
            "negatives_with_mass": (against / self.temperature > even).float().mean(),
            **found,
        }

    def finish(self, record: Pass) -> None:
        for look in record.teacher.values():
            self.queue.enqueue(gather(F.normalize(look.row, dim=1)))

    @classmethod
    def fit_to(cls, situation: Situation, settings: dict[str, Any]) -> dict[str, Any]:
        """A queue of at most a quarter of the images; split batch norm where a device's batch is 64 or more."""
        batch, local = situation.batch_size, situation.batch_size // situation.devices
        quarter = max(situation.count // 4 // batch * batch, batch)
        groups = next(g for g in (8, 4, 2, 1) if local % g == 0)
        return {
            "queue": min(settings.get("queue", 65536), quarter),
            "key_bn": "split" if local >= 64 and groups > 1 else "shuffle" if situation.devices > 1 else "plain",
            "groups": groups,
        }

    def notes(self, situation: Situation) -> list[str]:
        length, images = len(self.queue.rows), situation.count
        steps = -(-length // situation.batch_size)
        notes = [f"The loss rises during the first {steps} steps, while the queue of {length:,} fills; that is normal."]
        if length > images // 2:
            notes.append(
                f"A queue of {length:,} on {images:,} images holds each image's own older keys as negatives; "
                f"a quarter of the images is a good length."
            )
        return notes + super().notes(situation)
