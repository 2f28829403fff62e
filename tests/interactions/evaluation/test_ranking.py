"""Ranking and its metrics against explicit loops in float64."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.errors import UserError
from twofold.interactions.evaluation.ranking import METRICS, memory_estimate, metrics_of, rank_all, top_items
from twofold.interactions.ragged import Ragged

KS = (1, 5, 20)


def loop_top(scores, seen, k):
    """The best ids of one row, by falling score and then by id."""
    left = [i for i in range(len(scores)) if i not in seen and scores[i] > -math.inf]
    best = sorted(left, key=lambda i: (-scores[i], i))[:k]
    return best + [-1] * (k - len(best))


def loop_metrics(top, relevant, k):
    """Each metric of one list at K, spelt out."""
    hits = [1 if item in relevant else 0 for item in top[:k]]
    dcg = sum(hit / math.log2(r + 1) for r, hit in enumerate(hits, 1))
    ideal = sum(1 / math.log2(r + 1) for r in range(1, min(len(relevant), k) + 1))
    at_hits = sum(sum(hits[:r]) / r for r, hit in enumerate(hits, 1) if hit)
    ranks = [r for r, hit in enumerate(hits, 1) if hit]
    return {
        "recall": sum(hits) / len(relevant),
        "ndcg": dcg / ideal,
        "precision": sum(hits) / k,
        "map": at_hits / min(len(relevant), k),
        "mrr": 1 / ranks[0] if ranks else 0.0,
        "hit": float(bool(ranks)),
    }


def sets_of(pairs, users):
    return [{int(i) for u, i in pairs if u == user} for user in range(users)]


def world(users=40, items=60, *, values, seed=0):
    """Scores of `values` different values, seen and relevant pairs: user 0 has seen everything, user 1 nothing, users 2
    and 3 have nothing to find."""
    draws = np.random.default_rng(seed)
    scores = torch.from_numpy(draws.integers(values, size=(users, items)).astype(np.float32))
    kind = draws.random((users, items))
    kind[0, :3], kind[1, -3:] = 0.95, 0.95
    kind[1] = np.maximum(kind[1], 0.5)
    kind[2:4] = np.minimum(kind[2:4], 0.5)
    seen = np.argwhere(kind < 0.3)
    seen = np.concatenate([seen, np.argwhere(kind[:1] >= 0)])
    return scores, seen, np.argwhere(kind > 0.9)


@pytest.mark.parametrize("values", [1, 4, 1 << 20])
@pytest.mark.parametrize("items", [60, 12])
def test_every_metric_is_the_loop(values, items):
    scores, seen, test = world(items=items, values=values)
    seen_sets, test_sets = sets_of(seen, 40), sets_of(test, 40)
    ranking = rank_all(lambda u: scores[u], Ragged.of(test, 40), Ragged.of(seen, 40), KS, chunk_rows=7)
    users = [u for u in range(40) if test_sets[u]]
    assert ranking.users.tolist() == users
    assert 0 in users and not {2, 3} & set(users)
    rows = []
    for place, user in enumerate(users):
        top = loop_top(scores[user].tolist(), seen_sets[user], max(KS))
        assert ranking.top[place].tolist() == top[:items]
        rows.append([loop_metrics(top, test_sets[user], k) for k in KS])
        for name in METRICS:
            expected = [row[name] for row in rows[-1]]
            assert ranking.per_user[name][place].tolist() == pytest.approx(expected, abs=1e-12)
    assert ranking.top[0].tolist() == [-1] * min(max(KS), items)
    mean = ranking.mean()
    assert len(mean) == len(METRICS) * len(KS)
    for name in METRICS:
        for i, k in enumerate(KS):
            assert mean[f"{name}@{k}"] == pytest.approx(math.fsum(r[i][name] for r in rows) / len(rows), abs=1e-12)


@settings(deadline=None)
@given(
    values=st.lists(st.lists(st.sampled_from([-math.inf, -1.0, -0.0, 0.0, 0.5, math.inf]), min_size=7, max_size=7)),
    seen=st.sets(st.tuples(st.integers(0, 4), st.integers(0, 6))),
    k=st.integers(1, 10),
)
def test_the_lists_are_the_loop_whatever_the_ties(values, seen, k):
    scores = torch.tensor(values).reshape(-1, 7)
    users = torch.arange(len(scores)) % 5
    before = scores.clone()
    top = top_items(scores, Ragged.of(np.array(sorted(seen), np.int64).reshape(-1, 2), 5), users, k)
    assert torch.equal(scores, before)
    for row, user in enumerate(users.tolist()):
        own = {i for u, i in seen if u == user}
        assert top[row].tolist() == loop_top(values[row], own, k)


def test_ties_at_the_end_of_many_rows_go_to_the_lower_id():
    scores = torch.zeros(200, 1000)
    scores[:, 777] = 1
    top = top_items(scores, None, torch.arange(200), 4)
    assert top.tolist() == [[777, 0, 1, 2]] * 200
    assert top_items(torch.zeros(1, 3).expand(2, 3), Ragged.of(np.array([[0, 0]]), 2), torch.arange(2), 2).tolist() == [
        [1, 2],
        [0, 1],
    ]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1000), rows=st.integers(1, 50), memory=st.integers(1, 100_000))
def test_chunks_change_nothing(seed, rows, memory):
    scores, seen, test = world(values=6, seed=seed)
    parts = Ragged.of(test, 40), Ragged.of(seen, 40), KS
    whole = rank_all(lambda u: scores[u], *parts, chunk_rows=40)
    for bound in ({"chunk_rows": rows}, {"memory_bytes": memory}):
        again = rank_all(lambda u: scores[u], *parts, **bound)
        assert torch.equal(again.top, whole.top)
        assert again.mean() == whole.mean()


@settings(deadline=None)
@given(seed=st.integers(0, 1000))
def test_what_longer_lists_cannot_lose(seed):
    scores, seen, test = world(values=50, seed=seed)
    ranking = rank_all(lambda u: scores[u], Ragged.of(test, 40), Ragged.of(seen, 40), range(1, 21))
    for name in ("recall", "hit", "mrr"):
        assert bool((ranking.per_user[name].diff(dim=1) >= 0).all())
    for name in METRICS:
        assert bool(((ranking.per_user[name] >= 0) & (ranking.per_user[name] <= 1 + 1e-12)).all())


def test_a_perfect_list_is_worth_one():
    test = np.argwhere(np.random.default_rng(0).random((9, 30)) < 0.3)
    scores = torch.zeros(9, 30)
    scores[test[:, 0], test[:, 1]] = 1
    mean = rank_all(lambda u: scores[u], Ragged.of(test, 9), None, (30,)).mean()
    assert all(mean[f"{name}@30"] == pytest.approx(1) for name in METRICS if name != "precision")


@pytest.mark.parametrize("memory", [1, 10_000, 100_000, 1_000_000])
def test_the_chunks_stay_within_the_stated_memory(memory):
    asked = []

    def score(users):
        asked.append(len(users))
        return torch.zeros(len(users), 100)

    everyone = Ragged.of(np.stack([np.arange(900), np.zeros(900, np.int64)], 1), 900)
    rank_all(score, everyone, None, (1,), memory_bytes=memory)
    assert sum(asked) == 900
    assert max(asked) == 1 or memory_estimate(max(asked), 100) <= memory
    more = max(asked) + 1
    assert memory_estimate(more, 100) > memory or more > 899


def test_users_without_a_seen_item_are_told_apart():
    scores, seen, test = world(values=9)
    parts = Ragged.of(test, 40), Ragged.of(seen, 40), KS
    ranking = rank_all(lambda u: scores[u], *parts)
    assert ranking.users[ranking.untrained].tolist() == [1]
    alone = rank_all(lambda u: scores[u], *parts, users=torch.tensor([2, 1]))
    assert alone.users.tolist() == [1]
    assert ranking.untrained_mean() == alone.mean()
    assert rank_all(lambda u: scores[u], parts[0], None, KS, users=torch.tensor([1])).untrained_mean() is None


def test_a_user_with_nothing_to_find_has_no_metric():
    found = metrics_of(torch.tensor([[0, -1], [1, 0]]), Ragged.of(np.array([[1, 0]]), 2), torch.arange(2), (1, 2))
    assert all(bool(values[0].isnan().all()) and not bool(values[1].isnan().any()) for values in found.values())
    with pytest.raises(ValueError, match="lists of 2 items"):
        metrics_of(torch.zeros(1, 2, dtype=torch.int64), Ragged.of(np.array([[1, 0]]), 2), torch.arange(1), (3,))


def test_progress_ends_at_all_users():
    scores, seen, test = world(values=9)
    calls = []
    ranking = rank_all(
        lambda u: scores[u],
        Ragged.of(test, 40),
        Ragged.of(seen, 40),
        KS,
        chunk_rows=9,
        on_progress=lambda done, total: calls.append((done, total)),
    )
    assert calls[-1] == (len(ranking.users),) * 2
    assert len(calls) == -(-len(ranking.users) // 9)


def test_what_cannot_be_ranked_is_refused():
    one = Ragged.of(np.array([[0, 1]]), 2)
    with pytest.raises(UserError, match="at least 1, not 20, 0"):
        rank_all(lambda u: torch.zeros(len(u), 3), one, None, (20, 0))
    with pytest.raises(UserError, match="No user has an item"):
        rank_all(lambda u: torch.zeros(len(u), 3), Ragged.of(np.empty((0, 2), np.int64), 2), None, KS)
    with pytest.raises(UserError, match="NaN"):
        rank_all(lambda u: torch.tensor([[0, torch.nan, 1]]), one, None, KS)
