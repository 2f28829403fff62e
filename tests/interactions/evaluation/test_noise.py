"""Random pairs: as many as asked, new, distinct, forbidden nowhere, uniform."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.errors import UserError
from twofold.interactions.evaluation.noise import add_noise

USERS, ITEMS = 7, 11
CELLS = st.sets(st.tuples(st.integers(0, USERS - 1), st.integers(0, ITEMS - 1)))


def as_array(pairs):
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


@settings(deadline=None)
@given(train=CELLS, test=CELLS, share=st.floats(0, 3), seed=st.integers(0, 99))
def test_new_pairs_are_new(train, test, share, seed):
    test = test - train
    count, room = int(share * len(train)), USERS * ITEMS - len(train) - len(test)
    arguments = as_array(train), share, USERS, ITEMS, as_array(test), seed
    if count > room:
        with pytest.raises(UserError, match=f"random pairs are wanted, but only {room} pairs are free"):
            add_noise(*arguments)
        return
    noisy = add_noise(*arguments)
    found = [tuple(pair) for pair in noisy.tolist()]
    assert found == sorted(set(found))
    assert len(found) == len(train) + count
    assert train <= set(found) and not test & set(found)
    assert all(0 <= u < USERS and 0 <= i < ITEMS for u, i in found)
    assert np.array_equal(add_noise(*arguments), noisy)


def test_seeds_differ_and_every_free_pair_is_as_likely():
    train, counts = as_array({(u, 0) for u in range(4)}), np.zeros((4, 10))
    for seed in range(2000):
        noisy = add_noise(train, 1.5, 4, 10, None, seed)
        np.add.at(counts, tuple(noisy.T), 1)
    assert (counts[:, 0] == 2000).all()
    expected = 2000 * 6 / 36
    assert np.abs(counts[:, 1:] - expected).max() < 5 * expected**0.5


@pytest.mark.parametrize("share", [-0.1, float("nan"), float("inf")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(UserError, match="0 or more"):
        add_noise(as_array({(0, 0)}), share, 2, 2)
