"""Triples: positives are the user's, negatives are not, draws are even and a function of (seed, epoch, index)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.errors import UserError
from twofold.interactions.graph import Bipartite
from twofold.interactions.views.triples import Triples
from twofold.seam import Batch

from ..graph_data import ITEMS, graph, random_graph


def draws(index):
    return Batch(index)


@given(st.integers(1, 12), st.integers(2, 9), st.integers(0, 10_000), st.sampled_from(["user", "interaction"]))
@settings(max_examples=60, deadline=None)
def test_positives_are_the_users_and_negatives_are_not(users, items, seed, sampling):
    data = random_graph(users, items, 0.5, seed)
    counts = torch.bincount(data.pairs[:, 0], minlength=users)
    if not ((counts > 0) & (counts < items)).any():
        return
    triples = Triples(*data, sampling=sampling, seed=seed)
    found = triples(draws(torch.arange(200)), 3).tensors
    known = {tuple(pair) for pair in data.pairs.tolist()}
    for user, positive, negative in zip(*(column.tolist() for column in found), strict=True):
        assert (user, positive) in known and (user, negative) not in known and 0 <= negative < items


def test_users_with_one_item_none_or_all():
    data = graph()
    everything = Bipartite(torch.cat([data.pairs, torch.tensor([[6, i] for i in range(ITEMS)])]), 7, ITEMS)
    for sampling in ("user", "interaction"):
        triples = Triples(*everything, sampling=sampling, seed=0)
        users = triples(draws(torch.arange(500)), 0).tensors[0]
        assert set(users.tolist()) == {0, 2, 3, 4, 5} and triples.skipped == 1
    full = torch.tensor([[u, i] for u in range(2) for i in range(2)])
    with pytest.raises(UserError, match="Every user has used every item"):
        Triples(full, 2, 2, sampling="user", seed=0)


def test_users_are_drawn_evenly_or_by_their_pairs():
    data = random_graph(seed=3)
    counts = torch.bincount(data.pairs[:, 0], minlength=data.users).double()
    index = torch.arange(40_000)
    users, positives, negatives = Triples(*data, sampling="user", seed=0)(draws(index), 0).tensors
    shares = torch.bincount(users, minlength=data.users) / len(index)
    assert shares.tolist() == pytest.approx([1 / data.users] * data.users, abs=0.005)
    of_one = positives[users == 7]
    assert torch.bincount(of_one).double()[of_one.unique()].std() / len(of_one) < 0.03
    unseen = negatives[users == 7]
    assert len(unseen.unique()) == data.items - int(counts[7])
    users, positives, _ = Triples(*data, sampling="interaction", seed=0)(
        draws(torch.arange(len(data.pairs))), 0
    ).tensors
    assert torch.equal(torch.stack([users, positives], 1), data.pairs)


def test_draws_do_not_depend_on_the_batch_they_come_in():
    triples = Triples(*random_graph(), sampling="user", seed=4)
    index = torch.arange(300)
    whole = triples(draws(index), 2).tensors
    parts = [triples(draws(part), 2).tensors for part in index.split(70)]
    for column, pieces in zip(whole, zip(*parts, strict=True), strict=True):
        assert torch.equal(column, torch.cat(pieces))
    assert not torch.equal(whole[0], triples(draws(index), 3).tensors[0])
    assert not torch.equal(whole[0], Triples(*random_graph(), sampling="user", seed=5)(draws(index), 2).tensors[0])
