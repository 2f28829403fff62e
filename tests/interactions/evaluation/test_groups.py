"""Long-tail groups against a loop, and their parts against Recall@K."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.interactions.evaluation.groups import group_contributions, item_groups
from twofold.interactions.evaluation.ranking import rank_all
from twofold.interactions.ragged import Ragged


def pairs_of(degrees):
    return np.array([(u, i) for i, degree in enumerate(degrees) for u in range(degree)], np.int64).reshape(-1, 2)


@given(degrees=st.lists(st.integers(0, 12), min_size=1, max_size=30), groups=st.integers(1, 10))
def test_the_groups_are_the_loop(degrees, groups):
    expected, mass, total = [0] * len(degrees), 0, sum(degrees)
    for item in sorted(range(len(degrees)), key=lambda i: (degrees[i], i)):
        mass += degrees[item]
        expected[item] = sum(part * total < mass * groups for part in range(1, groups))
    assert item_groups(pairs_of(degrees), len(degrees), groups).tolist() == expected


@settings(deadline=None)
@given(seed=st.integers(0, 1000), k=st.sampled_from([1, 5, 20]))
def test_the_parts_add_up_to_recall(seed, k):
    draws = np.random.default_rng(seed)
    test, train = (np.argwhere(draws.random((20, 30)) < share) for share in (0.1, 0.3))
    test = np.concatenate([test, [[3, 3]]])
    scores, relevant, seen = torch.rand(20, 30), Ragged.of(test, 20), Ragged.of(train, 20)
    ranking = rank_all(lambda u: scores[u], relevant, seen, (k,))
    groups = item_groups(train, 30, 4)
    group = groups.tolist()
    parts = group_contributions(ranking.top, relevant, ranking.users, groups, 4)
    assert parts.sum().item() == pytest.approx(ranking.mean()[f"recall@{k}"], abs=1e-12)
    for g in range(4):
        shares = []
        for top, user in zip(ranking.top.tolist(), ranking.users.tolist(), strict=True):
            own = {int(i) for u, i in test if u == user}
            shares.append(sum(i in own and group[i] == g for i in top if i >= 0) / len(own))
        assert parts[g].item() == pytest.approx(sum(shares) / len(shares), abs=1e-12)


def test_users_with_nothing_to_find_do_not_count():
    relevant = Ragged.of(np.array([[1, 0]]), 2)
    parts = group_contributions(torch.tensor([[0], [0]]), relevant, torch.arange(2), torch.tensor([1, 0]), 2)
    assert parts.tolist() == [0, 1]
