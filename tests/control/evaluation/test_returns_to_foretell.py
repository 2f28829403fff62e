"""Returns to be foretold, and those that are not known."""

from __future__ import annotations

import numpy as np
import pytest

from twofold.control.episode import Episode
from twofold.control.evaluation.returns import targets_of
from twofold.errors import UserError


def episode(rewards, *, terminated=False, truncated=False):
    count = len(rewards)
    return Episode(
        np.zeros((count + 1, 2), np.float32),
        np.zeros(count, np.int64),
        np.asarray(rewards, np.float32),
        np.zeros(count, bool),
        terminated,
        truncated,
    )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.97, 1.0])
def test_returns_are_those_of_a_double_loop(gamma):
    made = [np.random.default_rng(seed).standard_normal(length) for seed, length in enumerate((7, 1, 30))]
    values, known, numbers = targets_of([episode(rewards, terminated=True) for rewards in made], gamma)
    naive = [
        sum(gamma ** (k - t) * rewards[k] for k in range(t, len(rewards)))
        for rewards in made
        for t in range(len(rewards))
    ]
    np.testing.assert_allclose(values, naive, rtol=1e-4, atol=1e-5)
    assert (values.dtype, known.dtype, numbers.dtype) == (np.float32, bool, np.int64)
    assert known.all()
    assert numbers.tolist() == [0] * 7 + [1] + [2] * 30


@pytest.mark.parametrize("gamma, hidden", [(0.97, 98), (0.99, 298), (1.0, 400), (0.0, 0)])
def test_the_tail_of_what_did_not_end_is_unknown(gamma, hidden):
    for ending in ({"truncated": True}, {}):
        known = targets_of([episode(np.ones(400), **ending)], gamma)[1]
        assert known.tolist() == [True] * (400 - hidden) + [False] * hidden


def test_what_ends_by_itself_at_a_limit_has_ended():
    assert targets_of([episode(np.ones(50), terminated=True, truncated=True)], 0.97)[1].all()
    assert not targets_of([episode(np.ones(50), truncated=True)], 0.97)[1].any()


def test_the_same_steps_of_a_log_cut_off_have_nearly_the_same_returns():
    """Field note 4: what is known of the shorter one lies within 5 % of the longer one's."""
    rewards = np.ones(400)
    whole, _, _ = targets_of([episode(rewards, terminated=True)], 0.97)
    part, known, _ = targets_of([episode(rewards[:200])], 0.97)
    assert known.sum() == 102
    np.testing.assert_allclose(part[known], whole[:200][known], rtol=0.052)


def test_no_episode_has_no_steps():
    assert [len(part) for part in targets_of([], 0.9)] == [0, 0, 0]


def test_gamma_lies_between_0_and_1():
    with pytest.raises(UserError, match=r"gamma must lie between 0 and 1, not 1\.5"):
        targets_of([], 1.5)
