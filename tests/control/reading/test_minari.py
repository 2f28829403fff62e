"""Data sets of Minari, made by it: HDF5, Arrow and parquet, with and without losses; nothing is unpickled."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from twofold import wings
from twofold.control.reading import read_episodes
from twofold.errors import UserError

FORMATS = ("hdf5", "arrow", "parquet")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")


def made(folder: Path, form: str, seen, *, observations, actions=None, packing=False, episodes=11) -> Path:
    """A data set of episodes of 8 steps, the last of which terminates. seen: 9 observations."""
    minari, gymnasium = pytest.importorskip("minari"), pytest.importorskip("gymnasium")
    buffers = [
        minari.data_collector.EpisodeBuffer(
            id=number,
            observations=seen,
            actions=np.arange(8) % 3 if actions is None else actions,
            rewards=np.arange(8.0),
            terminations=np.arange(8) == 7,
            truncations=np.zeros(8, bool),
            infos={"rewards": np.ones(9 if form != "hdf5" else 8)},
        )
        for number in range(episodes)
    ]
    space = gymnasium.spaces.Discrete(3) if actions is None else gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MINARI_DATASETS_PATH", str(folder / form))
        minari.create_dataset_from_buffers(
            "test/one-v0", buffers, observation_space=observations, action_space=space, jpeg_encoding=packing,
            data_format=form,
        )  # fmt: skip
    return folder / form / "test" / "one-v0"


def box(shape, dtype=np.uint8):
    spaces = pytest.importorskip("gymnasium").spaces
    return spaces.Box(0, 255, shape, np.uint8) if dtype == np.uint8 else spaces.Box(-9, 9, shape, dtype)


@pytest.mark.parametrize("shape", [(40, 40, 3), (84, 84)])
@pytest.mark.parametrize("packing", [False, True])
def test_pictures_in_every_format(tmp_path, shape, packing):
    """Without losses bit by bit; with JPEG, its default, said once, and no error."""
    seen = np.random.default_rng(0).integers(0, 256, (9, *shape)).astype(np.uint8)
    prints = set()
    for form in FORMATS:
        path = made(tmp_path, form, seen, observations=box(shape), packing=packing)
        assert wings.of_data(str(path)).kind == "control"
        log = read_episodes(path)
        assert not log.unreadable
        assert [len(episode) for episode in log.episodes] == [8] * 11
        numbers = [episode.name.rpartition("_")[2] if form == "hdf5" else episode.name.rpartition(", ")[2]
                   for episode in log.episodes]  # fmt: skip
        assert numbers == [str(n) for n in range(11)]
        assert all(episode.terminated and episode.whole for episode in log.episodes)
        assert log.episodes[0].rewards.tolist() == list(range(8))
        assert json.loads((path / "data/metadata.json").read_text())["jpeg_encoding"] == packing
        assert log.notes[:-1] == (("Pictures were stored lossy, as JPEG.",) if packing else ())
        assert log.notes[-1].startswith("10 episodes the same as another")
        if not packing:
            expected = seen[:, None] if len(shape) == 2 else seen.transpose(0, 3, 1, 2)
            np.testing.assert_array_equal(log.episodes[0].observations, expected)
        prints.add(log.fingerprint)
    assert len(prints) == 1


@pytest.mark.parametrize("form", FORMATS)
def test_vectors_and_continuous_actions(tmp_path, form):
    rng = np.random.default_rng(0)
    seen, actions = rng.normal(size=(9, 5)).astype(np.float32), rng.uniform(-1, 1, (8, 2)).astype(np.float32)
    log = read_episodes(made(tmp_path, form, seen, observations=box((5,), np.float32), actions=actions, episodes=2))
    np.testing.assert_array_equal(log.episodes[1].observations, seen)
    np.testing.assert_array_equal(log.episodes[1].actions, actions)


@pytest.mark.parametrize("form", FORMATS)
def test_of_a_dict_of_observations_the_only_pictures_are_taken(tmp_path, form):
    spaces = pytest.importorskip("gymnasium").spaces
    rng = np.random.default_rng(0)
    seen = {"image": rng.integers(0, 256, (9, 12, 12, 3)).astype(np.uint8), "pose": rng.normal(size=(9, 4))}
    both = spaces.Dict({"image": box((12, 12, 3)), "pose": spaces.Box(-9, 9, (4,), np.float64)})
    path = made(tmp_path, form, seen, observations=both, episodes=2)
    log = read_episodes(path)
    np.testing.assert_array_equal(log.episodes[0].observations, seen["image"].transpose(0, 3, 1, 2))
    assert any("observations/image" in note for note in log.notes)
    assert read_episodes(path, observation="pose").episodes[0].observations.shape == (9, 4)


@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_damage_is_of_the_episode_that_has_it(tmp_path, form):
    seen = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    path = made(tmp_path, form, seen, observations=box((5,), np.float32), episodes=3)
    (file,) = (path / "data" / "1").glob(f"*.{form}")
    whole = file.read_bytes()
    for content in (whole[:-40], b"", b"x" * 200):
        file.write_bytes(content)
        log = read_episodes(path)
        assert [episode.name.rpartition(", ")[2] for episode in log.episodes] == ["0", "2"]
        assert [name.rpartition(", ")[2] for name in log.unreadable] == ["1"]
    file.unlink()
    assert len(read_episodes(path).episodes) == 2 and len(read_episodes(path).unreadable) == 1
    (path / "data" / "metadata.json").write_text('{"data_format": "' + form + '", "observation_space": 3}')
    with pytest.raises(UserError, match=r"No episode of .*metadata\.json"):
        read_episodes(path)


def test_other_tables_are_no_episodes(tmp_path):
    """A folder of parquet files without Minari's metadata is left to others."""
    (tmp_path / "0").mkdir()
    (tmp_path / "metadata.json").write_text('{"data_format": "hdf5"}')
    (tmp_path / "0" / "part-0.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="nor a data set of Minari"):
        read_episodes(tmp_path)
