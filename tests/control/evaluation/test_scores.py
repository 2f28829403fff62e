"""Scores summed up: episodes are no seeds, what is missing is said, and so is what has no interval (field note 13)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from twofold.control.evaluation.bootstrap import mean, stratified
from twofold.control.evaluation.scores import aggregate, differences, improvement_of
from twofold.control.evaluation.table import Played, of_both, table_of
from twofold.errors import UserError


def played(agent, task, *seeds, episodes=1, first=0):
    """An episode or more of each seed, of this mean."""
    return [
        Played(agent, task, first + seed, episode, score + (-1) ** episode * (episodes > 1))
        for seed, score in enumerate(seeds)
        for episode in range(episodes)
    ]


def by_name(found):
    return {one.name: one for one in found}


def test_episodes_are_no_seeds():
    """Note 13: three seeds of 50 episodes with means 0, 5 and 10 are three numbers, not 150."""
    found = by_name(aggregate(played("rainbow", "pong", 0, 5, 10, episodes=50)))["mean"]
    assert found.value == pytest.approx(5)
    assert (found.low, found.high) == stratified([np.asarray([0.0, 5, 10])], mean) == pytest.approx((0, 10))
    assert (found.tasks, found.seeds, found.episodes) == (1, 3, 50)
    assert found.describe() == "rainbow: mean 5 [0, 10] (1 tasks x 3 seeds x 50 episodes)"


def test_a_seed_of_more_episodes_weighs_no_more():
    many = [Played("a", "t", 0, episode, 1.0) for episode in range(100)]
    found = by_name(aggregate([*many, *played("a", "t", 4, 4, first=1)]))["mean"]
    assert found.value == 3
    assert found.episodes == 1
    assert "1 to 100 episodes" in found.note


def test_few_seeds_have_no_interval_and_it_is_said():
    (found, *_) = aggregate(played("a", "t", 1, 2))
    assert found.value == 1.5
    assert found.low is None and found.high is None
    assert found.note == "no interval of fewer than 3 seeds, and t has 2"
    assert "[" not in found.describe()


def test_what_is_missing_is_counted():
    some = [*played("a", "one", 1, 2, 3, 4), *played("a", "two", 5, 6, 7)]
    found = by_name(aggregate([*some, *played("b", "three", 1, 2, 3)]))
    assert "5 of 12 combinations of task and seed are missing" in aggregate([*some, *played("b", "three", 1)])[0].note
    found = by_name(aggregate(some))
    assert "1 of 8 combinations" in found["mean"].note
    assert found["mean"].value == pytest.approx((2.5 + 6) / 2)
    assert found["mean"].seeds == 3
    assert found["mean"].low < found["mean"].value < found["mean"].high


def test_human_scores_are_of_games_that_have_them():
    both = [*played("a", "ALE/Pong-v5", -20.7, -20.7, 14.6), *played("a", "CartPole-v1", 1, 2, 3)]
    found = by_name(aggregate(both, normalised=True))
    assert found["mean"].value == pytest.approx(1 / 3)
    assert found["optimality gap"].value == pytest.approx(2 / 3)
    assert "CartPole-v1" in found["mean"].note
    assert found["mean"].tasks == 1
    with pytest.raises(UserError, match=r"No human score is known of CartPole-v1 .*\.$"):
        aggregate(played("a", "CartPole-v1", 1, 2, 3), normalised=True)


def test_a_gap_is_to_what_is_wanted():
    scores = played("a", "walker", 400, 500, 1200)
    assert "optimality gap" not in by_name(aggregate(scores))
    found = by_name(aggregate(scores, wanted=1000))["optimality gap"]
    assert found.value == pytest.approx(1000 - (400 + 500 + 1000) / 3)


def test_raw_scores_of_several_tasks_are_called_so():
    assert "raw scores" in aggregate([*played("a", "x", 1, 2, 3), *played("a", "y", 1, 2, 3)])[0].note


def test_every_agent_has_its_own_numbers_in_any_order():
    scores = [*played("a", "x", 1, 2, 3, 4), *played("b", "x", 5, 6, 7, 8)]
    found = aggregate(scores)
    assert [one.agent for one in found] == ["a"] * 3 + ["b"] * 3
    shuffled = [scores[i] for i in np.random.default_rng(0).permutation(len(scores))]
    assert sorted(aggregate(shuffled), key=lambda one: one.agent) == found


def test_differences_are_of_the_seeds_that_both_have():
    """Seed 9 of the one alone would turn the sign."""
    one, other = played("a", "x", 101, 2, 53), played("b", "x", 100, 1, 52)
    found = by_name(differences([*one, Played("a", "x", 9, 0, -1e6), *other], "a", "b"))
    assert (found["mean"].value, found["mean"].low, found["mean"].high) == pytest.approx((1, 1, 1))
    assert found["mean"].agent == "a - b"
    assert "1 combinations" in found["mean"].note
    assert found["mean"].seeds == 3
    assert by_name(differences([*one, *other], "b", "a"))["IQM"].value == pytest.approx(-1)


def test_few_pairs_have_no_interval():
    scores = [*played("a", "x", 1, 2, 3), *played("b", "x", 1, 2, 3, first=1)]
    found = differences(scores, "a", "b")[0]
    assert found.low is None
    assert found.seeds == 2


def test_improvement_needs_the_tasks_alone():
    scores = [*played("a", "x", 4, 5, 6), *played("b", "x", 1, 2, 5, 3, first=10), *played("b", "y", 99)]
    found = improvement_of(scores, "a", "b")
    assert found.value == pytest.approx((3 + 3.5 + 4) / 12)
    assert found.low <= found.value <= found.high <= 1
    assert (found.tasks, found.seeds) == (1, 3)


def test_agents_without_anything_in_common_are_refused():
    scores = [*played("a", "x", 1, 2, 3), *played("b", "y", 1, 2, 3), *played("c", "x", 1, 2, 3, first=5)]
    with pytest.raises(UserError, match="no seed of a task in common"):
        of_both(scores, "a", "c")
    with pytest.raises(UserError, match="no task in common"):
        improvement_of(scores, "a", "b")
    with pytest.raises(UserError, match=r'no scores of rainbo\..*"rainbow"'):
        table_of(played("rainbow", "x", 1), "rainbo")


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_named(score):
    with pytest.raises(UserError, match=r"Episode 0 of a, x, seed 1 has the score (nan|inf)"):
        aggregate(played("a", "x", 1.0, score))


def test_an_episode_given_twice_is_named():
    with pytest.raises(UserError, match="Episode 0 of a, x, seed 0 is there twice"):
        aggregate(played("a", "x", 1.0) * 2)
