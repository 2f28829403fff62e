"""`load` on interactions: a finished run that stays in memory and answers for one user after the other."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa
import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.errors import UserError
from twofold.interactions.evaluation.ranking import top_items
from twofold.interactions.jobs.store import Recommender, read_model
from twofold.interactions.options import Load
from twofold.interactions.ragged import Ragged
from twofold.resources import one_thread

AT_ONCE = 2**24  # scores at a time
FEW = 2**20  # scores that one core makes sooner than several


class Recommended(NamedTuple):
    """An item for a user. basis: "model", "history" of a user who was folded in, or "popularity"."""

    item: Any
    score: float
    basis: str


class Neighbour(NamedTuple):
    """An item near another, by the cosine of their embeddings."""

    item: Any
    cosine: float


@dataclass(frozen=True)
class NewUser:
    """A user whom the run need not know. items: rows of what they have, int64 (n,). unknown: items of theirs that the
    run does not know, which count for nothing."""

    items: Tensor
    unknown: tuple[Any, ...]


class LoadedRecommender:
    """A finished run. Users and items are named by the ids of the data; numbers may come as text. For several threads
    at once: nothing in it changes.

    user_ids, item_ids: of all users and items that the run knows. method: what learned them.
    """

    def __init__(self, model: Recommender) -> None:
        self._model = model
        self.method = model.method
        self.user_ids: list[Any] = model.user_ids.to_pylist()
        self.item_ids: list[Any] = model.item_ids.to_pylist()
        self._user_rows = {str(one): row for row, one in enumerate(self.user_ids)}
        self._item_rows = {str(one): row for row, one in enumerate(self.item_ids)}
        self._learned = torch.bincount(torch.from_numpy(model.pairs[:, 0]), minlength=len(self.user_ids)) > 0
        self._popularity = model.popularity
        self._beside: dict[str, list[int]] = {}  # items of users without a row, whose pairs are in no part
        for user, item in zip(*(model.left_out[side].to_pylist() for side in ("user", "item")), strict=True):
            if user not in self._user_rows and item in self._item_rows:
                self._beside.setdefault(user, []).append(self._item_rows[item])

    def __repr__(self) -> str:
        return f"<{self.method}: {len(self.user_ids):,} users, {len(self.item_ids):,} items>"

    def recommend(
        self,
        users: Any,
        k: int = 20,
        *,
        candidates: Collection[Any] | None = None,
        exclude: Collection[Any] = (),
        include_seen: bool = False,
    ) -> Any:
        """The k best items of a user, best first: a list of `Recommended`; of a list of users, a list of these.

        users: an id or a `NewUser`, or a list, tuple or array of them. Users of whom nothing is known get the most
        popular items. candidates: the only items that may be recommended; those that the run does not know are passed
        over. exclude: items that may not. include_seen: also what a user already has. The same as `twofold recommend`
        gives. Raises UserError for a k below 1.
        """
        if k < 1:
            raise UserError(f"k must be at least 1, not {k}.")
        allowed = self._allowed(candidates, exclude)
        asked = list(users) if _many(users) else [users]
        found: list[list[Recommended]] = [[] for _ in asked]
        by_basis: dict[str, list[int]] = {}
        for place, user in enumerate(asked):
            by_basis.setdefault(self._basis(user), []).append(place)
        at_once = max(AT_ONCE // len(self.item_ids), 1)
        for basis, places in by_basis.items():
            for begin in range(0, len(places), at_once):
                part = places[begin : begin + at_once]
                with self._cores(len(part)):
                    lists = self._ranked(basis, [asked[place] for place in part], k, allowed, include_seen)
                for place, ranked in zip(part, lists, strict=True):
                    found[place] = ranked
        return found if _many(users) else found[0]

    def similar(self, items: Any, k: int = 20) -> Any:
        """The k items nearest to an item, nearest first: a list of `Neighbour`; of a list of items, a list of these.

        Raises UserError where the method has no embeddings, and for an item that the run does not know.
        """
        rows, unknown = self._rows(items if _many(items) else [items])
        if unknown:
            raise UserError(f"The run does not know the item {unknown[0]!r}.")
        unit, asked = self._unit, torch.tensor(rows, dtype=torch.int64)
        with self._cores(len(rows)):
            itself = Ragged(torch.arange(len(unit) + 1), torch.arange(len(unit)))
            cosines = unit[asked] @ unit.T
            top = top_items(cosines, itself, asked, min(k, len(unit)))
        lists = [
            [Neighbour(self.item_ids[i], value[i].item()) for i in best if i >= 0]
            for best, value in zip(top.tolist(), cosines, strict=True)
        ]
        return lists if _many(items) else lists[0]

    def fold_in(self, history: Collection[Any]) -> NewUser:
        """A new user, by the items that they have, to be given to `recommend`; nothing is trained."""
        rows, unknown = self._rows(history)
        return NewUser(torch.tensor(sorted(set(rows)), dtype=torch.int64), tuple(unknown))

    def _cores(self, rows: int) -> AbstractContextManager[None]:
        """Whether as many scores of all items are worth more than one core."""
        return one_thread() if rows * len(self.item_ids) <= FEW else nullcontext()

    @cached_property
    def _unit(self) -> Tensor:
        """The items' embeddings, each of length 1."""
        return F.normalize(self._model.embeddings.item, dim=1)

    def _basis(self, user: Any) -> str:
        if isinstance(user, NewUser):
            return "history" if len(user.items) else "popularity"
        row = self._user_rows.get(str(user))
        return "model" if row is not None and self._learned[row] else "popularity"

    def _ranked(
        self, basis: str, users: list[Any], k: int, allowed: Tensor | None, include_seen: bool
    ) -> list[list[Recommended]]:
        everyone = torch.arange(len(users))
        own = [self._having(user) for user in users]
        having = Ragged(torch.tensor([0, *map(len, own)]).cumsum(0), torch.cat(own))
        if basis == "model":
            scores = self._model.ranker.scores(torch.tensor([self._user_rows[str(user)] for user in users]))
        elif basis == "history":
            scores = self._model.ranker.scores(everyone, having)
        else:
            scores = self._popularity.expand(len(users), -1)
        masked = scores if allowed is None else scores.masked_fill(~allowed, -torch.inf)
        top = top_items(masked, None if include_seen else having, everyone, min(k, len(self.item_ids)))
        values = scores.gather(1, top.clamp_min(0)).tolist()
        return [
            [Recommended(self.item_ids[i], score, basis) for i, score in zip(*both, strict=True) if i >= 0]
            for both in zip(top.tolist(), values, strict=True)
        ]

    def _having(self, user: Any) -> Tensor:
        """The rows of the items that a user has, ascending."""
        if isinstance(user, NewUser):
            return user.items
        row = self._user_rows.get(str(user))
        if row is None:
            return torch.tensor(sorted(set(self._beside.get(str(user), ()))), dtype=torch.int64)
        seen = self._model.seen
        return seen.items[seen.offsets[row] : seen.offsets[row + 1]]

    def _allowed(self, candidates: Collection[Any] | None, exclude: Collection[Any]) -> Tensor | None:
        """bool (I,): the items that may be recommended, or None for all."""
        if candidates is None and not len(exclude):
            return None
        allowed = torch.full((len(self.item_ids),), candidates is None)
        allowed[self._rows(candidates or ())[0]] = True
        allowed[self._rows(exclude)[0]] = False
        return allowed

    def _rows(self, items: Collection[Any]) -> tuple[list[int], list[Any]]:
        """The rows of items, and those that the run does not know."""
        if isinstance(items, str):
            raise UserError(f"Items are given as a list of ids, not as the text {items!r:.60}.")
        found = [(item, self._item_rows.get(str(item))) for item in items]
        return [row for _, row in found if row is not None], [item for item, row in found if row is None]


def _many(value: Any) -> bool:
    """Whether it holds ids, not one of them."""
    return isinstance(value, list | tuple | pa.Array | pa.ChunkedArray) or getattr(value, "ndim", 0) > 0


def run(model: str, options: Load) -> LoadedRecommender:
    """See `api.load`."""
    return LoadedRecommender(read_model(model))
