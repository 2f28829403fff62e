"""Returns, cuts and segments against loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.control.experience.cutting import (
    adaptive_threshold,
    cut_by_threshold,
    horizon,
    looks_sparse,
    return_to_go,
)
from twofold.control.experience.segments import ReturnSegments
from twofold.control.experience.spans import Spans
from twofold.errors import UserError

from ..small import as_tensors

REWARDS = st.lists(st.sampled_from([0.0, 0.0, 0.0, 1.0, -1.0]), min_size=1, max_size=30)


def naive_return(rewards: list[float], t: int, gamma: float = 1.0) -> float:
    return sum(gamma**k * reward for k, reward in enumerate(rewards[t:]))


def cuts(rewards: list[float]) -> list[int]:
    return [0, *(t for t in range(1, len(rewards)) if rewards[t - 1] != 0)]


def segments_of(rewards: list[float], starts: np.ndarray) -> list[list[int]]:
    stops = [*starts[1:], len(rewards)]
    return [list(range(start, stop)) for start, stop in zip(starts, stops, strict=True)]


@given(REWARDS, st.sampled_from([1.0, 0.9, 0.5]))
def test_returns_are_sums_of_what_follows(rewards, gamma):
    found = return_to_go(rewards, gamma)
    assert found == pytest.approx([naive_return(rewards, t, gamma) for t in range(len(rewards))], abs=1e-12)


@pytest.mark.parametrize("reward", [1.0, -1.0, 0.5])
def test_segments_of_a_list_made_by_hand(reward):
    """T1: rewards at steps 2 and 5, the end at 8; negative ones cut, too."""
    rewards = [0, 0, reward, 0, 0, reward, 0, 0, 0.0]
    index = ReturnSegments(20)
    index.add_episode(rewards, terminated=True)
    assert index.table.tolist() == [[0, 3], [3, 6], [6, 9]]
    assert list(index.start[:9]) == [0, 0, 0, 3, 3, 3, 6, 6, 6]
    assert return_to_go(rewards) == pytest.approx(np.repeat([2 * reward, reward, 0], 3))


@given(REWARDS)
def test_sparse_segments_have_one_return_each(rewards):
    index = ReturnSegments(50)
    index.add_episode(rewards, terminated=True)
    returns = return_to_go(rewards)
    starts = index.start[: len(rewards)]
    assert sorted(set(starts.tolist())) == cuts(rewards)
    assert all(len(set(returns[starts == start].round(9))) == 1 for start in cuts(rewards))


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=40), st.floats(0.1, 5))
def test_dense_segments_move_by_less_than_the_threshold_and_a_reward(rewards, threshold):
    """T3: max G - min G < threshold + max |r| within each segment, and each begins as soon as that is reached."""
    returns = return_to_go(rewards)
    parts = segments_of(rewards, cut_by_threshold(rewards, threshold))
    assert [t for part in parts for t in part] == list(range(len(rewards)))
    for part, following in itertools.pairwise(parts):
        assert abs(returns[part[0]] - returns[following[0]]) >= threshold - 1e-9
    for part in parts:
        within = np.abs(returns[part] - returns[part[0]])
        assert (within < threshold + 1e-9).all()


def test_the_ends_of_thresholds():
    """T3: infinite, one segment an episode; towards 0, one a step, of which none can be drawn."""
    rewards = [0.5] * 30
    assert list(cut_by_threshold(rewards, np.inf)) == [0]
    assert list(cut_by_threshold(rewards, 0.0)) == list(range(30))
    index = ReturnSegments(100, rewards="dense", threshold=0.0)
    index.add_episode(rewards, terminated=True)
    assert len(index.table) == 0 and index.share_lost == 1


def test_adaptive_thresholds_cut_into_so_many():
    assert adaptive_threshold([], 20) == adaptive_threshold([0.0, 0.0], 20) == 1e-6
    assert adaptive_threshold([-100.0] * 5, 20) == 5
    index = ReturnSegments(1000, rewards="dense", segments=20)
    for _ in range(3):
        index.add_episode([0.75] * 200, terminated=True)
    assert len(index.table) == 3 * 20


def test_horizons():
    assert (horizon(0.97), horizon(0.99)) == (98, 298)
    assert 0.97**98 > 0.05 > 0.97**99
    assert horizon(1.0) > 10**12


def test_sparse_logs_look_so():
    assert looks_sparse([0, 0, 0, 1]) and not looks_sparse([0, 0, 1, 1]) and looks_sparse([])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(REWARDS, st.booleans()), min_size=1, max_size=8),
    st.integers(5, 60),
    st.sampled_from(["sparse", "dense"]),
)
def test_an_index_knows_what_is_stored_and_no_more(episodes, capacity, kind):
    """T4: at any time no segment reaches out of the ring, none is cut, and none is missing."""
    index = ReturnSegments(capacity, rewards=kind, threshold=1.5, gamma=0.9)
    wanted, first = [], 0
    for rewards, died in episodes:
        index.add_episode(rewards, terminated=died)
        starts = cuts(rewards) if kind == "sparse" else cut_by_threshold(rewards, 1.5)
        wanted += [(first + part[0], first + part[-1] + 1) for part in segments_of(rewards, starts) if len(part) > 1]
        for t in range(max(len(rewards) - capacity, 0), len(rewards)):
            slot = (first + t) % capacity
            known = died or t < len(rewards) - horizon(0.9)
            told = (
                pytest.approx(naive_return(rewards, t, 0.9), abs=1e-5) if known else pytest.approx(np.nan, nan_ok=True)
            )
            assert index.discounted[slot] == told
            assert index.total[slot] - index.gained[slot] == pytest.approx(naive_return(rewards, t))
        first += len(rewards)
        index.skip()
        first += 1
        assert [tuple(row) for row in index.table] == [row for row in wanted if row[0] >= index.oldest]
        stored = np.arange(index.oldest, index.position)
        assert (index.episode[index.slot(stored)][-1:] == -1).all()


def test_segments_of_an_open_episode_can_be_used():
    index = ReturnSegments(50)
    for reward in [0, 0, 1, 0, 0, 0.0]:
        index.step(reward)
    assert index.table.tolist() == [[0, 3]]
    assert list(index.bin_of(np.arange(6))) == [-1] * 6
    assert index.differ(np.array([0]), np.array([4]))[0]  # one reward lies between them, whatever comes


def test_cut_episodes_agree_with_whole_ones_in_what_is_kept():
    """Note 4: the same episode of 50, whole, and cut at 25; gamma 1 knows nothing of a cut one."""
    rng = np.random.default_rng(0)
    rewards = [float(t % 7 == 0) for t in range(50)]
    for gamma, kept in ((0.8, 25 - horizon(0.8)), (1.0, 0)):
        index = ReturnSegments(1000, gamma=gamma, bins=2)
        index.add_episode(rewards, terminated=True)
        index.add_episode(rewards[:25], terminated=False)
        for _ in range(10):
            index.add_episode((rng.random(50) < 0.2).tolist(), terminated=True)
        index.rebin()
        whole, cut = index.bin_of(np.arange(25)), index.bin_of(np.arange(50, 75))
        assert (cut >= 0).sum() == kept
        assert (cut[:kept] == whole[:kept]).all() and (cut[kept:] == -1).all()


def test_bins_have_equal_masses():
    index = ReturnSegments(2000, gamma=0.9, bins=5)
    rng = np.random.default_rng(0)
    for _ in range(50):
        index.add_episode(rng.random(20).tolist(), terminated=True)
    index.rebin()
    assert np.bincount(index.bin_of(np.arange(1000))) == pytest.approx([200] * 5, abs=2)
    edges = index.edges
    index.add_episode([100.0] * 500, terminated=True)
    index.rebin()
    assert index.edges is edges  # not before 1,000 more
    index.add_episode([100.0] * 500, terminated=True)
    index.rebin()
    assert index.edges is not edges


def test_returns_that_are_mostly_0_have_fewer_bins():
    index = ReturnSegments(400, gamma=0.9, bins=5)
    for n in range(10):
        index.add_episode([0.0] * 29 + [float(n == 0)], terminated=True)
    index.rebin()
    bins = index.bin_of(np.arange(300))
    assert set(bins[30:]) == {0} and set(bins[:30]) == {1}


def test_rounding_is_no_difference():
    """0.1 + 0.2 - 0.3 is not 0, but no other return."""
    index = ReturnSegments(50)
    index.add_episode([0.0, 0.1, 0.2, -0.3, 0.0, 1.0], terminated=True)
    same, other = np.array([0]), np.array([4])
    assert index.gained[0] != index.gained[4]
    assert not index.differ(same, other)[0] and index.differ(same, np.array([2]))[0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(REWARDS, st.booleans()), min_size=1, max_size=6), st.integers(4, 80))
def test_around_is_what_is_stored_of_an_episode(episodes, capacity):
    index = ReturnSegments(capacity)
    owner = []
    for number, (rewards, died) in enumerate(episodes):
        for reward in rewards:
            index.step(reward)
            owner.append(number)
        if number < len(episodes) - 1:
            index.end(terminated=died)
            index.skip()
            owner.append(-1)
    for position in range(index.oldest, index.position):
        if owner[position] >= 0:
            first, stop = index.around(np.array([position]))
            mine = [p for p in range(index.oldest, index.position) if owner[p] == owner[position]]
            assert (first[0], stop[0]) == (mine[0], mine[-1] + 1)


def test_arrays_at_once_are_the_same_as_step_by_step():
    rewards = np.array([0, 1, 0, 0, 1, 0, 0, 0], np.float32)
    ends = np.array([0, 0, 0, 1, 0, 0, 1, 0], bool)
    found = ReturnSegments.of_arrays(rewards, ends & (np.arange(8) < 5), ends & (np.arange(8) >= 5), gamma=0.5)
    index = ReturnSegments(8, gamma=0.5)
    index.add_episode([0, 1, 0, 0.0], terminated=True)
    index.add_episode([1, 0, 0.0], terminated=False)
    index.add_episode([0.0], terminated=False)
    for name, value in found.state_dict().items():
        assert np.array_equal(value, index.state_dict()[name], equal_nan=name == "discounted")
    with pytest.raises(UserError, match=r"have 8, 7 and 8 rows: give one of each for every step\.$"):
        ReturnSegments.of_arrays(rewards, ends[:7], ends)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rewards_that_are_no_numbers_are_refused(bad):
    index = ReturnSegments(50)
    index.add_episode([0.0] * 57, terminated=True)
    with pytest.raises(UserError, match=rf"The reward of position 57 is {bad}: give finite rewards\.$"):
        index.step(bad)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"capacity": 0}, "capacity is 0"),
        ({"rewards": "many"}, "sparse or dense, not many"),
        ({"gamma": 1.5}, "at most 1, not 1.5"),
        ({"bins": 1}, "1 bins tell no returns apart"),
        ({"threshold": np.nan}, "threshold is nan"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(UserError, match=said):
        ReturnSegments(**({"capacity": 10} | settings))


def test_an_index_that_goes_on_is_the_same():
    rng = np.random.default_rng(0)
    index, again = ReturnSegments(100, gamma=0.9), ReturnSegments(100, gamma=0.9)
    for _ in range(12):
        index.add_episode((rng.random(15) < 0.2).astype(float).tolist(), terminated=True)
    index.step(1.0)
    index.rebin()
    again.load_state_dict(as_tensors(index.state_dict()))
    for each in (index, again):
        each.step(0.0)
        each.end(terminated=True)
        each.skip()
    for name, value in index.state_dict().items():
        assert np.array_equal(value, again.state_dict()[name], equal_nan=name == "discounted")
    with pytest.raises(ValueError, match="another size"):
        ReturnSegments(50).load_state_dict(index.state_dict())


@given(st.lists(st.integers(1, 4), max_size=300), st.integers(0, 40))
def test_spans_keep_what_a_list_would(lengths, behind):
    spans, kept, position = Spans(), [], 0
    for length in lengths:
        spans.add(position, position + length)
        kept.append([position, position + length])
        position += length
        spans.forget_begun_before(position - behind)
        kept = [row for row in kept if row[0] >= position - behind]
        assert spans.rows.tolist() == kept
    again = Spans(spans.rows)
    again.add(position, position + 1)
    spans.forget_over_before(position)
    assert again.rows.tolist() == [*kept, [position, position + 1]] and not len(spans.rows)
