"""Our own games: rules, draws, and that an episode is a function of its seed and its actions."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from twofold.control.environments.factory import build, world_of
from twofold.control.environments.games import GAMES, Catch, Runner, register
from twofold.control.environments.specification import Specification


def played(env, seed: int, steps: int = 40) -> tuple[np.ndarray, list[float]]:
    """Frames and rewards of random actions."""
    rng = np.random.default_rng(seed)
    frames, rewards = [env.reset(seed=seed)[0]], []
    for _ in range(steps):
        action = int(rng.integers(env.actions)) if env.discrete else rng.uniform(-1, 1, env.actions).astype(np.float32)
        frame, reward, terminated, truncated, _ = env.step(action)
        frames.append(frame)
        rewards.append(reward)
        if terminated or truncated:
            break
    return np.stack(frames), rewards


@pytest.mark.parametrize("name", GAMES)
def test_an_episode_follows_from_its_seed_whatever_was_played_before(name):
    env = build(Specification(name), 0)
    first = played(env, 5)
    played(env, 9, steps=7)
    again = played(env, 5)
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert not np.array_equal(first[0], played(env, 6)[0])
    assert world_of(env)[0] == first[0].shape[1:]


@pytest.mark.parametrize("name", GAMES)
def test_they_are_environments_as_gymnasium_has_them(name):
    from gymnasium.utils.env_checker import check_env

    register()
    env = gymnasium.make(name, render_mode="rgb_array").unwrapped
    check_env(env, skip_render_check=True)
    assert env.render().dtype == np.uint8
    assert env.render().shape[2] == 3


def test_who_follows_what_falls_catches_it():
    env = Catch()
    frame, _ = env.reset(seed=0)
    total, over, steps = 0.0, False, 0
    while not over:
        _, falls = np.unravel_index((frame[0] == 255).argmax(), (10, 10))
        own = int((frame[0, 9] == 128).argmax())
        frame, reward, over, _, _ = env.step(1 + np.sign(falls - own))
        total, steps = total + reward, steps + 1
    assert (total, steps) == (10.0, 90)


def test_lasting_noise_stays_and_fresh_noise_does_not():
    env = build(Specification("twofold/CatchNoise-v0"), 0)
    frames, _ = played(env, 1, steps=5)
    assert (frames[1:, 4:] == frames[:1, 4:]).all()
    assert not (frames[1:, 1:4] == frames[:1, 1:4]).all()


def test_a_runner_loses_lives_and_then_the_game():
    env = build(Specification("twofold/Runner-v0"), 0)
    env.reset(seed=3)
    lost, rewards, over = 0, [], False
    while not over:
        _, reward, terminated, truncated, info = env.step(1)
        over = terminated or truncated
        lost += info["life_lost"]
        rewards.append(reward)
    assert terminated
    assert lost == 2
    assert rewards.count(-1.0) == 3
    assert Runner.limit >= len(rewards)
