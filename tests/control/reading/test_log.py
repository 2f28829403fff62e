"""Logged episodes from real files: what is read, what is said, what is refused (field notes 4, 7, 8, 29, 37)."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.control.episode import Episode
from twofold.control.evaluation.returns import targets_of
from twofold.control.experience.segments import ReturnSegments
from twofold.control.reading import read_episodes
from twofold.control.reading.writing import write_episode
from twofold.errors import UserError


def arrays(steps: int = 12, *, more: bool = True, seed: int = 0, **changed):
    """The arrays of an episode of pictures, its last step terminal."""
    rng = np.random.default_rng(seed)
    found = {
        "observations": rng.integers(0, 256, (steps + more, 6, 6, 3)).astype(np.uint8),
        "actions": rng.integers(0, 3, steps),
        "rewards": rng.choice([0.0, 1.0], steps),
        "terminated": np.arange(steps) == steps - 1,
    }
    return {name: value for name, value in {**found, **changed}.items() if value is not None}


def stored(folder: Path, name: str = "log.npz", **content) -> Path:
    np.savez(folder / name, **content)
    return folder / name


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 9),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["pixels", "grey", "stack", "vector"]),
    st.integers(0, 99),
)
def test_what_is_written_is_read_again_bit_by_bit(tmp_path_factory, steps, discrete, terminated, kind, seed):
    rng, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("log")
    shape = {"pixels": (3, 5, 7), "grey": (1, 4, 4), "stack": (7, 3, 3), "vector": (5,)}[kind]
    rows = rng.integers(0, 256, (steps + 1, *shape)).astype(np.uint8)
    seen = rows if kind != "vector" else rng.standard_normal((steps + 1, 5)).astype(np.float32)
    actions = rng.integers(0, 4, steps) if discrete else rng.uniform(-1, 1, (steps, 2)).astype(np.float32)
    episode = Episode(
        seen,
        actions,
        rng.standard_normal(steps).astype(np.float32),
        rng.random(steps) < 0.3,
        terminated,
        not terminated,
    )
    write_episode(folder, 3, episode)
    (found,) = read_episodes(folder).episodes
    for name in ("observations", "actions", "rewards", "life_lost"):
        np.testing.assert_array_equal(getattr(found, name), getattr(episode, name))
        assert getattr(found, name).dtype == getattr(episode, name).dtype
    assert (found.terminated, found.truncated) == (terminated, not terminated)


def test_flat_arrays_are_cut_at_their_ends(tmp_path):
    flags = np.zeros(12, bool)
    flags[[4, 11]] = True
    log = read_episodes(stored(tmp_path, **arrays(more=False, terminated=flags)))
    assert [len(episode) for episode in log.episodes] == [5, 7]
    assert any("without the observation after the last step" in note for note in log.notes)
    by_number = arrays(more=False, terminated=None, episode_ids=np.repeat([0, 1, 2], 4))
    log = read_episodes(stored(tmp_path, "ids.npz", **by_number))
    assert [len(episode) for episode in log.episodes] == [4, 4, 4]
    assert all(episode.cut for episode in log.episodes)


def test_one_observation_more_for_each_episode(tmp_path):
    flags = np.zeros(12, bool)
    flags[[4, 11]] = True
    content = arrays(terminated=flags)
    content["observations"] = np.random.default_rng(0).integers(0, 256, (14, 6, 6, 3)).astype(np.uint8)
    log = read_episodes(stored(tmp_path, **content))
    assert [len(episode.observations) for episode in log.episodes] == [6, 8]
    np.testing.assert_array_equal(log.episodes[1].observations[0], content["observations"][6].transpose(2, 0, 1))
    assert not log.notes


def test_ends_must_be_told(tmp_path):
    """Note 4: a file that would be one giant episode."""
    with pytest.raises(UserError, match="mark the last step of each"):
        read_episodes(stored(tmp_path, **arrays(terminated=np.zeros(12, bool))))
    with pytest.raises(UserError, match="mark the last step of each"):
        read_episodes(stored(tmp_path, **arrays(terminated=None)))


def test_bins_of_a_cut_episode_agree_with_those_of_the_whole(tmp_path):
    """Note 4: two identical episodes, the second one cut: what is labelled has the same labels."""
    whole = arrays(300, seed=3)
    write = {name: value for name, value in whole.items() if name != "terminated"}
    stored(tmp_path, "0.npz", **write, terminated=np.asarray(True))
    cut = {name: value[:151] if name == "observations" else value[:150] for name, value in write.items()}
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
    ({"observations": np.zeros((14, 6, 6, 3), np.uint8)}, "14 observations for 12 steps"),
    ({"actions": np.zeros(11, np.int64)}, "11 actions and 12 rewards"),
    ({"actions": np.zeros((12, 2), np.int64)}, "MultiDiscrete"),
    ({"actions": np.full(12, np.nan)}, "an action is no number"),
    ({"actions": np.full(12, -3)}, "choices are 0, 1"),
    ({"actions": None}, "no actions"),
    ({"rewards": None}, "no rewards"),
    ({"rewards": np.zeros((12, 2))}, "not one number for each step"),
    ({"observations": None}, "no observations"),
    ({"observations": np.full((13, 6, 6, 3), 300.0)}, "whole numbers from 0 to 255"),
    ({"observations": np.full((13, 4), np.nan)}, "no number"),
    ({"observations": np.zeros((13, 2, 6, 6, 3), np.uint8)}, "single pictures"),
    ({"terminated": np.zeros(5, bool)}, "flags of ends"),
])  # fmt: skip
def test_what_does_not_fit_together_is_named_with_its_file(tmp_path, content, why):
    file = stored(tmp_path, **arrays(**content))
    with pytest.raises(UserError, match=why) as refused:
        read_episodes(file)
    assert "log.npz" in str(refused.value)


def test_a_bad_file_among_good_ones_is_counted(tmp_path):
    for number in range(3):
        stored(tmp_path, f"{number}.npz", **arrays(seed=number))
    stored(tmp_path, "3.npz", **arrays(actions=np.zeros(5, np.int64)))
    (tmp_path / "4.npz").write_bytes(b"no zip")
    (tmp_path / "5.npz").write_bytes((tmp_path / "0.npz").read_bytes()[:300])
    np.savez(tmp_path / "6.npz", rewards=np.asarray([{}], object))
    log = read_episodes(tmp_path)
    assert len(log.episodes) == 3
    assert sorted(Path(name).name for name in log.unreadable) == ["3.npz", "4.npz", "5.npz", "6.npz"]


class Bomb:
    """What would write a file if it were unpickled."""

    def __init__(self, file: str) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (Path(self.file),)


def test_nothing_is_unpickled_and_no_header_is_believed(tmp_path):
    mark = tmp_path / "ran"
    content = arrays()
    content["actions"] = np.asarray([Bomb(str(mark))] * 12, object)
    with pytest.raises(UserError, match="Python objects"):
        read_episodes(stored(tmp_path, **content))
    assert pickle.dumps(content["actions"])
    assert not mark.exists()
    import zipfile

    huge = tmp_path / "huge.npz"
    with zipfile.ZipFile(huge, "w", zipfile.ZIP_DEFLATED) as members:
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
        padded = header + b" " * (117 - len(header)) + b"\n"
        members.writestr("rewards.npy", b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded)
    with pytest.raises(UserError, match="claims"):
        read_episodes(huge)


@pytest.mark.parametrize("shape", [(6, 6), (6, 6, 1), (6, 6, 3), (3, 6, 6), (4, 6, 6), (6, 6, 4)])
def test_pictures_of_any_order(tmp_path, shape):
    seen = np.random.default_rng(0).integers(0, 256, (13, *shape)).astype(np.uint8)
    frame = read_episodes(stored(tmp_path, **arrays(observations=seen))).episodes[0].observations.shape[1:]
    assert frame[1:] == (6, 6)
    assert frame[0] == (1 if len(shape) == 2 else next(s for s in shape if s != 6))


def test_an_order_that_is_open_is_asked_for(tmp_path):
    file = stored(tmp_path, **arrays(observations=np.zeros((13, 3, 6, 3), np.uint8)))
    with pytest.raises(UserError, match="--layout"):
        read_episodes(file)
    assert read_episodes(file, layout="chw").episodes[0].observations.shape[1:] == (3, 6, 3)


def test_what_is_guessed_is_said(tmp_path):
    share = np.random.default_rng(0).random((13, 6, 6, 3)).astype(np.float32)
    log = read_episodes(stored(tmp_path, **arrays(observations=share, actions=np.ones(12, np.float64))))
    assert log.episodes[0].observations.dtype == np.uint8
    assert log.episodes[0].actions.dtype == np.int64
    assert any("times 255" in note for note in log.notes)
    assert any("taken as choices" in note for note in log.notes)
    wide = read_episodes(stored(tmp_path, "wide.npz", **arrays(actions=np.linspace(-3, 3, 24).reshape(12, 2))))
    assert np.abs(wide.episodes[0].actions).max() == 1
    assert any("divided by its largest" in note for note in wide.notes)


def test_both_flags_are_death_and_counted(tmp_path):
    """Note 37."""
    last = np.arange(12) == 11
    log = read_episodes(stored(tmp_path, **arrays(terminated=last, truncated=last)))
    assert log.episodes[0].terminated
    assert any("both terminated and truncated" in note for note in log.notes)
    assert log.notes[-1].startswith("1 episode both")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rewards_that_are_no_number(tmp_path, bad):
    """Note 29."""
    rewards = np.zeros(12)
    rewards[7] = bad
    file = stored(tmp_path, **arrays(rewards=rewards))
    with pytest.raises(UserError, match=r"log.npz: the reward of step 7 is"):
        read_episodes(file)
    log = read_episodes(file, on_nan="drop")
    assert len(log.episodes[0]) == 7
    assert log.episodes[0].cut
    assert any("no number" in note for note in log.notes)


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


def test_a_last_frame_twice_is_seen(tmp_path):
    content = arrays()
    content["observations"][-1] = content["observations"][-2]
    assert any("twice" in note for note in read_episodes(stored(tmp_path, **content)).notes)


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


def test_more_than_fits_into_memory_is_refused(tmp_path, monkeypatch):
    from twofold.control.reading import stores

    monkeypatch.setattr(stores, "free_memory", lambda: 1000)
    with pytest.raises(UserError, match="of memory"):
        read_episodes(stored(tmp_path, **arrays()))


def test_hdf5_flat_and_in_groups(tmp_path):
    content = arrays()
    with h5py.File(tmp_path / "flat.hdf5", "w") as file:
        for name, value in content.items():
            file["terminals" if name == "terminated" else name] = value
    with h5py.File(tmp_path / "groups.h5", "w") as file:
        for number in (0, 1, 10, 2):
            for name, value in arrays(seed=number).items():
                file[f"episode_{number}/{name}"] = value
    (flat,) = read_episodes(tmp_path / "flat.hdf5").episodes
    np.testing.assert_array_equal(flat.observations, content["observations"].transpose(0, 3, 1, 2))
    grouped = read_episodes(tmp_path / "groups.h5").episodes
    assert [episode.name.rpartition("_")[2] for episode in grouped] == ["0", "1", "2", "10"]


def test_links_to_other_files_are_not_followed(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["rewards"] = np.ones(12)
    folder = tmp_path / "log"
    folder.mkdir()
    with h5py.File(folder / "log.h5", "w") as file:
        for name, value in arrays(rewards=None).items():
            file[name] = value
        file["rewards"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "rewards")
    with pytest.raises(UserError, match="no rewards"):
        read_episodes(folder)
    layout = h5py.VirtualLayout((12,), np.float64)
    layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "rewards", (12,))
    with h5py.File(folder / "log.h5", "a") as file:
        del file["rewards"]
        file.create_virtual_dataset("rewards", layout)
    with pytest.raises(UserError, match="other files"):
        read_episodes(folder)


def test_several_observations(tmp_path):
    with h5py.File(tmp_path / "log.h5", "w") as file:
        for name, value in arrays(observations=None).items():
            file[f"episode_0/{name}"] = value
        file["episode_0/observations/camera"] = np.zeros((13, 6, 6, 3), np.uint8)
        file["episode_0/observations/speed"] = np.zeros((13, 2), np.float32)
    with pytest.raises(UserError, match=r"observations/camera, observations/speed: say which by --observation"):
        read_episodes(tmp_path)
    assert read_episodes(tmp_path, observation="speed").episodes[0].observations.shape == (13, 2)
    with pytest.raises(UserError, match="no observation sound"):
        read_episodes(tmp_path, observation="sound")


@pytest.mark.parametrize("jpeg", [False, True])
def test_a_data_set_of_minari(tmp_path, monkeypatch, jpeg):
    """Note 7: without losses bit by bit; with JPEG said once, and no error."""
    minari = pytest.importorskip("minari")
    gymnasium = pytest.importorskip("gymnasium")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    rng = np.random.default_rng(0)
    seen = rng.integers(0, 256, (9, 40, 40, 3)).astype(np.uint8)
    buffers = [
        minari.data_collector.EpisodeBuffer(
            observations=seen,
            actions=np.arange(8) % 3,
            rewards=np.ones(8),
            terminations=np.arange(8) == 7,
            truncations=np.zeros(8, bool),
        )
        for _ in range(2)
    ]
    minari.create_dataset_from_buffers(
        "test/one-v0",
        buffers,
        observation_space=gymnasium.spaces.Box(0, 255, (40, 40, 3), np.uint8),
        action_space=gymnasium.spaces.Discrete(3),
        jpeg_encoding=jpeg,
    )
    log = read_episodes(tmp_path / "test" / "one-v0")
    assert [len(episode) for episode in log.episodes] == [8, 8]
    assert log.episodes[0].terminated
    assert sum("lossy" in note for note in log.notes) == jpeg
    if not jpeg:
        np.testing.assert_array_equal(log.episodes[0].observations, seen.transpose(0, 3, 1, 2))
