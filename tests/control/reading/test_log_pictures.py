"""Observations of any order, type and store (field note 7)."""

from __future__ import annotations

import io

import h5py
import numpy as np
import pytest
from PIL import Image

from tests.control.reading.logged import arrays, grouped, stored
from twofold.control.reading import read_episodes
from twofold.errors import UserError

ORDERS = [
    ((6, 6), (1, 6, 6), lambda a: a[:, None]),
    ((6, 6, 1), (1, 6, 6), lambda a: a.transpose(0, 3, 1, 2)),
    ((6, 6, 3), (3, 6, 6), lambda a: a.transpose(0, 3, 1, 2)),
    ((6, 6, 4), (4, 6, 6), lambda a: a.transpose(0, 3, 1, 2)),
    ((6, 6, 9), (9, 6, 6), lambda a: a.transpose(0, 3, 1, 2)),
    ((6, 8, 3), (3, 6, 8), lambda a: a.transpose(0, 3, 1, 2)),
    ((1, 6, 6), (1, 6, 6), lambda a: a),
    ((3, 6, 6), (3, 6, 6), lambda a: a),
    ((4, 6, 6), (4, 6, 6), lambda a: a),
    ((3, 6, 8), (3, 6, 8), lambda a: a),
]


@pytest.mark.parametrize(("shape", "expected", "moved"), ORDERS, ids=[str(order[0]) for order in ORDERS])
def test_pictures_of_any_order_are_read_bit_by_bit(tmp_path, shape, expected, moved):
    seen = np.random.default_rng(0).integers(0, 256, (13, *shape)).astype(np.uint8)
    (episode,) = read_episodes(stored(tmp_path, **arrays(observations=seen))).episodes
    assert episode.observations.shape == (13, *expected)
    np.testing.assert_array_equal(episode.observations, moved(seen))


@pytest.mark.parametrize("shape", [(3, 84, 3), (4, 4, 4), (84, 80, 76)])
def test_an_order_that_is_open_is_asked_for(tmp_path, shape):
    file = stored(tmp_path, **arrays(observations=np.zeros((13, *shape), np.uint8)))
    with pytest.raises(UserError, match=r"log\.npz gives pictures of .*: say --layout chw or hwc"):
        read_episodes(file)
    assert read_episodes(file, layout="chw").episodes[0].observations.shape[1:] == shape
    assert read_episodes(file, layout="hwc").episodes[0].observations.shape[1:] == (shape[2], *shape[:2])


def test_numbers_from_0_to_1_become_bytes_and_that_is_said(tmp_path):
    seen = np.random.default_rng(0).integers(0, 256, (13, 6, 6)).astype(np.uint8)
    log = read_episodes(stored(tmp_path, **arrays(observations=seen.astype(np.float32) / 255)))
    np.testing.assert_array_equal(log.episodes[0].observations[:, 0], seen)
    assert "Pictures of numbers from 0 to 1 were taken times 255." in log.notes
    plain = read_episodes(stored(tmp_path, "plain.npz", **arrays(observations=seen.astype(np.float64))))
    np.testing.assert_array_equal(plain.episodes[0].observations[:, 0], seen)
    assert not plain.notes
    truths = read_episodes(stored(tmp_path, "truths.npz", **arrays(observations=seen > 99)))
    np.testing.assert_array_equal(truths.episodes[0].observations[:, 0], np.where(seen > 99, 255, 0))
    assert "Pictures of True and False were taken as 255 and 0." in truths.notes


def test_a_dark_episode_among_others_is_not_made_bright(tmp_path):
    seen = np.zeros((13, 6, 6))
    stored(tmp_path, "black.npz", **arrays(observations=seen))
    stored(tmp_path, "bright.npz", **arrays(observations=seen + 200))
    assert not read_episodes(tmp_path).notes
    stored(tmp_path, "dark.npz", **arrays(observations=seen + 1))
    with pytest.raises(UserError, match=r"dark\.npz has pictures of numbers from 0 to 1, and .*bright\.npz of numbers"):
        read_episodes(tmp_path)


@pytest.mark.parametrize(("seen", "why"), [
    (np.full((13, 6, 6, 3), 300.0), "numbers up to 300: log whole numbers from 0 to 255"),
    (np.full((13, 6, 6), 2.5), "numbers up to 2.5"),
    (np.full((13, 6, 6), -0.5), "numbers below 0, or none"),
    (np.full((13, 6, 6), np.nan), "numbers below 0, or none"),
    (np.zeros((13, 2, 6, 6, 3), np.uint8), "4-dimensional: log single pictures"),
    (np.zeros((13, 6, 0), np.uint8), r"observations are empty, \[13, 6, 0\]"),
    (np.full((13, 6, 6), "x"), "observations are <U1, which are no numbers"),
    (np.where(np.arange(52).reshape(13, 4) == 21, np.inf, 0), "observation 5 is no number"),
])  # fmt: skip
def test_what_is_no_observation(tmp_path, seen, why):
    with pytest.raises(UserError, match=why):
        read_episodes(stored(tmp_path, **arrays(observations=seen)))


def test_vectors_of_any_type_are_float32(tmp_path):
    for number, dtype in enumerate((np.float64, np.float32, np.int16, bool)):
        seen = np.random.default_rng(0).integers(0, 2, (13, 4)).astype(dtype)
        (episode,) = read_episodes(stored(tmp_path, f"{number}.npz", **arrays(observations=seen))).episodes
        assert episode.observations.dtype == np.float32
        np.testing.assert_array_equal(episode.observations, seen)
    flat = read_episodes(stored(tmp_path, "flat.npz", **arrays(observations=np.arange(13.0))))
    assert flat.episodes[0].observations.shape == (13, 1)


def test_of_several_observations_the_only_pictures_are_taken_and_else_the_user_chooses(tmp_path):
    one = {
        "observations/camera": np.zeros((13, 6, 6, 3), np.uint8),
        "observations/speed": np.zeros((13, 2), np.float32),
    }
    rest = arrays(observations=None)
    log = read_episodes(grouped(tmp_path / "one.h5", rest | one, rest | one))
    assert log.episodes[0].observations.shape == (13, 3, 6, 6)
    said = "Of the observations observations/camera, observations/speed the only pictures are taken"
    assert [note for note in log.notes if note.startswith(said)] == [f"{said}, observations/camera; see --observation."]
    assert read_episodes(tmp_path / "one.h5", observation="speed").episodes[0].observations.shape == (13, 2)
    with pytest.raises(UserError, match=r'no observation sped; it has .*speed\. Did you mean "speed"'):
        read_episodes(tmp_path / "one.h5", observation="sped")
    two = one | {"observations/depth": np.zeros((13, 6, 6), np.uint8)}
    grouped(tmp_path / "two.h5", rest | two)
    none = {"observations/a": np.zeros((13, 2)), "observations/b": np.zeros((13, 2))}
    grouped(tmp_path / "none.h5", rest | none)
    for file, listed in (
        ("two.h5", "camera, observations/depth, observations/speed"),
        ("none.h5", "a, observations/b"),
    ):
        with pytest.raises(
            UserError, match=rf"several observations, observations/{listed}: say which by --observation"
        ):
            read_episodes(tmp_path / file)


def jpeg(pixels: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return np.frombuffer(buffer.getvalue(), np.uint8)


def packed(file, frames: list[np.ndarray]) -> None:
    """An episode with a JPEG a row, of equal length or not."""
    grouped(file, arrays(len(frames) - 1, observations=None))
    with h5py.File(file, "a") as log:
        if len({len(frame) for frame in frames}) == 1:
            log["episode_0/observations"] = np.stack(frames)
            return
        rows = log.create_dataset("episode_0/observations", len(frames), h5py.vlen_dtype(np.uint8))
        for number, frame in enumerate(frames):
            rows[number] = frame


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("shape", [(40, 40), (40, 40, 3)])
def test_a_jpeg_a_row_is_decoded_and_said_to_be_lossy(tmp_path, alike, shape):
    draws = [np.random.default_rng(t).integers(0, 1 if alike else 200, shape).astype(np.uint8) for t in range(4)]
    frames = [jpeg(pixels) for pixels in draws]
    assert (len({len(frame) for frame in frames}) == 1) == alike
    packed(tmp_path / "log.h5", frames)
    log = read_episodes(tmp_path / "log.h5")
    rows = log.episodes[0].observations
    assert rows.shape == (4, 1 if len(shape) == 2 else 3, 40, 40)
    for row, frame in zip(rows, frames, strict=True):
        expected = np.asarray(Image.open(io.BytesIO(frame.tobytes())))
        np.testing.assert_array_equal(row, expected[None] if len(shape) == 2 else expected.transpose(2, 0, 1))
    assert log.notes.count("Pictures were stored lossy, as JPEG.") == 1


def test_a_jpeg_that_is_cut_or_of_another_size_is_named(tmp_path):
    whole, small = jpeg(np.zeros((40, 40), np.uint8)), jpeg(np.zeros((32, 40), np.uint8))
    packed(tmp_path / "size.h5", [whole, np.concatenate([small, small[:1]])])
    with pytest.raises(UserError, match=r"picture 1 of .*observations: it has another size"):
        read_episodes(tmp_path / "size.h5")
    packed(tmp_path / "cut.h5", [whole, whole[:150]])
    with pytest.raises(UserError, match=r"picture 1 of .*observations: "):
        read_episodes(tmp_path / "cut.h5")
    packed(tmp_path / "channels.h5", [whole, jpeg(np.zeros((40, 40, 3), np.uint8))])
    with pytest.raises(UserError, match=r"picture 1 of .*observations: it has other channels"):
        read_episodes(tmp_path / "channels.h5")


def test_the_state_of_a_simulator_is_not_taken_before_what_was_seen(tmp_path):
    """As robomimic lays it out: parts of an observation, the next ones, and the whole state beside."""
    rng = np.random.default_rng(0)
    seen = rng.integers(0, 256, (13, 6, 6, 3)).astype(np.uint8)
    demo = {"obs/camera": seen[:-1], "next_obs/camera": seen[1:], "obs/pose": rng.normal(size=(12, 2)),
            "states": rng.normal(size=(12, 9)), "actions": rng.uniform(-1, 1, (12, 2)), "rewards": np.ones(12),
            "dones": np.arange(12) == 11}  # fmt: skip
    file = grouped(tmp_path / "log.h5", demo, demo, called="data/demo_{}")
    log = read_episodes(file)
    np.testing.assert_array_equal(log.episodes[0].observations, seen.transpose(0, 3, 1, 2))
    assert any("obs/camera, obs/pose, states the only pictures are taken, obs/camera;" in note for note in log.notes)
    assert read_episodes(file, observation="states").episodes[0].observations.shape == (12, 9)
    both = read_episodes(stored(tmp_path, **arrays(states=np.zeros((13, 9)))))
    assert both.episodes[0].observations.shape == (13, 3, 6, 6)
    assert "Of the observations observations, states the first is taken; see --observation." in both.notes
