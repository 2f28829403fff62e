"""Logged episodes from real files: what is read, what is said, what is refused (field notes 8 and 29)."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.control.reading.logged import arrays, grouped, stored
from twofold.control.reading import read_episodes
from twofold.errors import UserError


@pytest.mark.parametrize(("content", "why"), [
    ({"observations": np.zeros((14, 6, 6, 3), np.uint8)}, "14 observations for 12 steps"),
    ({"actions": np.zeros(11, np.int64)}, "11 actions and 12 rewards"),
    ({"actions": np.zeros((12, 2), np.int64)}, "MultiDiscrete"),
    ({"actions": np.full(12, np.nan)}, "action 0 is no number"),
    ({"actions": np.full(12, -3)}, "choices are 0, 1"),
    ({"actions": None}, "no actions"),
    ({"rewards": None}, "no rewards"),
    ({"rewards": np.zeros((12, 2))}, "not one number for each step"),
    ({"observations": None}, "no observations"),
])  # fmt: skip
def test_what_does_not_fit_together_is_named_with_its_file(tmp_path, content, why):
    file = stored(tmp_path, **arrays(**content))
    with pytest.raises(UserError, match=why) as refused:
        read_episodes(file)
    assert "log.npz" in str(refused.value)


def test_floats_that_are_whole_numbers_in_every_episode_are_choices_and_that_is_said(tmp_path):
    for number, actions in enumerate((np.ones(12), np.arange(12.0)[:, None] % 3, np.arange(12) % 3)):
        stored(tmp_path, f"{number}.npz", **arrays(actions=actions))
    log = read_episodes(tmp_path)
    assert log.notes[0].startswith("Actions are whole numbers stored as floats: taken as choices, unless")
    assert {episode.actions.dtype for episode in log.episodes} == {np.dtype(np.int64)}
    np.testing.assert_array_equal(log.episodes[1].actions, np.arange(12) % 3)


def test_one_episode_of_whole_numbers_among_vectors_is_of_vectors(tmp_path):
    for number, actions in enumerate((np.ones((12, 1)), np.linspace(-1, 1, 12)[:, None])):
        stored(tmp_path, f"{number}.npz", **arrays(actions=actions))
    log = read_episodes(tmp_path)
    assert [(e.actions.dtype, e.actions.shape) for e in log.episodes] == [(np.float32, (12, 1))] * 2
    assert not log.notes


def test_vectors_are_float32_and_brought_to_1_by_the_largest_of_the_log(tmp_path):
    stored(tmp_path, "0.npz", **arrays(actions=np.linspace(-3, 3, 24).reshape(12, 2)))
    stored(tmp_path, "1.npz", **arrays(actions=np.full((12, 2), 0.5)))
    log = read_episodes(tmp_path)
    assert log.notes == ("Actions go up to 3: each number is divided by its largest.",)
    assert max(np.abs(episode.actions).max() for episode in log.episodes) == 1
    np.testing.assert_allclose(log.episodes[1].actions[:, 0], 0.5 / 3, rtol=1e-6)
    assert all(episode.actions.dtype == np.float32 for episode in log.episodes)


@pytest.mark.parametrize("named", [
    {"obs": "observations", "action": "actions", "reward": "rewards", "dones": "terminated"},
    {"frames": "observations", "terminals": "terminated"},
    {"observation": "observations", "terminations": "terminated"},
])  # fmt: skip
def test_arrays_go_by_several_names(tmp_path, named):
    content = arrays()
    plain = {name: value for name, value in content.items() if name not in named.values()}
    log = read_episodes(stored(tmp_path, **plain, **{name: content[role] for name, role in named.items()}))
    assert log.episodes[0].terminated and log.episodes[0].whole


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_rewards_that_are_no_number_stop_the_reading_or_end_their_episode(tmp_path, bad):
    """Note 29: step 57 of episode 3."""
    rewards = np.zeros(400)
    rewards[357] = bad
    flags = np.arange(400) % 100 == 99
    file = stored(tmp_path, **arrays(400, more=False, rewards=rewards, terminated=flags))
    said = rf"log\.npz, episode 3: the reward of step 57 is {re.escape(str(bad))}: .* --on-nan drop"
    with pytest.raises(UserError, match=said):
        read_episodes(file)
    log = read_episodes(file, on_nan="drop")
    assert [(len(episode), episode.cut) for episode in log.episodes] == [(100, False)] * 3 + [(57, True)]
    assert log.episodes[3].whole
    assert all(np.isfinite(episode.rewards).all() for episode in log.episodes)
    assert "1 episode ended before a reward that is no number." in log.notes


def test_an_episode_that_begins_with_no_number_is_left_out(tmp_path):
    rewards = np.where(np.arange(12) == 0, np.nan, 1)
    stored(tmp_path, "0.npz", **arrays())
    stored(tmp_path, "1.npz", **arrays(rewards=rewards))
    log = read_episodes(tmp_path, on_nan="drop")
    assert log.unreadable == {str(tmp_path / "1.npz"): "nothing is left before a reward that is no number"}
    assert not any("no number" in note for note in log.notes)
    moved = read_episodes(tmp_path, reward_shift=1)
    assert moved.episodes[1].rewards.tolist() == [1] * 11 + [0]


def test_rewards_of_the_row_before_are_seen_and_moved(tmp_path):
    """Note 8: rewarded is action 1 alone, and the log has the reward a row later."""
    rng = np.random.default_rng(0)
    actions = rng.integers(0, 3, 300)
    rewards = np.concatenate([[0.0], (actions[:-1] == 1).astype(float)])
    file = stored(tmp_path, **arrays(300, actions=actions, rewards=rewards))
    assert any("--reward-shift 1" in note for note in read_episodes(file).notes)
    moved = read_episodes(file, reward_shift=1)
    assert not any("--reward-shift" in note for note in moved.notes)
    np.testing.assert_array_equal(moved.episodes[0].rewards[:-1], (actions == 1)[:-1])
    right = stored(tmp_path, "right.npz", **arrays(300, actions=actions, rewards=(actions == 1).astype(float)))
    assert not any("--reward-shift" in note for note in read_episodes(right).notes)


def test_a_last_frame_twice_is_seen_and_one_that_never_moves_is_not(tmp_path):
    content = arrays()
    content["observations"][-1] = content["observations"][-2]
    twice = "1 episode with the last observation twice: what followed the last step is not logged."
    assert read_episodes(stored(tmp_path, **content)).notes == (twice,)
    content["observations"][:] = 7
    assert not read_episodes(stored(tmp_path, **content)).notes


@pytest.mark.parametrize("given", [{"layout": "HWC"}, {"on_nan": "skip"}, {"reward_shift": 2}])
def test_what_cannot_be_asked_for(tmp_path, given):
    with pytest.raises(UserError, match=f"{next(iter(given))} must be .*, not"):
        read_episodes(stored(tmp_path, **arrays()), **given)


def test_other_kinds_of_actions_are_refused_with_both_names(tmp_path):
    stored(tmp_path, "a.npz", **arrays())
    stored(tmp_path, "b.npz", **arrays(actions=np.full((12, 2), 0.5)))
    with pytest.raises(UserError, match=r"a\.npz and .*b\.npz have other kinds of actions"):
        read_episodes(tmp_path)


def test_actions_in_parts_are_one_sentence(tmp_path):
    content = arrays(actions=None) | {"actions/arm": np.zeros(12), "actions/leg": np.zeros(12)}
    with pytest.raises(UserError, match=r"several parts \(a Dict: actions/arm, actions/leg\): log them as one array"):
        read_episodes(grouped(tmp_path / "log.h5", content))


def test_episodes_of_several_worlds_are_refused_with_both_names(tmp_path):
    stored(tmp_path, "a.npz", **arrays())
    stored(tmp_path, "b.npz", **arrays(observations=np.zeros((13, 8, 8, 3), np.uint8)))
    with pytest.raises(UserError, match=r"a\.npz.*b\.npz"):
        read_episodes(tmp_path)


def test_files_come_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 9, 2):
        stored(tmp_path, f"ep{number}.npz", **arrays())
    assert [Path(e.name).stem for e in read_episodes(tmp_path).episodes] == ["ep2", "ep9", "ep10"]


def test_the_fingerprint_is_of_the_content(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        stored(tmp_path / name, **arrays(seed=int(name == "c")))
    prints = [read_episodes(tmp_path / name).fingerprint for name in ("a", "b", "c")]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(("path", "why"), [("none", "does not exist"), ("empty", "holds no"), ("x.csv", "is no .npz")])
def test_a_path_without_episodes(tmp_path, path, why):
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.csv").write_text("a,b")
    with pytest.raises(UserError, match=why):
        read_episodes(tmp_path / path)


def test_hdf5_flat_and_in_groups(tmp_path):
    content = arrays()
    with h5py.File(tmp_path / "flat.hdf5", "w") as file:
        for name, value in content.items():
            file["terminals" if name == "terminated" else name] = value
    grouped(tmp_path / "groups.h5", *(arrays(seed=number) for number in range(11)))
    (flat,) = read_episodes(tmp_path / "flat.hdf5").episodes
    np.testing.assert_array_equal(flat.observations, content["observations"].transpose(0, 3, 1, 2))
    found = read_episodes(tmp_path / "groups.h5").episodes
    assert [episode.name.rpartition("_")[2] for episode in found] == [str(number) for number in range(11)]
