"""What is written is read again, bit by bit, and is there wholly or not at all."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.control.episode import Episode
from twofold.control.reading import read_episodes
from twofold.control.reading.writing import write_episode
from twofold.errors import UserError

SHAPES = [(3, 5, 7), (1, 4, 4), (4, 4, 4), (7, 3, 3), (3, 4, 3), (5,), (1,)]
ACTIONS = ["choices", "two", "one", "one of whole numbers"]


def episode_of(shape, actions, steps, whole, ended, seed) -> Episode:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 256, (steps + whole, *shape)).astype(np.uint8)
    vectors = rng.standard_normal((steps + whole, *shape)).astype(np.float32)
    return Episode(
        rows if len(shape) == 3 else vectors,
        {
            "choices": rng.integers(0, 4, steps),
            "two": rng.uniform(-1, 1, (steps, 2)).astype(np.float32),
            "one": rng.uniform(-1, 1, (steps, 1)).astype(np.float32),
            "one of whole numbers": rng.integers(0, 2, (steps, 1)).astype(np.float32),
        }[actions],
        rng.standard_normal(steps).astype(np.float32),
        rng.random(steps) < 0.3,
        *ended,
    )


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(SHAPES),
    st.sampled_from(ACTIONS),
    st.integers(1, 9),
    st.booleans(),
    st.tuples(st.booleans(), st.booleans()),
    st.integers(0, 99),
)
def test_what_is_written_is_read_again_bit_by_bit(tmp_path_factory, shape, actions, steps, whole, ended, seed):
    episode, folder = episode_of(shape, actions, steps, whole, ended, seed), tmp_path_factory.mktemp("log")
    file = write_episode(folder, 12, episode)
    assert file == folder / "episode-000012.npz"
    (found,) = read_episodes(folder).episodes
    for name in ("observations", "actions", "rewards", "life_lost"):
        np.testing.assert_array_equal(getattr(found, name), getattr(episode, name))
        assert getattr(found, name).dtype == getattr(episode, name).dtype
    assert (found.terminated, found.truncated) == ended


def test_what_fails_while_it_is_written_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    episode = episode_of((5,), "two", 4, True, (True, False), 0)
    before = write_episode(tmp_path, 0, episode).read_bytes()

    def half(handle, **arrays):
        handle.write(b"half")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(np, "savez_compressed", half)
    with pytest.raises(UserError, match="disk is full"):
        write_episode(tmp_path, 0, episode)
    assert [found.name for found in tmp_path.iterdir()] == ["episode-000000.npz"]
    assert (tmp_path / "episode-000000.npz").read_bytes() == before
