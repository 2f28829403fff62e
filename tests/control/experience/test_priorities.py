"""The tree of sums, importance weights, and priorities that stay what they should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.control.experience.priorities import SumTree, importance
from twofold.errors import UserError

from ..small import episode_rows, small_replay, store


def naive_slot(leaves: np.ndarray, aim: float) -> int:
    passed = 0.0
    for slot, priority in enumerate(leaves):
        passed += priority
        if aim < passed:
            return slot
    raise AssertionError


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40).filter(any), st.integers(0, 5))
def test_draws_are_those_of_cumulated_priorities(priorities, seed):
    tree = SumTree(len(priorities))
    tree.put(np.arange(len(priorities)), np.array(priorities, float))
    assert tree.total == sum(priorities)
    drawn = tree.draw(16, np.random.default_rng(seed))
    aims = (np.arange(16) + np.random.default_rng(seed).random(16)) * (tree.total / 16)
    assert list(drawn) == [naive_slot(tree.leaves, aim) for aim in aims]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 33), st.lists(st.tuples(st.integers(0, 32), st.floats(0, 10)), max_size=30))
def test_one_by_one_at_once_and_restored_are_the_same_tree(size, changes):
    one, many = SumTree(size), SumTree(size)
    for slot, priority in changes:
        one.put_one(slot % size, priority)
        many.put(np.array([slot % size]), np.array([priority]))
    restored = SumTree(size)
    restored.restore(one.leaves.copy())
    assert (one.sums == many.sums).all() and (one.sums == restored.sums).all()
    assert one.total == pytest.approx(one.leaves.sum())


def test_the_last_of_a_slots_priorities_counts():
    tree = SumTree(5)
    tree.put(np.array([2, 2, 4]), np.array([1.0, 3.0, 2.0]))
    assert list(tree.leaves) == [0, 0, 3, 0, 2]
    tree.put(np.array([], np.int64), np.array([]))
    assert tree.total == 5


def test_the_share_of_draws_is_that_of_the_priorities():
    tree = SumTree(6)
    tree.put(np.arange(6), np.array([0, 1, 2, 0, 3, 4.0]))
    counts = np.bincount(tree.draw(10_000, np.random.default_rng(0)), minlength=6)
    assert counts / 10_000 == pytest.approx([0, 0.1, 0.2, 0, 0.3, 0.4], abs=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_a_priority_that_cannot_be_is_refused(bad):
    """Note 29: at the update that brings it; the tree stays as it was."""
    replay = small_replay(40, alpha=1.0)
    store(replay, episode_rows(0, [0.0] * 20))
    before = replay.tree.sums.copy()
    if bad != -1.0:
        with pytest.raises(UserError, match=f"A priority of the replay is {bad}"):
            replay.heed(np.array([1, 2]), np.array([1.0, bad]))
    with pytest.raises(UserError, match=r"lower the learning rate\.$"):
        replay.tree.put(np.array([1, 2]), np.array([1.0, bad]))
    assert (replay.tree.sums == before).all() and np.isfinite(replay.tree.total)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=8), st.floats(0, 1), st.integers(8, 10_000))
def test_importance_is_that_of_the_paper(priorities, beta, stored):
    total = 3.0 * sum(priorities)
    weights = [(stored * p / total) ** -beta for p in priorities]
    found = importance(np.array(priorities), beta)
    assert found == pytest.approx([w / max(weights) for w in weights], rel=1e-5)


def test_the_largest_weight_is_1_however_large_the_replay():
    """Note 28: priorities 1 and 1e-6 at beta 0.4, and the same batch in a replay 100 times as large."""
    weights = importance(np.array([1.0, 1e-6]), 0.4)
    assert weights.max() == 1 and weights.min() == pytest.approx(1e-6**0.4, rel=1e-5)
    found = []
    for capacity in (64, 6400):
        replay = small_replay(capacity, alpha=1.0)
        store(replay, episode_rows(0, [0.0] * 20))
        replay.heed(np.arange(20), np.linspace(0.1, 2, 20))
        drawn = replay.draw(8, np.random.default_rng(0), 0.4)
        found.append((drawn.positions.tolist(), drawn.weights.tolist()))
    assert found[0] == found[1]


def test_new_steps_come_with_the_largest_priority_and_old_ones_with_their_loss():
    replay = small_replay(40, alpha=0.5)
    store(replay, episode_rows(0, [0.0] * 5))
    assert (replay.priority[:5] == 1).all()
    replay.heed(np.array([1, 2]), np.array([9.0, 0.25]))
    store(replay, episode_rows(1, [0.0] * 2))
    assert list(replay.priority[:9]) == [1, 3, 0.5, 1, 1, 0, 3, 3, 0]


def test_a_loss_that_comes_after_its_step_is_gone_changes_nothing():
    replay = small_replay(10, stack=1)
    store(replay, episode_rows(0, [0.0] * 5))
    drawn = replay.draw(5, np.random.default_rng(0))
    store(replay, episode_rows(1, [0.0] * 8, "limit", last=False)[:-1])
    gone = drawn.positions[drawn.positions < replay.oldest]
    assert len(gone)
    zeros = replay.priority == 0
    replay.heed(np.array([5]), np.array([3.0]))  # the row of a last frame
    assert (replay.priority[zeros] == 0).all()
