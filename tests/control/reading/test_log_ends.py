"""Where logged episodes end, and what is said of ends that are not told (field notes 4, 8 and 37)."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from tests.control.reading.logged import arrays, grouped, stored
from twofold.control.evaluation.returns import targets_of
from twofold.control.experience.segments import ReturnSegments
from twofold.control.reading import ends, read_episodes
from twofold.errors import UserError


def flags(*at: int, steps: int = 12) -> np.ndarray:
    return np.isin(np.arange(steps), at)


def test_flat_arrays_are_cut_at_their_ends(tmp_path):
    log = read_episodes(stored(tmp_path, **arrays(more=False, terminated=flags(4, 11))))
    assert [len(episode) for episode in log.episodes] == [5, 7]
    assert not any(episode.whole for episode in log.episodes)
    assert "2 episodes without the observation after the last step, as many as steps." in log.notes


@pytest.mark.parametrize("numbers", [[5] * 4 + [2] * 4 + [5] * 4, ["a"] * 4 + ["b"] * 4 + ["c"] * 4])
def test_flat_arrays_are_cut_where_the_number_of_the_episode_changes(tmp_path, numbers):
    log = read_episodes(stored(tmp_path, **arrays(more=False, terminated=None, episode_ids=np.asarray(numbers))))
    assert [len(episode) for episode in log.episodes] == [4, 4, 4]
    assert all(episode.cut for episode in log.episodes)
    assert any(note.startswith("3 episodes just stop:") for note in log.notes)


def test_what_follows_the_last_end_is_an_episode_that_just_stops(tmp_path):
    log = read_episodes(stored(tmp_path, **arrays(more=False, terminated=flags(4))))
    assert [(len(episode), episode.terminated, episode.cut) for episode in log.episodes] == [
        (5, True, False),
        (7, False, True),
    ]
    assert any(note.startswith("1 episode just stops:") for note in log.notes)


def test_one_observation_more_for_each_episode(tmp_path):
    content = arrays(terminated=flags(4, 11))
    content["observations"] = np.random.default_rng(0).integers(0, 256, (14, 6, 6, 3)).astype(np.uint8)
    log = read_episodes(stored(tmp_path, **content))
    assert [len(episode.observations) for episode in log.episodes] == [6, 8]
    np.testing.assert_array_equal(log.episodes[1].observations[0], content["observations"][6].transpose(2, 0, 1))
    assert not log.notes


def d4rl(**changed):
    """Two episodes of 5 and 7 steps, as D4RL lays them out: what followed each step stands in an array of its own."""
    seen = np.random.default_rng(0).normal(size=(14, 3)).astype(np.float32)
    rows = np.r_[0:5, 6:13]
    content = {"observations": seen[rows], "next_observations": seen[rows + 1], "actions": np.zeros((12, 2)),
               "rewards": np.ones(12), "terminals": flags(4), "timeouts": flags(11)}  # fmt: skip
    return seen, content | changed


def test_next_observations_give_each_episode_its_last(tmp_path):
    seen, content = d4rl()
    with h5py.File(tmp_path / "hopper.hdf5", "w") as file:
        for name, value in content.items():
            file[name] = value
    log = read_episodes(tmp_path / "hopper.hdf5")
    assert all(episode.whole for episode in log.episodes) and not log.notes
    assert [(e.terminated, e.truncated) for e in log.episodes] == [(True, False), (False, True)]
    for episode, expected in zip(log.episodes, (seen[:6], seen[6:]), strict=True):
        np.testing.assert_array_equal(episode.observations, expected)


def test_a_next_observation_that_the_next_row_has_not_is_said(tmp_path):
    """An end without a mark: the episodes of 5 and 7 steps taken for one of 12."""
    _, content = d4rl(terminals=flags())
    log = read_episodes(stored(tmp_path, **content))
    assert [len(episode) for episode in log.episodes] == [12]
    assert any("1 of 11 next observations are not what the next row saw" in note for note in log.notes)


def test_next_observations_of_another_shape(tmp_path):
    _, content = d4rl(next_observations=np.zeros((12, 4)))
    with pytest.raises(UserError, match=r"next observations are float64 of \[12, 4\], and its observations \[12, 3\]"):
        read_episodes(stored(tmp_path, **content))


@pytest.mark.parametrize("flag", [None, np.zeros(12, bool)])
@pytest.mark.parametrize("more", [False, True])
def test_a_file_that_would_be_one_giant_episode_is_refused_with_the_rule(tmp_path, flag, more):
    file = stored(tmp_path, **arrays(more=more, terminated=flag))
    rule = (
        r"mark the last step of each by terminated \(or terminals, dones\), truncated \(or timeouts\), or episode_ids"
    )
    with pytest.raises(UserError, match=rf"log\.npz has 12 steps and tells no end of an episode: {rule}"):
        read_episodes(file)


def test_a_file_among_others_ends_its_episode_unless_that_would_be_a_giant(tmp_path, monkeypatch):
    for number in range(2):
        stored(tmp_path, f"{number}.npz", **arrays(terminated=None))
    assert all(episode.cut for episode in read_episodes(tmp_path).episodes)
    monkeypatch.setattr(ends, "LONGEST", 11)
    with pytest.raises(UserError, match=r"0\.npz has 12 steps and tells no end"):
        read_episodes(tmp_path)


@pytest.mark.parametrize(("ended", "expected"), [(False, (False, True)), (True, (True, False))])
def test_one_flag_alone_is_of_the_last_step(tmp_path, ended, expected):
    (episode,) = read_episodes(stored(tmp_path, **arrays(terminated=np.asarray(ended)))).episodes
    assert (episode.terminated, episode.cut) == expected


def test_termination_wins_over_a_limit_and_is_counted(tmp_path):
    content = arrays(more=False, terminated=None, terminals=flags(5, 11), timeouts=flags(3, 5))
    log = read_episodes(stored(tmp_path, **content))
    ended = [(len(episode), episode.terminated, episode.truncated) for episode in log.episodes]
    assert ended == [(4, False, True), (2, True, True), (6, True, False)]
    assert "1 episode both terminated and truncated: taken as terminated." in log.notes


def test_each_episode_of_a_file_is_refused_alone_with_its_place(tmp_path):
    """T + 1 observations are right, T are said, T + 2 are none."""
    right, short = arrays(), arrays(more=False)
    wrong = arrays(observations=np.zeros((14, 6, 6, 3), np.uint8))
    file = grouped(tmp_path / "log.h5", right, wrong, short, right)
    log = read_episodes(file)
    assert [episode.whole for episode in log.episodes] == [True, False, True]
    ((name, why),) = log.unreadable.items()
    assert name == f"{file}, episode_1"
    assert why.startswith("it has 14 observations for 12 steps of 1 episode:")
    assert "1 episode without the observation after the last step, as many as steps." in log.notes


def test_bins_of_a_cut_episode_agree_with_those_of_the_whole(tmp_path):
    """Two identical episodes, the second one cut: what is labelled has the same labels."""
    write = arrays(300, seed=3, terminated=None)
    stored(tmp_path, "0.npz", **write, terminated=np.asarray(True))
    cut = {name: value[: 150 + (name == "observations")] for name, value in write.items()}
    stored(tmp_path, "1.npz", **cut, terminated=np.asarray(False))
    log = read_episodes(tmp_path)
    assert any("1 episode just stops" in note for note in log.notes)
    index = ReturnSegments(600)
    for episode in log.episodes:
        index.add_episode(episode.rewards.tolist(), terminated=episode.terminated)
    index.rebin()
    kept = index.bin_of(np.arange(300, 450)) >= 0
    assert kept.sum() == 150 - 98
    apart = np.abs(index.discounted[:150][kept] - index.discounted[300:450][kept])
    assert apart.max() < 0.05 * 1 / (1 - 0.97)
    _, known, _ = targets_of(log.episodes, 0.97)
    assert known.sum() == 300 + 52


@pytest.mark.parametrize(("content", "why"), [
    ({"terminated": np.zeros(5, bool)}, "5 flags of ends, of bool, and 12 rewards"),
    ({"terminated": np.full(12, "no")}, "12 flags of ends, of <U2"),
    ({"episode_ids": np.zeros(11, int)}, "11 numbers of episodes, of int64, and 12 rewards"),
    ({"life_lost": np.zeros(11, bool)}, r"life_lost is bool of \[11\]"),
    ({"life_lost": np.asarray(True)}, r"life_lost is bool of \[\]"),
])  # fmt: skip
def test_flags_that_do_not_fit(tmp_path, content, why):
    with pytest.raises(UserError, match=why):
        read_episodes(stored(tmp_path, **arrays(**content)))
