"""SGL: Self-supervised Graph Learning for Recommendation (Wu et al., SIGIR 2021, 2010.10783)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.errors import UserError, above_zero, between_0_and_1
from twofold.interactions.graph import Bipartite, propagate
from twofold.interactions.methods.lightgcn import LightGCN
from twofold.interactions.views.augment import draw_view
from twofold.objectives.ranking import contrast
from twofold.processes import gather, rank, world
from twofold.seam import Progress, Situation, Term

FULL_UP_TO = 2e7


class SGL(LightGCN):
    """LightGCN that also tells nodes apart across two views of the graph, drawn anew for every epoch.

    Args:
        dim: Width of the embeddings.
        layers: Layers of propagation.
        init: How the tables start: "normal" (deviation 0.1) or "xavier" (as in the official SGL; a long start plateau).
        regularisation: Weight of the squared embeddings of a batch.
        reduction: How the losses of a batch are joined: their "mean", or their "sum" as in the official code.
        sampling: How triples are drawn: uniform users and one of their items ("user", official), or the pairs one by
            one ("interaction").
        augmentation: What a view drops: edges ("ed"), nodes ("nd"), or other edges in every layer ("rw").
        ratio: Share that a view drops (0: two equal graphs).
        temperature: Temperature of the softmax over cosines.
        weight: Weight of the contrast (lambda 1).
        negatives: Candidates of the contrast: all nodes ("full"), the nodes of the batch ("batch"), or users and items
            of the batch in one pool ("merge"); "auto" takes full up to 2e7 products, else batch.
        sides: Nodes that are contrasted: "user", "item" or "both".
    """

    def __init__(
        self,
        data: Bipartite,
        *,
        dim: int = 64,
        layers: int = 3,
        init: Literal["normal", "xavier"] = "normal",
        regularisation: float = 1e-4,
        reduction: Literal["mean", "sum"] = "mean",
        sampling: Literal["user", "interaction"] = "user",
        augmentation: Literal["ed", "nd", "rw"] = "ed",
        ratio: float = 0.1,
        temperature: float = 0.2,
        weight: float = 0.1,
        negatives: Literal["auto", "full", "batch", "merge"] = "auto",
        sides: Literal["both", "user", "item"] = "both",
    ) -> None:
        super().__init__(
            data,
            dim=dim,
            layers=layers,
            init=init,
            regularisation=regularisation,
            reduction=reduction,
            sampling=sampling,
        )
        above_zero(temperature=temperature)
        between_0_and_1(ratio=ratio)
        if ratio == 1 or weight < 0:
            raise UserError(f"ratio must be below 1 and weight at least 0, not {ratio} and {weight}.")
        if negatives == "merge" and sides != "both":
            raise UserError("negatives merge puts users and items into one pool: leave sides at both.")
        self.augmentation, self.ratio, self.temperature, self.weight = augmentation, ratio, temperature, weight
        self.negatives, self.sides = negatives, sides
        self.views: list[list[Tensor]] = []
        self.drawn: tuple[int, int] | None = None

    def before_step(self, progress: Progress) -> None:
        """Two views of the graph at the start of every epoch, a function of (seed, epoch)."""
        if self.drawn != (progress.seed, progress.epoch):
            self.drawn = (progress.seed, progress.epoch)
            self.views = [
                draw_view(
                    self.pairs, self.users, self.items, kind=self.augmentation, ratio=self.ratio, layers=self.layers,
                    seed=progress.seed, keys=(progress.epoch, view), dtype=self.backbone.user.dtype,
                )
                for view in (0, 1)
            ]  # fmt: skip

    def more_terms(self, tables: Tensor, users: Tensor, positives: Tensor) -> dict[str, Term]:
        views = [propagate(view, tables) for view in self.views]
        nodes = {"user": users, "item": positives}
        kind = self.candidates(len(users) * world())
        if kind == "full":
            ends = {"user": slice(0, self.users), "item": slice(self.users, None)}
            losses = [self.against_all(views, nodes[side], ends[side]) for side in self.chosen()]
        else:
            pools = [gather(nodes[side]).unique() for side in self.chosen()]
            pools = [torch.cat(pools)] if kind == "merge" else pools
            first, second = (self.unit(view, torch.cat(pools)).split([*map(len, pools)]) for view in views)
            losses = [self.in_batch(*rows) for rows in zip(first, second, strict=True)]
        return {"contrast": Term(self.weight, torch.stack(losses).sum())}

    def against_all(self, views: list[Tensor], nodes: Tensor, candidates: slice) -> Tensor:
        """The contrast of the nodes of a batch with all of their kind; one drawn twice is computed once."""
        own, place = nodes.unique(return_inverse=True)
        first, second = (self.unit(view, own) for view in views)
        return self.reduce(contrast(first, second, F.normalize(views[1][candidates]), self.temperature)[place])

    def in_batch(self, first: Tensor, second: Tensor) -> Tensor:
        """The contrast of the distinct nodes of the global batch among themselves, this process's part of it."""
        part = slice(rank(), None, world())
        losses = contrast(first[part], second[part], second, self.temperature)
        return losses.sum() * world() / (len(second) if self.reduction == "mean" else 1)

    def unit(self, rows: Tensor, nodes: Tensor) -> Tensor:
        """The rows (N, d) of some nodes (b,), of length 1."""
        return F.normalize(rows.index_select(0, nodes))

    def chosen(self) -> tuple[str, ...]:
        """The sides that are contrasted."""
        return ("user", "item") if self.sides == "both" else (self.sides,)

    def candidates(self, batch: int) -> str:
        """What "auto" stands for with a batch of this size."""
        if self.negatives != "auto":
            return self.negatives
        return "full" if max(self.users, self.items) * batch <= FULL_UP_TO else "batch"

    def notes(self, situation: Situation) -> list[str]:
        """Which negatives are taken where that was left open."""
        kind = self.candidates(situation.batch_size)
        return [f"Contrast against {'all nodes' if kind == 'full' else 'the nodes of the batch'} ({kind})."]
