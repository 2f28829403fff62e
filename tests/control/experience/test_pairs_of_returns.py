"""Pairs of moments: what is the same return, what is another, and what is neither (T2)."""

from __future__ import annotations

import numpy as np
import pytest

from twofold.control.experience.cutting import return_to_go
from twofold.control.experience.pairs import draw_pairs
from twofold.control.experience.segments import ReturnSegments


def sparse(episodes: int = 40, seed: int = 0) -> tuple[ReturnSegments, np.ndarray, np.ndarray]:
    """(an index of random sparse episodes, the return of each step, its episode)."""
    rng, index = np.random.default_rng(seed), ReturnSegments(4000)
    returns, numbers = [], []
    for number in range(episodes):
        rewards = rng.choice([0.0, 0.0, 0.0, 0.0, 1.0, -1.0], int(rng.integers(5, 40)))
        index.add_episode(rewards.tolist(), terminated=True)
        returns.append(return_to_go(rewards))
        numbers.append(np.full(len(rewards), number))
    return index, np.concatenate(returns), np.concatenate(numbers)


def test_t2_positives_have_the_same_return_and_negatives_another():
    index, returns, episode = sparse()
    for seed in range(30):
        pairs = draw_pairs(index, 32, np.random.default_rng(seed))
        assert pairs is not None
        assert (pairs.anchor != pairs.positive).all()
        assert (episode[pairs.anchor] == episode[pairs.positive]).all()
        np.testing.assert_allclose(returns[pairs.anchor], returns[pairs.positive])
        assert (np.abs(returns[pairs.anchor] - returns[pairs.negative]) > 1e-9).all()
        truth = np.abs(returns[pairs.anchor][:, None] - returns[pairs.positive][None]) > 1e-9
        np.testing.assert_array_equal(pairs.different, truth & ~np.eye(len(pairs), dtype=bool))


@pytest.mark.parametrize("negatives", ["other_return", "other_segment", "other_bin"])
@pytest.mark.parametrize("positives", ["segment", "bin", "mix"])
def test_every_choice_keeps_its_promise(positives, negatives):
    index, _, episode = sparse()
    index.rebin()
    for seed in range(10):
        pairs = draw_pairs(index, 24, np.random.default_rng(seed), positives=positives, negatives=negatives)
        assert pairs is not None
        assert (pairs.anchor != pairs.positive).all()
        if positives == "bin":
            assert (index.bin_of(pairs.anchor) == index.bin_of(pairs.positive)).all()
            assert (index.bin_of(pairs.anchor) != index.bin_of(pairs.negative)).all()
            assert (episode[pairs.anchor] != episode[pairs.positive]).any()
        if positives == "segment":
            assert (index.start[pairs.anchor] == index.start[pairs.positive]).all()
            assert (index.start[pairs.anchor] != index.start[pairs.negative]).all()
        if positives == "mix":
            assert (episode[pairs.anchor] == episode[pairs.negative]).any()
        assert not np.diagonal(pairs.different).any()


def test_draws_are_a_function_of_the_generator_alone():
    index, _, _ = sparse()
    one, other = (draw_pairs(index, 16, np.random.default_rng(5)) for _ in range(2))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.negative, other.negative)


def test_anchors_are_drawn_by_segment_not_by_step():
    """A long stretch without rewards is one segment like any other."""
    index = ReturnSegments(10_000)
    for _ in range(40):
        index.add_episode([0.0, 1.0], terminated=True)
    index.add_episode([0.0] * 5000 + [1.0], terminated=True)
    drawn = [draw_pairs(index, 32, np.random.default_rng(seed), negatives="other_segment") for seed in range(20)]
    anchors = np.concatenate([pairs.anchor for pairs in drawn if pairs is not None])
    assert np.mean(anchors >= 80) < 0.2


@pytest.mark.parametrize("rewards", [[0.0] * 20, [1.0, 1.0, 1.0]])
def test_where_nothing_can_be_told_apart_nothing_is_drawn(rewards):
    """All returns alike; and segments of one step each, which have no partner (T3)."""
    index = ReturnSegments(1000)
    for _ in range(50):
        index.add_episode(rewards, terminated=True)
    index.rebin()
    assert draw_pairs(index, 16, np.random.default_rng(0)) is None


def test_few_segments_are_not_drawn_from():
    index = ReturnSegments(1000)
    for _ in range(5):
        index.add_episode([0.0, 0.0, 1.0, 0.0, 0.0], terminated=True)
    assert draw_pairs(index, 16, np.random.default_rng(0)) is None


def test_only_the_newest_share_is_drawn_from():
    index, _, _ = sparse(80)
    pairs = draw_pairs(index, 32, np.random.default_rng(0), recent=0.5)
    assert pairs is not None
    assert min(pairs.anchor.min(), pairs.positive.min(), pairs.negative.min()) >= index.position // 2


def test_across_cut_episodes_only_bins_tell_returns_apart():
    """Of two steps of episodes that just stop, other sums of rewards tell nothing."""
    index = ReturnSegments(2000)
    index.add_episode([0.0, 1.0, 0.0, 0.0], terminated=False)
    index.add_episode([0.0, 1.0, 1.0, 0.0], terminated=False)
    index.rebin()
    assert not index.differ(np.asarray([0]), np.asarray([4]))[0]
    assert index.differ(np.asarray([0]), np.asarray([2]))[0]  # within one: certainly
