"""Some users for all: drawn by the seed among those with something to be found."""

from __future__ import annotations

import torch

from twofold.interactions.evaluation.ranking import rank_all, some_users
from twofold.interactions.ragged import Ragged

PAIRS = torch.tensor([(u, u % 5) for u in range(0, 40, 2)])
RELEVANT = Ragged.of(PAIRS, 40)


def test_users_are_drawn_by_the_seed_among_those_with_something_to_find():
    drawn = some_users(RELEVANT, 7, seed=3)
    assert drawn is not None and len(drawn.unique()) == 7 and not (drawn % 2).any()
    assert torch.equal(drawn, drawn.sort().values)
    same, other = some_users(RELEVANT, 7, seed=3), some_users(RELEVANT, 7, seed=4)
    assert same is not None and other is not None and torch.equal(drawn, same) and not torch.equal(drawn, other)


def test_all_are_taken_where_there_are_no_more():
    assert some_users(RELEVANT, None, 0) is some_users(RELEVANT, 20, 0) is None


def test_the_metrics_are_those_of_the_users_drawn():
    def score(users):
        return torch.arange(50.0).expand(len(users), 50) * (users % 3)[:, None]

    drawn = some_users(RELEVANT, 6, seed=0)
    assert drawn is not None
    whole, some = rank_all(score, RELEVANT, None, (10,)), rank_all(score, RELEVANT, None, (10,), users=drawn)
    among = torch.isin(whole.users, drawn)
    assert torch.equal(some.users, drawn) and some.mean() == whole.mean(among)
