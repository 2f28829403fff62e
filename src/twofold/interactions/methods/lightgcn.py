"""LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation (He et al., SIGIR 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.errors import UserError, above_zero, repeated
from twofold.interactions.graph import Bipartite, adjacency, propagate
from twofold.interactions.tables import Tables
from twofold.objectives.ranking import bpr, half_squares
from twofold.processes import world
from twofold.seam import Losses, Method, Progress, Situation, Term, Update, Views

PLATEAU, PLATEAU_STEPS, LEFT = 0.68, 500, 0.6
Rows = tuple[Tensor, ...]  # of users, of their items, and of other items, (B, d) each


class LightGCN(Method):
    """Embeddings are smoothed over the graph of users and items, and their products rank the items of each user.

    Args:
        dim: Width of the embeddings.
        layers: Layers of propagation; 0 is matrix factorisation (BPR-MF).
        init: How the tables start: "normal" (deviation 0.1) or "xavier" (as in the official SGL; a long start plateau).
        regularisation: Weight of the squared embeddings of a batch.
        reduction: How the losses of a batch are joined: their "mean", or their "sum" as in the official code.
        sampling: How triples are drawn: uniform users and one of their items ("user", official), or the pairs one by
            one ("interaction").
        lazy: Whether a step updates the rows of its batch alone, whatever the number of items; needs 0 layers.
    """

    backbone: Tables
    batch_norm = "local"
    view_count = 3

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
        lazy: bool = False,
    ) -> None:
        super().__init__()
        above_zero(dim=dim)
        repeated(layers=layers)
        if layers < 0 or regularisation < 0:
            raise UserError(f"layers and regularisation must be at least 0, not {layers} and {regularisation}.")
        self.users, self.items, self.layers = data.users, data.items, layers
        if lazy and layers:
            raise UserError(f"lazy needs layers 0, not {layers}: propagation reaches every row.")
        self.regularisation, self.reduction, self.sampling, self.lazy = regularisation, reduction, sampling, lazy
        self.backbone = Tables(data.users, data.items, dim, init)
        self.init = init
        self.pairs: Tensor
        self.register_buffer("pairs", data.pairs, persistent=False)
        self._graph: Tensor | None = None
        # The epoch in which ranking first came off the start plateau; -1 until then.
        self.left_in: Tensor
        self.register_buffer("left_in", torch.tensor(-1))

    @property
    def graphs(self) -> list[Tensor]:
        """Of each layer the normalised adjacency of all training pairs, on the device and of the type of the tables."""
        like = self.backbone.user
        if self.layers and (
            self._graph is None or (self._graph.device, self._graph.dtype) != (like.device, like.dtype)
        ):
            self._graph = adjacency(self.pairs, self.users, self.items, like.dtype)
        return [self._graph] * self.layers if self._graph is not None else []

    def represent(self) -> tuple[Tensor, Tensor]:
        """The propagated embeddings of all users (U, d) and items (I, d); their products are the scores."""
        both = propagate(self.graphs, self.backbone())
        return both[: self.users], both[self.users :]

    def forward(self, views: Views, progress: Progress) -> Losses:
        users, positives, negatives = views.tensors
        with torch.autocast(users.device.type, enabled=False):
            rows = self._rows_alone if self.lazy else self._rows
            (own, liked, other), plain, more = rows(users, positives, negatives)
            ranking = bpr((own * liked).sum(1), (own * other).sum(1))
            just_left = (self.left_in < 0) & (ranking.detach().mean() < LEFT)
            self.left_in = torch.where(just_left, progress.epoch, self.left_in)
            squares = half_squares(*plain)
            terms = {
                "bpr": Term(1.0, self.reduce(ranking)),
                **more,
                "l2": Term(self.regularisation, self.reduce(squares)),
            }
        return Losses(terms, None)

    def _rows(self, users: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Rows, Rows, dict[str, Term]]:
        """Of a batch the propagated rows, those of the tables, and what the tables say further."""
        nodes = torch.cat([users, positives + self.users, negatives + self.users])
        tables = self.backbone()
        smooth = propagate(self.graphs, tables).index_select(0, nodes).chunk(3)
        more = self.more_terms(tables, *nodes.chunk(3)[:2])
        return smooth, tables.index_select(0, nodes).chunk(3), more

    def _rows_alone(self, users: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Rows, Rows, dict[str, Term]]:
        """The same without layers, with sparse gradients."""
        own = F.embedding(users, self.backbone.user, sparse=True)
        liked, other = F.embedding(torch.cat([positives, negatives]), self.backbone.item, sparse=True).chunk(2)
        return (own, liked, other), (own, liked, other), {}

    def updates(self) -> Mapping[str, Update]:
        """Where only rows of the batch are updated, by an optimizer for that."""
        return {"rows": Update(list(self.backbone.parameters()), lazy=True)} if self.lazy else {}

    def update(self, name: str, views: Views, progress: Progress) -> Losses:
        """The losses of the one update that there is."""
        return self(views, progress)

    def check(self, situation: Situation) -> None:
        """Refuse several processes where gradients are sparse: these are not joined."""
        if self.lazy and situation.devices > 1:
            raise UserError(f"lazy works in one process, not in {situation.devices}: give --devices 1.")

    def more_terms(self, tables: Tensor, users: Tensor, positives: Tensor) -> dict[str, Term]:
        """What a method on top of this one adds to the loss, for the tables (N, d) and the nodes (B,) of a batch."""
        return {}

    def plateau_left(self, epoch: int) -> int:
        """The epoch in which the loss of a batch first fell below 0.6, or the current epoch where it has not."""
        left = int(self.left_in)
        return epoch if left < 0 else left

    def reduce(self, losses: Tensor) -> Tensor:
        """The losses of a batch as one (data parallelism takes the mean over processes)."""
        return losses.mean() if self.reduction == "mean" else losses.sum() * world()

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        """Whether ranking is still at chance after 500 steps."""
        if self.reduction != "mean" or row["step"] < PLATEAU_STEPS or row["loss/bpr"] <= PLATEAU:
            return []
        remedy = "--method.init normal" if self.init == "xavier" else "a higher --lr"
        return [f"Ranking is still at chance after {PLATEAU_STEPS} steps (bpr above {PLATEAU}); try {remedy}."]
