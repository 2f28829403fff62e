"""CO2: Consistent Contrast for Unsupervised Visual Representation Learning (Wei et al., 2010.02217), an addition."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.errors import UserError, above_zero, between_0_and_1
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Pass
from twofold.objectives.consistency import similarity_distribution, symmetric_divergence
from twofold.processes import gather, rank
from twofold.seam import Situation, Term

QUEUE, IN_BATCH = (0.3, 0.05), (1.0, 1.0)  # weight and temperature


class CO2(Addition):
    """The query's and its key's similarities to the negatives, as two distributions, must agree.

    In the batch both sides carry gradient, and sharper distributions than its own defaults collapse on small data.

    Args:
        weight: Weight of the term; where None, 0.3 against a queue and 1 in the batch.
        temperature: Temperature of both distributions; where None, 0.05 against a queue and 1 in the batch.
        include_positive: Whether the positive similarity is an entry of both, too (a third party's variant, not the
            paper's).
        ramp: Share of the run over which the weight grows from 0.
    """

    def __init__(
        self,
        *,
        weight: float | None = None,
        temperature: float | None = None,
        include_positive: bool = False,
        ramp: float = 0.1,
    ) -> None:
        super().__init__()
        above_zero(temperature=1.0 if temperature is None else temperature)
        between_0_and_1(ramp=ramp)
        self.chosen = weight, temperature
        self.weight, self.temperature = self.fitted(QUEUE)
        self.include_positive, self.ramp = include_positive, ramp

    def fitted(self, defaults: tuple[float, float]) -> tuple[float, float]:
        """Weight and temperature, each with its default where not given."""
        weight, temperature = (
            own if own is not None else other for own, other in zip(self.chosen, defaults, strict=True)
        )
        return weight, temperature

    def join(self, method: JointEmbedding) -> None:
        self.weight, self.temperature = self.fitted(IN_BATCH if method.contrast == "batch" else QUEUE)
        if method.contrast == "none":
            name = type(method).__name__
            raise UserError(
                f"co2 makes similarities to negatives agree, and {name} has none; use moco+co2 or simclr+co2."
            )

    def terms(self, record: Pass) -> dict[str, Term]:
        losses = [self.divergence(record, i, j).mean() for i, j in record.directions]
        ramped = self.weight * (min(record.progress.fraction / self.ramp, 1.0) if self.ramp else 1.0)
        return {"co2": Term(ramped, torch.stack(losses).mean())}

    def divergence(self, record: Pass, i: int, j: int) -> Tensor:
        """The symmetric divergence of each row, (B,), for student view i and teacher view j.

        With stored negatives both sides look at those; in the batch, queries look at the other keys and keys at the
        other queries.
        """
        queries, keys = F.normalize(record.student[i].row, dim=1), F.normalize(record.teacher[j].row, dim=1)
        positive = (queries * keys).sum(1) if self.include_positive else None
        own: Tensor | None
        if record.negatives is not None:
            stored = record.negatives.to(queries.dtype)
            own, sides = None, ((queries, stored), (keys, stored))
        else:
            own = torch.arange(len(queries), device=queries.device) + rank() * len(queries)
            sides = ((queries, gather(keys)), (keys, gather(queries)))
        first, second = (similarity_distribution(a, n, self.temperature, positive, own) for a, n in sides)
        return symmetric_divergence(first, second)

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        if row.get("loss/co2", 1.0) >= 0.05 or row.get("spread", 1.0) >= 0.1:
            return []
        return [
            "co2's term is near 0 because all images have nearly the same embedding, which agrees with anything: "
            f"give a smaller weight than {self.weight:g}, in a new folder."
        ]

    def notes(self, method: JointEmbedding, situation: Situation) -> list[str]:
        negatives = method.stored_negatives()
        if self.weight > 1 and (negatives is None or len(negatives) < 16384):
            return ["A co2 weight above 1 with fewer than 16,384 negatives collapsed in trials; watch spread and co2."]
        return []
