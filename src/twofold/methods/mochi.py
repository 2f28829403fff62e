"""MoCHi: Hard Negative Mixing for Contrastive Learning (Kalantidis et al., NeurIPS 2020, 2010.01028), an addition."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.errors import UserError, between_0_and_1
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Pass
from twofold.objectives.contrastive import mix_rows
from twofold.randomness import uniforms
from twofold.seam import Situation


class Draw(NamedTuple):
    """Places among the N hardest of each row, pairs i, j (B, s) and singles (B, s'), and the weights of both kinds."""

    i: Tensor
    j: Tensor
    alpha: Tensor
    single: Tensor
    beta: Tensor


class MoCHi(Addition):
    """Each query gets more negatives, mixed in feature space from the hardest ones of the queue and from itself.

    Args:
        hardest: Number N of stored keys, those nearest to the query, that are mixed; a sixteenth of the queue where
            None.
        mixed: Number s of mixtures of two of them.
        with_query: Number s' of mixtures of one of them with the query, which weighs less than half.
        warmup: Share of the run before any mixture is made.
        replace: Whether the two keys of a mixture may be the same one.
    """

    def __init__(
        self,
        *,
        hardest: int | None = None,
        mixed: int = 128,
        with_query: int = 32,
        warmup: float = 0.05,
        replace: bool = False,
    ) -> None:
        super().__init__()
        between_0_and_1(warmup=warmup)
        if mixed < 0 or with_query < 0 or mixed + with_query == 0:
            raise UserError(f"mochi makes mixed + with_query negatives: {mixed} + {with_query} leaves nothing to make.")
        if hardest is not None and hardest < 2:
            raise UserError(f"mochi mixes the hardest negatives in pairs: hardest must be at least 2, not {hardest}.")
        self.hardest, self.mixed, self.with_query = hardest or 0, mixed, with_query
        self.warmup, self.replace = warmup, replace

    def join(self, method: JointEmbedding) -> None:
        stored = method.stored_negatives()
        if stored is None:
            raise UserError(f"mochi mixes the keys of a queue, and {type(method).__name__} has none; use moco+mochi.")
        self.hardest = self.hardest or max(len(stored) // 16, 2)
        if self.hardest > len(stored):
            raise UserError(f"mochi's hardest is {self.hardest}, more than the {len(stored)} keys of the queue.")

    def negatives(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor) -> Tensor | None:
        if record.negatives is None or record.progress.fraction < self.warmup:
            return None
        if len(record.negatives) < self.hardest:  # a masked queue that is still filling
            return None
        with torch.no_grad():
            queries = F.normalize(student_rows, dim=1)
            stored = record.negatives.to(queries.dtype)
            hard = (queries @ stored.T).topk(self.hardest, sorted=False).indices
            return self.synthesise(queries, stored, hard, self.draw(record))

    def synthesise(self, queries: Tensor, stored: Tensor, hard: Tensor, draw: Draw) -> Tensor:
        """Mixtures for each unit query, (B, s + s', D), of pairs first. hard: (B, N), places in the stored keys."""
        i, j, single = (stored[hard.gather(1, places)] for places in (draw.i, draw.j, draw.single))
        return torch.cat([mix_rows(i, j, draw.alpha), mix_rows(queries[:, None], single, draw.beta)], dim=1)

    def draw(self, record: Pass) -> Draw:
        """New draws at every comparison, a function of (seed, step, comparison, image)."""
        progress, s, t = record.progress, self.mixed, self.with_query
        keys = ("mochi", progress.step, record.comparisons)
        drawn = uniforms(record.views.index, 3 * s + 2 * t, progress.seed, *keys)
        i, j, alpha, single, beta = drawn.split([s, s, s, t, t], dim=1)
        first, single = (i * self.hardest).long(), (single * self.hardest).long()
        second = (j * self.hardest).long() if self.replace else first + 1 + (j * (self.hardest - 1)).long()
        return Draw(first, second % self.hardest, alpha, single, beta / 2)

    @classmethod
    def fit_to(cls, situation: Situation, settings: dict[str, Any]) -> dict[str, Any]:
        """A sixteenth of a queue that holds a quarter of the images, where that is less than the published number."""
        published = settings["hardest"]
        return {"hardest": published and min(published, max(situation.count // 64, 2))}
