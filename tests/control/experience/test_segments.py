"""The index of steps and returns: segments, what is forgotten, what differs, and how it goes on."""

from __future__ import annotations

import numpy as np
import pytest

from twofold.control.experience.cutting import return_to_go
from twofold.control.experience.pairs import draw_pairs
from twofold.control.experience.segments import ReturnSegments
from twofold.errors import UserError


def played(index: ReturnSegments, episodes: int, seed: int = 0, length: int = 12) -> list[list[float]]:
    """Episodes of random sparse rewards, the last one open."""
    rng = np.random.default_rng(seed)
    made = [rng.choice([0.0, 0.0, 0.0, 1.0, -1.0], length).tolist() for _ in range(episodes)]
    for number, rewards in enumerate(made):
        for reward in rewards:
            index.step(reward)
        if number < episodes - 1:
            index.end(terminated=True)
    return made


def test_segments_of_the_open_episode_are_there_but_its_last():
    index = ReturnSegments(100)
    for reward in (0, 0, 1, 0, 0):
        index.step(reward)
    assert index.table.tolist() == [[0, 3]]
    index.end(terminated=True)
    assert index.table.tolist() == [[0, 3], [3, 5]]


def test_t4_nothing_refers_to_what_was_overwritten():
    index = ReturnSegments(50)
    made = played(index, 40)
    flat = np.concatenate(made)
    assert (index.table[:, 0] >= index.oldest).all()
    assert index.table[:, 1].max() <= index.position
    for start, stop in index.table:
        assert len({*np.cumsum(flat)[start : stop - 1].tolist()}) == 1 or stop - start == 1


def test_steps_of_cut_off_episodes_have_no_bin_at_their_end():
    whole, cut = ReturnSegments(400), ReturnSegments(400)
    rewards = [1.0 if t % 7 == 0 else 0.0 for t in range(150)]
    whole.add_episode(rewards, terminated=True)
    cut.add_episode(rewards[:75], terminated=False)
    assert np.isnan(cut.discounted[:75]).all()  # of fewer steps than the horizon
    cut.add_episode(rewards, terminated=False)
    kept = ~np.isnan(cut.discounted[75:225])
    assert kept.sum() == 150 - 98
    np.testing.assert_allclose(cut.discounted[75:225][kept], return_to_go(rewards, 0.97)[kept], rtol=1e-6)


def test_bins_have_equal_mass():
    index = ReturnSegments(2000, bins=4)
    rng = np.random.default_rng(0)
    for _ in range(20):
        index.add_episode(rng.random(100).tolist(), terminated=True)
    index.rebin()
    counts = np.bincount(index.bin_of(np.arange(2000)))
    assert len(counts) == 4
    assert np.ptp(counts) <= 2


def test_a_state_taken_up_goes_on_alike():
    one, other = ReturnSegments(60), ReturnSegments(60)
    played(one, 9)
    one.rebin()
    other.load_state_dict(one.state_dict())
    for index in (one, other):
        index.step(1.0)
        index.end(terminated=False)
        index.rebin(1)
    draws = [draw_pairs(index, 8, np.random.default_rng(1), positives="bin") for index in (one, other)]
    assert draws[0] is not None
    for name in ("anchor", "positive", "negative", "different"):
        np.testing.assert_array_equal(getattr(draws[0], name), getattr(draws[1], name))
    assert one.table.tolist() == other.table.tolist()


def test_flat_arrays_are_episodes():
    rewards = np.asarray([0, 1, 0, 0, 1, 0], float)
    terminated = np.asarray([0, 0, 1, 0, 0, 0], bool)
    index = ReturnSegments.of_arrays(rewards, terminated, np.zeros(6, bool))
    assert index.episodes == 2
    assert index.episode[:6].tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(UserError, match="6, 5 and 6 rows"):
        ReturnSegments.of_arrays(rewards, terminated[:5], np.zeros(6, bool))


@pytest.mark.parametrize(
    "settings", [{"capacity": 0}, {"gamma": 0.0}, {"bins": 1}, {"threshold": -1.0}, {"rewards": "x"}]
)
def test_settings_that_cannot_be_meant_are_refused(settings):
    with pytest.raises(UserError):
        ReturnSegments(**{"capacity": 10, **settings})


def test_a_reward_that_is_no_number_is_refused():
    with pytest.raises(UserError, match="position 0 is nan"):
        ReturnSegments(10).step(float("nan"))


def test_the_share_of_single_steps_is_told():
    index = ReturnSegments(10)
    index.add_episode([1.0, 1.0, 0.0, 0.0], terminated=True)
    assert index.share_lost == pytest.approx(0.5)
