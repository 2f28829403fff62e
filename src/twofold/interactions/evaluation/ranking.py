"""All items ranked for every user: the K best, what they are worth, and the memory that takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.interactions.ragged import Ragged
from twofold.randomness import generator
from twofold.runs.screen import OnProgress

METRICS = ("recall", "ndcg", "precision", "map", "mrr", "hit")
MEMORY = 256 << 20  # bytes that ranking may take beside the model
_ROWS = 64  # rows whose ties are settled at a time


@dataclass(frozen=True)
class Ranking:
    """The items ranked first for the users that have something to be found, and what these lists are worth.

    users: int64 (n,). top: int64 (n, greatest K or I), -1 where a list ends early. ks: the lengths of the lists.
    per_user: of each metric, float64 (n, len(ks)). untrained: bool (n,), the users without any seen item.
    """

    users: Tensor
    top: Tensor
    ks: tuple[int, ...]
    per_user: dict[str, Tensor]
    untrained: Tensor

    def mean(self, among: Tensor | None = None) -> dict[str, float]:
        """{"recall@20": mean over the users, ...} in float64, 0..1. among: bool (n,), the users that count; NaN where
        there are none."""
        values = {name: part if among is None else part[among] for name, part in self.per_user.items()}
        means = {name: part.mean(0).tolist() for name, part in values.items()}
        return {f"{name}@{k}": value for name in means for k, value in zip(self.ks, means[name], strict=True)}

    def untrained_mean(self) -> dict[str, float] | None:
        """`mean` over the users without any seen item, whose rows no training has touched; None if there are none."""
        return self.mean(self.untrained) if bool(self.untrained.any()) else None


def rank_all(
    score: Callable[[Tensor], Tensor],
    relevant: Ragged,
    seen: Ragged | None,
    ks: Sequence[int],
    *,
    chunk_rows: int | None = None,
    memory_bytes: int = MEMORY,
    users: Tensor | None = None,
    on_progress: OnProgress | None = None,
) -> Ranking:
    """Rank all items for every user that has a relevant one (He et al., SIGIR 2020: the all-ranking protocol).

    score: users, int64 (b,) -> scores (b, I). relevant: what is to be found; seen: what is not recommended again.
    ks: lengths of the lists, at least 1. users: int64 (m,), to rank for these only. Scores are made for as many users
    at a time as `memory_bytes` allows by `memory_estimate`, or for `chunk_rows`. UserError where no user has a relevant
    item, or scores are NaN.
    """
    ks = tuple(ks)
    if not ks or min(ks) < 1:
        raise UserError(f"The length of a list of recommendations must be at least 1, not {', '.join(map(str, ks))}.")
    users = _with_something_to_find(relevant, users)
    tops: list[Tensor] = []
    found: list[dict[str, Tensor]] = []
    done, rows = 0, chunk_rows or 1
    with torch.no_grad():
        while done < len(users):
            part = users[done : done + rows]
            scores = score(part)
            within = [min(k, scores.shape[1]) for k in ks]  # no list is longer than all items
            tops.append(top_items(scores, seen, part, max(within)).to(users.device))
            found.append(metrics_of(tops[-1], relevant, part, within))
            shares = [w / k for w, k in zip(within, ks, strict=True)]
            found[-1]["precision"] *= found[-1]["precision"].new_tensor(shares)
            done += len(part)
            rows = chunk_rows or _rows_within(memory_bytes, scores.shape[1], scores.element_size())
            if on_progress:
                on_progress(done, len(users))
    per_user = {name: torch.cat([part[name] for part in found]) for name in METRICS}
    known = torch.ones(len(relevant), dtype=torch.bool) if seen is None else seen.count() > 0
    return Ranking(users, torch.cat(tops), ks, per_user, ~known[users])


def _with_something_to_find(relevant: Ragged, users: Tensor | None) -> Tensor:
    counts = relevant.count()
    users = torch.nonzero(counts)[:, 0] if users is None else users[counts[users] > 0]
    if not len(users):
        raise UserError(
            "No user has an item to be found in the part to test on: give a part with pairs of known users and items."
        )
    return users


def some_users(relevant: Ragged, most: int | None, seed: int) -> Tensor | None:
    """At most so many of the users that have something to be found, drawn by the seed, ascending: int64 (n,).

    None, which is all, where there are no more of them, or `most` is None.
    """
    having = torch.nonzero(relevant.count())[:, 0]
    if most is None or len(having) <= most:
        return None
    drawn = torch.randperm(len(having), generator=generator(seed, "users ranked for"))
    return having[drawn[:most].sort().values]


def memory_estimate(rows: int, items: int, bytes_per_score: int = 4) -> int:
    """Bytes that ranking `rows` users at a time takes at most, beside the model: their scores, a copy without what
    they have seen, and the rows whose ties are being settled."""
    return items * (2 * bytes_per_score * rows + (bytes_per_score + 9) * min(rows, _ROWS))


def top_items(scores: Tensor, seen: Ragged | None, users: Tensor, k: int) -> Tensor:
    """The k best items of each row, best first, int64 (b, k); of items with equal scores the lower id comes first.

    scores: (b, I), left as they are. users: int64 (b,), whose rows they are; their `seen` items are not ranked, nor is
    an item of score -inf. A list with fewer than k items ends in -1. UserError where a score is NaN.
    """
    if seen is not None:
        row, item = (part.to(scores.device) for part in seen.rows(users.to(seen.offsets.device)))
        scores = scores.clone(memory_format=torch.contiguous_format)
        scores[row, item] = -torch.inf
    found, ids = scores.topk(min(k + 1, scores.shape[1]))
    if bool(found[:, :1].isnan().any()):  # which topk takes for the greatest
        raise UserError("The scores hold NaN: the model has diverged.")
    top, values = _by_id_where_equal(ids[:, :k], found[:, :k])
    if found.shape[1] > k:
        last = found[:, k - 1]
        open_ended = torch.nonzero((last == found[:, k]) & (last > -torch.inf))[:, 0]
        for rows in open_ended.split(_ROWS):
            top[rows] = _lowest_of_the_last(scores[rows], values[rows], top[rows])
    top = top.masked_fill(values == -torch.inf, -1)
    return torch.nn.functional.pad(top, (0, k - top.shape[1]), value=-1)


def metrics_of(top: Tensor, relevant: Ragged, users: Tensor, ks: Sequence[int]) -> dict[str, Tensor]:
    """Each of METRICS for each list at each length, float64 (n, len(ks)), 0..1; NaN for a user without relevant items.

    top: int64 (n, at least the greatest K), items by falling score, -1 for no item, which is a miss. users: int64 (n,).
    With hit_r = 1 where the item at rank r = 1..K is one of the user's T relevant ones:

        precision = sum hit_r / K              recall = sum hit_r / T
        ndcg = sum_r hit_r / log2(r + 1), over the same sum of min(T, K) hits on the first ranks
        map = sum_r hit_r precision@r / min(T, K)
        mrr = 1 / rank of the first hit, or 0   hit = 1 where there is any
    """
    if top.shape[1] < max(ks):
        raise ValueError(f"lists of {top.shape[1]} items do not say what is worth {max(ks)}.")
    hits = relevant.holds(users, top).double()
    total = (relevant.offsets[users + 1] - relevant.offsets[users])[:, None]
    rank = torch.arange(1, top.shape[1] + 1, device=top.device, dtype=torch.float64)
    at = torch.tensor(list(ks), device=top.device)
    possible = torch.minimum(total, at)
    discount = (rank + 1).log2().reciprocal()
    first = (hits.cumsum(1) == 1) & (hits == 1)
    end = at - 1
    found = hits.cumsum(1)[:, end]
    ideal = discount.cumsum(0)[(possible - 1).clamp_min(0)]
    values = {
        "recall": found / total,
        "ndcg": (hits * discount).cumsum(1)[:, end] / ideal,
        "precision": found / at,
        "map": (hits * hits.cumsum(1) / rank).cumsum(1)[:, end] / possible,
        "mrr": (first / rank).cumsum(1)[:, end],
        "hit": (found > 0).double(),
    }
    return {name: values[name].masked_fill(total == 0, torch.nan) for name in METRICS}


def _rows_within(memory_bytes: int, items: int, bytes_per_score: int) -> int:
    """The most rows of which `memory_estimate` stays within the bound; at least 1."""
    beyond = memory_bytes - memory_estimate(_ROWS, items, bytes_per_score)
    if beyond >= 0:
        return _ROWS + beyond // max(1, 2 * bytes_per_score * items)
    return max(1, memory_bytes // max(1, memory_estimate(1, items, bytes_per_score)))


def _by_id_where_equal(ids: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of items and their scores by falling score, then by id."""
    ids, order = ids.sort(dim=1)
    values, order = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    return ids.gather(1, order), values


def _lowest_of_the_last(scores: Tensor, values: Tensor, top: Tensor) -> Tensor:
    """The lists (r, k) in which, of all items (r, I) that share the last score, those with the lowest ids stand."""
    items, k = scores.shape[1], top.shape[1]
    last = values[:, -1:]
    falling = torch.arange(items, 0, -1, device=scores.device, dtype=torch.int32)
    tied = items - ((scores == last) * falling).topk(k).values.long()
    above = (values > last).sum(1, keepdim=True)
    place = torch.arange(k, device=top.device) - above
    return torch.where(place < 0, top, tied.gather(1, place.clamp_min(0)))
