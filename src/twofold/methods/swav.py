"""SwAV: Unsupervised Learning of Visual Features by Contrasting Cluster Assignments (Caron et al., NeurIPS 2020)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import UserError, above_zero, between_0_and_1, repeated
from twofold.methods.addition import Addition
from twofold.methods.multicrop import MultiCrop
from twofold.methods.record import Branch, Pass
from twofold.nets.features import width_of
from twofold.nets.heads import mlp
from twofold.nets.queue import Queue
from twofold.objectives.prototypes import cross_entropy, entropy, sinkhorn
from twofold.processes import gather, rank, world
from twofold.seam import Progress, Situation


class SwAV(MultiCrop):
    """All views guess the codes of the two large ones: to which prototypes these belong, when all are used alike.

    Args:
        prototypes: Number of prototypes K.
        hidden: Width inside the projector.
        dim: Width of the projection.
        local_views: Number of small crops, for a recipe that has them.
        temperature: Temperature of the softmax of the guess.
        epsilon: Softness of the codes; small is hard.
        iterations: Iterations of Sinkhorn-Knopp.
        queue: Past rows of each large view, which help to find the codes of a small batch; 0 for none.
        queue_start: Share of the run before the queue is used.
        frozen_epochs: Number of first epochs in which the prototypes do not learn.
    """

    leaves_out = True  # prototypes are frozen at first

    teacher_kind = "detached"

    def __init__(
        self,
        backbone: nn.Module,
        *,
        prototypes: int = 3000,
        hidden: int = 2048,
        dim: int = 128,
        local_views: int = 6,
        temperature: float = 0.1,
        epsilon: float = 0.05,
        iterations: int = 3,
        queue: int = 0,
        queue_start: float = 0.075,
        frozen_epochs: int = 1,
        additions: Sequence[Addition] = (),
    ) -> None:
        repeated(iterations=iterations, local_views=local_views)
        above_zero(prototypes=prototypes, hidden=hidden, dim=dim, temperature=temperature)
        above_zero(epsilon=epsilon, iterations=iterations)
        between_0_and_1(queue_start=queue_start)
        if (least := min(local_views, queue, frozen_epochs)) < 0:
            raise UserError(f"local_views, queue and frozen_epochs count from 0, not {least}.")
        super().__init__(Branch(backbone, mlp([width_of(backbone), hidden, dim])), additions)
        self.prototypes = nn.Linear(dim, prototypes, bias=False)
        self.queues = cast("Sequence[Queue]", nn.ModuleList(Queue(queue, dim) for _ in range(2 if queue else 0)))
        self.directions = self.small_guess_large(local_views)
        self.temperature, self.epsilon, self.iterations = temperature, epsilon, iterations
        self.length, self.queue_start, self.frozen_epochs = queue, queue_start, frozen_epochs
        self.dim = dim
        self.join_additions()

    @torch.no_grad()
    def before_step(self, progress: Progress) -> None:
        self.prototypes.weight.copy_(F.normalize(self.prototypes.weight, dim=1))

    def base_loss(self, record: Pass) -> Tensor:
        now, rows = record.progress, {j: look.row for j, look in record.teacher.items()}
        full = now.step * len(rows[0]) * world() >= self.length
        stored = [queue.rows for queue in self.queues] if full and now.fraction >= self.queue_start else []
        codes = {j: self.codes(rows[j], *stored[j : j + 1]) for j in (0, 1)}
        unsure = entropy(torch.cat(list(codes.values()))).mean() / math.log(max(codes[0].shape[1], 2))
        record.kept["code_entropy"] = unsure
        guesses = {i: self.guess(look.row, now) for i, look in record.student.items()}
        return self.combine([cross_entropy(codes[j], guesses[i]).mean() for i, j in record.directions])

    def guess(self, rows: Tensor, progress: Progress) -> Tensor:
        """The log-probabilities (B, K) of the prototypes."""
        cosines = F.linear(F.normalize(rows, dim=1), self.prototype_rows(progress))
        return (cosines / self.temperature).log_softmax(1)

    @torch.no_grad()
    def codes(self, rows: Tensor, stored: Tensor | None = None) -> Tensor:
        """The codes (B, K) of rows, found together with those of the other processes and with stored rows."""
        everyone = F.normalize(gather(rows), dim=1)
        joined = everyone if stored is None else torch.cat([everyone, stored.to(rows.dtype)])
        found = sinkhorn(F.linear(joined, self.prototypes.weight), self.epsilon, self.iterations)
        return found[rank() * len(rows) :][: len(rows)]

    def compare(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor, extra: Tensor | None) -> Tensor:
        """The codes are those of the batch alone: nothing in the rows says which queue is theirs."""
        return cross_entropy(self.codes(teacher_rows), self.guess(student_rows, record.progress))

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """code_entropy: of an image's code, as a share of its most; 1 where codes say nothing."""
        return {"code_entropy": record.kept["code_entropy"]}

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        alarms = []
        if row.get("code_entropy", 0.0) > 0.99:
            alarms.append(
                "SwAV's codes carry no information: fewer --method.prototypes or an --method.epsilon of 0.03 may help."
            )
        return alarms + super().alarms(row)

    def finish(self, record: Pass) -> None:
        for j, queue in enumerate(self.queues):
            queue.enqueue(gather(F.normalize(record.teacher[j].row, dim=1)))

    @classmethod
    def fit_to(cls, situation: Situation, settings: dict[str, Any]) -> dict[str, Any]:
        """A queue of at most a quarter of the images."""
        return {"queue": min(settings["queue"], situation.count // 4)}
