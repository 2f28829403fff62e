"""Logged episodes for the comparison of encoders in docs/control.md: python benchmarks/control_logs.py GAME FOLDER.

GAME: breakout (of MinAtar, to be installed beside; a policy that follows the ball 6 times of 10; with --noise six more
channels, three of fresh noise and three that last an episode), pong (Atari's, random play) or cartpole (DMControl's
swing-up, random forces that last).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from twofold.control.environments.factory import build
from twofold.control.environments.specification import Specification
from twofold.control.episode import Episode
from twofold.control.reading.writing import write_episode


def breakout(steps: int, noise: bool, seed: int) -> Iterator[Episode]:
    """MinAtar's Breakout."""
    from minatar import Environment

    env, rng, done = Environment("breakout", sticky_action_prob=0.0), np.random.default_rng(seed), 0
    env.seed(seed)
    choices = env.minimal_action_set()
    while done < steps:
        env.reset()
        lasting = rng.integers(0, 256, (3, 10, 10)).astype(np.uint8)

        def seen(lasting: np.ndarray = lasting) -> np.ndarray:
            frame = env.state().transpose(2, 0, 1).astype(np.uint8) * np.uint8(255)
            fresh = rng.integers(0, 256, (3, 10, 10)).astype(np.uint8)
            return np.concatenate([frame, fresh, lasting]) if noise else frame

        frames, actions, rewards, over = [seen()], [], [], False
        while not over and len(actions) < 500:
            state = env.state()
            paddle, ball = int(state[9, :, 0].argmax()), int(state[:, :, 1].argmax()) % 10
            follows = 1 if ball < paddle else 2 if ball > paddle else 0
            actions.append(int(rng.integers(3)) if rng.random() < 0.4 else follows)
            reward, over = env.act(choices[actions[-1]])
            rewards.append(reward)
            frames.append(seen())
        done += len(actions)
        yield made(frames, actions, rewards, over)


def played(spec: Specification, steps: int, seed: int) -> Iterator[Episode]:
    """Random choices, or random forces that last for some decisions."""
    env, rng, done, episode = build(spec, seed), np.random.default_rng(seed), 0, 0
    while done < steps:
        frames, actions, rewards, over = [env.reset(seed=1000 * seed + episode)[0]], [], [], False
        force = np.zeros(env.actions)
        terminated = False
        while not over:
            force = np.clip(0.9 * force + 0.5 * rng.standard_normal(env.actions), -1, 1)
            action = int(rng.integers(env.actions)) if env.discrete else force.astype(np.float32)
            frame, reward, terminated, truncated, _ = env.step(action)
            over = terminated or truncated
            actions.append(action)
            rewards.append(reward)
            frames.append(frame)
        done, episode = done + len(actions), episode + 1
        yield made(frames, actions, rewards, terminated)
    env.close()


def made(frames: list, actions: list, rewards: list, terminated: bool) -> Episode:
    """An episode of lists."""
    lost = np.zeros(len(actions), bool)
    return Episode(
        np.stack(frames), np.asarray(actions), np.asarray(rewards, np.float32), lost, bool(terminated), not terminated
    )


def main() -> None:
    """Write the episodes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("game", choices=["breakout", "pong", "cartpole"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--noise", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    specs = {
        "pong": Specification("ALE/Pong-v5"),
        "cartpole": Specification("dm_control/cartpole-swingup-v0", size=64, action_repeat=4, fast_render=True),
    }
    if asked.game == "breakout":
        episodes = breakout(asked.steps, asked.noise, asked.seed)
    else:
        episodes = played(specs[asked.game], asked.steps, asked.seed)
    asked.folder.mkdir(parents=True, exist_ok=True)
    for number, episode in enumerate(episodes):
        write_episode(asked.folder, number, episode)


if __name__ == "__main__":
    main()
