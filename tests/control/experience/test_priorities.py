"""The tree of sums, and the weights that undo the choice (field note 28)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.control.experience.priorities import SumTree, importance
from twofold.errors import UserError


@settings(deadline=None)
@given(st.integers(1, 40), st.lists(st.tuples(st.integers(0, 39), st.floats(0, 10)), min_size=1, max_size=60))
def test_sums_are_those_of_the_leaves(size, puts):
    tree, plain = SumTree(size), np.zeros(size)
    for slot, priority in puts:
        tree.put_one(slot % size, priority)
        plain[slot % size] = priority
    np.testing.assert_array_equal(tree.leaves, plain)
    assert tree.total == pytest.approx(plain.sum())
    other = SumTree(size)
    other.restore(plain)
    np.testing.assert_allclose(other.sums, tree.sums)
    slots = np.arange(size)
    other.put(slots, plain[::-1].copy())
    assert other.total == pytest.approx(plain.sum())


def test_slots_are_drawn_by_their_priorities_and_never_where_there_is_none():
    tree, rng = SumTree(6), np.random.default_rng(0)
    tree.put(np.arange(6), np.asarray([0.0, 1.0, 2.0, 0.0, 5.0, 0.0]))
    drawn = np.concatenate([tree.draw(8, rng) for _ in range(4000)])
    shares = np.bincount(drawn, minlength=6) / len(drawn)
    np.testing.assert_allclose(shares, np.asarray([0, 1, 2, 0, 5, 0]) / 8, atol=0.01)
    assert shares[[0, 3, 5]].sum() == 0


def test_the_largest_weight_of_a_batch_is_one_whatever_is_stored():
    priorities = np.asarray([1.0, 1e-6])
    weights = importance(priorities, 1.0 + 1e-6, 2, 0.4)
    assert weights.max() == 1
    np.testing.assert_allclose(weights[0], (1e-6) ** 0.4, rtol=1e-5)
    np.testing.assert_allclose(importance(priorities, 100.0, 200, 0.4), weights, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_a_priority_that_is_no_number_is_refused(bad):
    with pytest.raises(UserError, match="not finite"):
        SumTree(4).put(np.asarray([1]), np.asarray([bad]))
