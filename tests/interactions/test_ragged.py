"""The items of each user, against sets."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from twofold.interactions.ragged import Ragged

USERS, ITEMS = 6, 9
PAIRS = st.lists(st.tuples(st.integers(0, USERS - 1), st.integers(0, ITEMS - 1)), max_size=40)


def as_array(pairs):
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


@given(pairs=PAIRS, asked=st.lists(st.integers(0, USERS - 1), max_size=8))
def test_it_is_the_sets(pairs, asked):
    sets = [sorted({i for u, i in pairs if u == user}) for user in range(USERS)]
    ragged = Ragged.of(as_array(pairs), USERS)
    assert len(ragged) == USERS
    assert ragged.count().tolist() == [len(own) for own in sets]
    row, item = ragged.rows(torch.tensor(asked, dtype=torch.int64))
    expected = [(r, i) for r, user in enumerate(asked) for i in sets[user]]
    assert list(zip(row.tolist(), item.tolist(), strict=True)) == expected


@given(pairs=PAIRS, asked=st.lists(st.tuples(st.integers(0, USERS - 1), st.integers(-1, ITEMS + 2)), max_size=8))
def test_holds_is_membership(pairs, asked):
    users = torch.tensor([u for u, _ in asked], dtype=torch.int64)
    items = torch.tensor([[i, i + 1] for _, i in asked], dtype=torch.int64).reshape(-1, 2)
    found = Ragged.of(torch.from_numpy(as_array(pairs)), USERS).holds(users, items)
    expected = [[(u, i) in pairs, (u, i + 1) in pairs] for u, i in asked]
    assert found.tolist() == expected


@pytest.mark.parametrize("pair", [(3, 0), (-1, 0), (0, -1)])
def test_ids_out_of_range_are_refused(pair):
    with pytest.raises(ValueError, match="must lie in"):
        Ragged.of(as_array([pair]), 3)
