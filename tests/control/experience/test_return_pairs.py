"""Pairs of moments: what is called the same has the same return, what is called different another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from twofold.control.experience.cutting import return_to_go
from twofold.control.experience.pairs import draw_pairs
from twofold.control.experience.segments import ReturnSegments

from ..small import as_tensors


def sparse_world(
    seed: int = 0, capacity: int = 600, episodes: int = 25, truncated: bool = False
) -> tuple[ReturnSegments, np.ndarray, np.ndarray]:
    """An index over random sparse rewards, and for each position its undiscounted return and its episode."""
    rng, index = np.random.default_rng(seed), ReturnSegments(capacity, gamma=0.9, bins=4)
    returns, owner = list[float](), list[int]()
    for number in range(episodes):
        rewards = rng.choice([0.0, 1.0, -1.0], size=rng.integers(10, 40), p=[0.8, 0.15, 0.05])
        index.add_episode(rewards.tolist(), terminated=not (truncated and number % 2))
        index.skip()
        returns += [*return_to_go(rewards), np.nan]
        owner += [number] * len(rewards) + [-1]
    index.rebin()
    return index, np.array(returns), np.array(owner)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("truncated", [False, True])
def test_pairs_of_segments(seed, truncated):
    """T2: anchor and positive are two steps of one episode with one return; negatives have another one."""
    index, returns, owner = sparse_world(seed, truncated=truncated)
    pairs = draw_pairs(index, 64, np.random.default_rng(seed))
    assert len(pairs) > 32
    assert (pairs.anchor != pairs.positive).all()
    assert (owner[pairs.anchor] == owner[pairs.positive]).all() and (owner[pairs.anchor] >= 0).all()
    assert returns[pairs.anchor] == pytest.approx(returns[pairs.positive])
    known = ~np.isin(owner, np.arange(1, 25, 2)) if truncated else np.ones(len(owner), bool)
    for one, other in zip(pairs.anchor, pairs.negative, strict=True):
        if owner[one] == owner[other] or (known[one] and known[other]):
            assert returns[one] != returns[other]
    for i, j in itertools.product(range(len(pairs)), repeat=2):
        one, other = pairs.anchor[i], pairs.positive[j]
        if owner[one] == owner[other] or (known[one] and known[other]):
            assert pairs.different[i, j] == (returns[one] != returns[other] and i != j)
        elif pairs.different[i, j]:
            assert index.bin_of(one) != index.bin_of(other) and min(index.bin_of(np.array([one, other]))) >= 0
    assert all((positions >= index.oldest).all() for positions in (pairs.anchor, pairs.positive, pairs.negative))


def test_anchors_are_drawn_by_segment():
    """A long stretch without rewards counts as much as a short one."""
    index = ReturnSegments(2000)
    for _ in range(20):
        index.add_episode([0.0] * 80 + [1.0] + ([0.0] * 3 + [1.0]) * 3, terminated=True)
    pairs = draw_pairs(index, 800, np.random.default_rng(0))
    assert ((pairs.anchor % 93) < 81).mean() == pytest.approx(0.25, abs=0.05)
    lengths = np.ptp(np.stack([pairs.anchor, pairs.positive]), axis=0)[(pairs.anchor % 93) < 81]
    assert lengths.max() > 70 and lengths.min() == 1


def test_pairs_of_bins():
    index, _returns, owner = sparse_world()
    pairs = draw_pairs(index, 64, np.random.default_rng(0), positives="bin")
    assert len(pairs) > 55
    bins = index.bin_of(pairs.anchor)
    assert (bins >= 0).all() and (bins == index.bin_of(pairs.positive)).all()
    assert (pairs.anchor != pairs.positive).all() and (owner[pairs.anchor] != owner[pairs.positive]).mean() > 0.8
    others = index.bin_of(pairs.negative)
    assert (others >= 0).all() and (others != bins).all()
    expected = bins[:, None] != bins[None, :]
    assert (pairs.different == expected).all()


def test_steps_without_a_bin_take_no_place_among_anchors():
    """Episodes of which most has no bin: nearly all anchors find their partners all the same."""
    index = ReturnSegments(4000, gamma=0.97)
    rng = np.random.default_rng(0)
    for _ in range(20):
        index.add_episode(rng.random(125).tolist(), terminated=False)
    index.rebin()
    assert (index.bin_of(np.arange(2500)) >= 0).mean() < 0.25
    pairs = draw_pairs(index, 64, np.random.default_rng(0), positives="bin")
    assert len(pairs) > 30
    assert (index.bin_of(pairs.anchor) >= 0).all()


def test_mixed_pairs():
    index, returns, owner = sparse_world()
    pairs = draw_pairs(index, 200, np.random.default_rng(0), positives="mix")
    near = owner[pairs.anchor] == owner[pairs.positive]
    assert 0.4 < near.mean() < 0.65
    hard = owner[pairs.anchor] == owner[pairs.negative]
    assert 0.35 < hard.mean() < 0.65
    assert (returns[pairs.anchor] != returns[pairs.negative]).all() and (owner[pairs.negative] >= 0).all()


def test_other_negatives():
    index, returns, _owner = sparse_world()
    pairs = draw_pairs(index, 64, np.random.default_rng(0), negatives="other_segment")
    assert (index.start[index.slot(pairs.anchor)] != index.start[index.slot(pairs.negative)]).all()
    assert (returns[pairs.anchor] == returns[pairs.negative]).any()  # which is what this choice is about
    pairs = draw_pairs(index, 64, np.random.default_rng(0), negatives="other_bin")
    assert (index.bin_of(pairs.anchor) != index.bin_of(pairs.negative)).all()
    assert (index.bin_of(pairs.negative) >= 0).all()


def test_recent_pairs_are_of_the_newest_part():
    index, *_ = sparse_world()
    for positives in ("segment", "bin", "mix"):
        pairs = draw_pairs(index, 64, np.random.default_rng(0), positives=positives, recent=0.5)
        since = index.position - index.capacity // 2
        assert min(pairs.anchor.min(), pairs.positive.min()) >= since
        if positives != "mix":  # a hard negative is of the anchor's own episode
            assert pairs.negative.min() >= since


def test_nothing_is_drawn_where_returns_cannot_be_told_apart():
    """Too few segments; all returns alike; one step a segment (T3)."""
    index = ReturnSegments(1000)
    index.add_episode(([0.0] * 3 + [1.0]) * 31, terminated=True)
    assert draw_pairs(index, 32, np.random.default_rng(0)) is None
    index.add_episode([0.0] * 3 + [1.0], terminated=True)
    assert draw_pairs(index, 32, np.random.default_rng(0)) is not None
    alike, single = ReturnSegments(1000), ReturnSegments(1000, rewards="dense", threshold=0.0)
    for _ in range(40):
        alike.add_episode([0.0] * 10, terminated=True)
        single.add_episode([1.0] * 10, terminated=True)
    for index in (alike, single):
        index.rebin()
        assert draw_pairs(index, 32, np.random.default_rng(0)) is None
    assert draw_pairs(alike, 32, np.random.default_rng(0), positives="bin") is None
    assert draw_pairs(ReturnSegments(10), 32, np.random.default_rng(0), positives="bin") is None


@pytest.mark.parametrize("positives", ["segment", "bin", "mix"])
def test_draws_are_a_function_of_the_generator(positives):
    index, *_ = sparse_world()
    again = ReturnSegments(600, gamma=0.9, bins=4)
    again.load_state_dict(as_tensors(index.state_dict()))
    first, same, loaded, other = (
        draw_pairs(each, 32, np.random.default_rng(seed), positives=positives)
        for each, seed in ((index, 0), (index, 0), (again, 0), (index, 1))
    )
    for name in vars(first):
        assert np.array_equal(getattr(first, name), getattr(same, name))
        assert np.array_equal(getattr(first, name), getattr(loaded, name))
    assert not np.array_equal(first.anchor[:8], other.anchor[:8])
