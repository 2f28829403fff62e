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
    assert any("Next observations are not what" in note and ": 1 of 11 in" in note for note in log.notes)


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


@pytest.mark.parametrize("flag", [np.nan, 2, -1, 0.5])
@pytest.mark.parametrize("name", ["terminated", "truncated", "dones"])
def test_flags_that_are_neither_0_nor_1_are_refused(tmp_path, name, flag):
    """A flag that is no number would end an episode."""
    values = np.asarray([flag] + [0.0] * 10 + [1.0])
    with pytest.raises(UserError, match="flags of ends have other values than 0 and 1"):
        read_episodes(stored(tmp_path, **arrays(**{"terminated": None, name: values})))


def test_numbers_of_episodes_that_are_no_numbers_are_refused(tmp_path):
    numbers = np.asarray([0.0] * 6 + [np.nan] * 6)
    with pytest.raises(UserError, match="numbers of episodes are no numbers"):
        read_episodes(stored(tmp_path, **arrays(more=False, terminated=None, episode_ids=numbers)))


def test_steps_of_environments_side_by_side_are_refused(tmp_path):
    """Each row would be an episode of its own."""
    with pytest.raises(UserError, match="lie among each other"):
        read_episodes(stored(tmp_path, **arrays(more=False, terminated=None, episode_ids=np.arange(12) % 3)))
    again = np.asarray([0] * 3 + [1] * 3 + [0] * 3 + [1] * 3)
    log = read_episodes(stored(tmp_path, **arrays(more=False, terminated=None, episode_ids=again)))
    assert len(log.episodes) == 4
    assert any(note.startswith("Numbers of episodes come again") and "2 times in" in note for note in log.notes)


def test_ends_in_a_row_are_said_once_with_their_count(tmp_path):
    """As robomimic marks success: at all of the last steps."""
    content = arrays(more=False, terminated=None, dones=flags(9, 10, 11).astype(int))
    for number in range(3):
        stored(tmp_path, f"{number}.npz", **content)
    log = read_episodes(tmp_path)
    assert [len(episode) for episode in log.episodes] == [10, 1, 1] * 3
    assert any(
        note.startswith("Steps that follow an end") and note.endswith("0.npz, and 2 more.") and "2 of 12" in note
        for note in log.notes
    )
    assert sum(note.startswith("Ends are marked by dones alone") for note in log.notes) == 1


def test_rows_of_rlds_that_are_an_observation_alone_are_no_steps(tmp_path):
    first, rest = arrays(5, more=False, terminated=None), arrays(7, more=False, terminated=None, seed=1)
    content = {name: np.concatenate([first[name], rest[name]]) for name in first}
    log = read_episodes(stored(tmp_path, **content, is_last=flags(4, 11), is_terminal=flags(4)))
    assert [len(episode) for episode in log.episodes] == [4, 6]
    assert all(episode.whole for episode in log.episodes)
    assert [(e.terminated, e.truncated) for e in log.episodes] == [(True, False), (False, True)]
    np.testing.assert_array_equal(log.episodes[0].rewards, first["rewards"][:4])
    moved = read_episodes(tmp_path / "log.npz", reward_shift=1)
    assert not any("lies in no row" in note for note in moved.notes)
    np.testing.assert_array_equal(moved.episodes[1].rewards, rest["rewards"][1:])
    lone = arrays(1, more=False, terminated=None)
    with pytest.raises(UserError, match="an observation and no step"):
        read_episodes(stored(tmp_path, **lone, is_last=flags(0, steps=1)))


def test_one_group_of_flat_arrays_is_no_episode_unless_it_has_a_number(tmp_path):
    content = arrays(terminated=None)
    with pytest.raises(UserError, match="train has 12 steps and tells no end"):
        read_episodes(grouped(tmp_path / "flat.h5", content, called="train"))
    assert len(read_episodes(grouped(tmp_path / "one.h5", content, called="demo_0")).episodes) == 1
    assert len(read_episodes(grouped(tmp_path / "two.h5", content, content)).episodes) == 2


def test_episodes_that_are_there_twice_are_counted(tmp_path):
    """What is learned from one would be asked about in the other."""
    for number in range(3):
        stored(tmp_path, f"{number}.npz", **arrays(seed=number))
    assert not read_episodes(tmp_path).notes
    (tmp_path / "copy of 1.npz").write_bytes((tmp_path / "1.npz").read_bytes())
    changed = arrays(seed=2)
    changed["observations"][5] += 1
    stored(tmp_path, "4.npz", **changed)
    assert [note for note in read_episodes(tmp_path).notes if note.startswith("1 episode the same as another")]


def test_a_reward_that_was_moved_out_of_the_rows_is_said(tmp_path):
    log = read_episodes(stored(tmp_path, **arrays()), reward_shift=1)
    assert "The reward of each episode's last action lies in no row, so 0 is taken." in log.notes
