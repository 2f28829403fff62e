"""Returns, and episodes cut into segments: T1 and T3, and naive loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.control.experience.cutting import (
    adaptive_threshold,
    cut_at_rewards,
    cut_by_threshold,
    horizon,
    looks_sparse,
    return_to_go,
)

REWARDS = st.lists(st.sampled_from([0.0, 0.0, 0.0, 1.0, -1.0, 0.5]), min_size=1, max_size=40)


@settings(deadline=None)
@given(REWARDS, st.sampled_from([1.0, 0.9, 0.5]))
def test_returns_are_those_of_a_loop(rewards, gamma):
    naive = [sum(gamma ** (k - t) * rewards[k] for k in range(t, len(rewards))) for t in range(len(rewards))]
    np.testing.assert_allclose(return_to_go(rewards, gamma), naive, atol=1e-12)


def test_t1_a_reward_ends_its_segment_also_a_negative_one():
    rewards = [0, 0, 1, 0, 0, -1, 0, 0, 0]
    starts = cut_at_rewards(rewards)
    assert starts.tolist() == [0, 3, 6]
    returns = return_to_go(rewards)
    for start, stop in zip(starts, [*starts[1:], len(rewards)], strict=True):
        assert len(set(returns[start:stop].tolist())) == 1


@settings(deadline=None)
@given(REWARDS)
def test_all_steps_of_a_sparse_segment_have_one_return(rewards):
    starts, returns = cut_at_rewards(rewards), return_to_go(rewards)
    for start, stop in zip(starts, [*starts[1:], len(rewards)], strict=True):
        assert np.ptp(returns[start:stop]) < 1e-9


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.1, 3))
def test_t3_within_a_dense_segment_returns_differ_by_less_than_the_threshold_and_a_reward(rewards, threshold):
    starts, returns = cut_by_threshold(rewards, threshold), return_to_go(rewards)
    for start, stop in zip(starts, [*starts[1:], len(rewards)], strict=True):
        assert np.ptp(returns[start:stop]) < threshold + max(rewards) + 1e-9


def test_t3_no_threshold_is_one_segment_each_and_none_is_one_for_all():
    rewards = [0.5, 0.25, 0.125, 1.0]
    assert cut_by_threshold(rewards, np.inf).tolist() == [0]
    assert cut_by_threshold(rewards, 1e-9).tolist() == [0, 1, 2, 3]


def test_an_episode_of_usual_return_falls_into_as_many_segments_as_asked():
    rewards = [0.5] * 100
    threshold = adaptive_threshold([sum(rewards)] * 5, 20)
    assert len(cut_by_threshold(rewards, threshold)) == pytest.approx(20, abs=1)
    assert adaptive_threshold([], 20) > 0
    assert adaptive_threshold([0.0, 0.0], 20) > 0


@pytest.mark.parametrize(("gamma", "steps"), [(0.97, 98), (0.99, 298), (1.0, 0)])
def test_the_horizon(gamma, steps):
    assert horizon(gamma) == steps


def test_sparse_is_a_quarter_of_the_steps_at_most():
    assert looks_sparse([0, 0, 0, 1])
    assert not looks_sparse([0, 1, 0, 1])
