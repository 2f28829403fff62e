"""What an update of an agent costs, beside others: python benchmarks/control_updates.py [--rounds 5] [--only NAME].

Each side in a process of its own, one thread, in turns; CPU milliseconds an update with its draw from a filled replay
of 84 x 84 pictures (4 of grey for discrete actions, 3 of colours for continuous ones). Batch 32. Tianshou and TorchRL
(control_peers.py) are left out where they are not installed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

ROWS, WARM, TIMED = 4000, 15, 60


def ours(method: str, additions: str, network: str) -> float:
    """An update of our agents, as a run makes it."""
    import numpy as np
    import torch

    from twofold.control.acting.online import draw_all
    from twofold.control.experience.replay import Replay
    from twofold.control.jobs.agent_file import shape_of
    from twofold.control.lesson import Experience
    from twofold.control.methods.curl import CURL
    from twofold.control.methods.rainbow import Rainbow
    from twofold.control.methods.rcrl import RCRL
    from twofold.control.methods.sac import SAC
    from twofold.control.world import World
    from twofold.memory import keep_freed_memory
    from twofold.seam import Progress
    from twofold.training.distribution import make_fabric, make_ready
    from twofold.training.optimizer import build_optimizer
    from twofold.training.plan import Plan
    from twofold.training.step import Updates

    keep_freed_memory()
    torch.manual_seed(0)
    laid = [{"rcrl": RCRL, "curl": CURL}[name]() for name in additions.split("+") if name]
    if method == "rainbow":
        hidden = 512 if network == "canonical" else 256
        agent = Rainbow(World((1, 84, 84), True, 6, True, 4), network=network, hidden=hidden, additions=laid)
    else:
        agent = SAC(World((3, 84, 84), True, 6, False, 3), hidden=256, crop=1.0, additions=laid)
    rng, shape = np.random.default_rng(0), shape_of(agent)
    drawn = {"n_step": agent.n_step, "gamma": agent.gamma, "alpha": agent.alpha}
    replay = Replay(ROWS, shape, segments=agent.index(ROWS), **drawn)
    frames = rng.integers(0, 256, (50, *shape.frame)).astype(np.uint8)
    for t in range(ROWS - 100):
        action = rng.integers(6) if agent.world.discrete else rng.uniform(-1, 1, 6).astype(np.float32)
        reward = float(rng.random() < 0.05) if agent.world.discrete else float(rng.random())
        replay.add(frames[t % 50], action, reward, died=t % 200 == 199, since_start=t % 200)
    plan = Plan(batch_size=32, steps=1000, optimizer="adam", lr=1e-4, weight_decay=0.0, schedule="constant", clip=10.0)
    fabric = make_fabric(1)
    make_ready(agent, fabric, 32, 1)
    updates = Updates(agent, build_optimizer(agent, plan), plan, fabric, print)

    def update(number: int) -> None:
        found = replay.draw(32, np.random.default_rng(number), agent.beta)
        arrays = (found.positions, replay.states(found.positions), replay.states(found.after))
        arrays += (found.action, found.gain, found.discount, found.weights)
        batch = Experience(*map(torch.from_numpy, arrays), draw_all(agent, replay, 0, number))
        progress = Progress(number, 1000)
        agent.before_step(progress)
        losses = updates(batch.views(), progress, 1e-4)
        agent.after_step(progress)
        if agent.alpha:
            replay.heed(found.positions, losses.each.double().numpy())

    return timed(update)


def theirs(method: str) -> float:
    """An update of Stable-Baselines3's agents, at their own networks."""
    import gymnasium
    import numpy as np
    from gymnasium.spaces import Box, Discrete
    from stable_baselines3 import DQN, SAC

    class Nothing(gymnasium.Env):
        observation_space = Box(0, 255, (4 if method == "dqn" else 9, 84, 84), np.uint8)
        action_space = Discrete(6) if method == "dqn" else Box(-1, 1, (6,), np.float32)

        def reset(self, *, seed=None, options=None):
            return self.observation_space.sample(), {}

        def step(self, action):
            return self.observation_space.sample(), 0.0, False, False, {}

    settings = {"buffer_size": ROWS, "batch_size": 32, "learning_starts": 0, "seed": 0}
    agent = (
        DQN("CnnPolicy", Nothing(), **settings)
        if method == "dqn"
        else SAC("CnnPolicy", Nothing(), policy_kwargs={"net_arch": [256, 256]}, **settings)
    )
    agent._setup_learn(1000)
    env, seen = Nothing(), Nothing().reset()[0]
    for _ in range(400):
        action = np.asarray([env.action_space.sample()])
        agent.replay_buffer.add(seen[None], seen[None], action, np.zeros(1), np.zeros(1), [{}])
    return timed(lambda number: agent.train(gradient_steps=1, batch_size=32))


def peers(library: str, network: str, hidden: int) -> float:
    """An update of another library's Rainbow."""
    import control_peers

    return timed(getattr(control_peers, library)(network, hidden, ROWS))


def timed(update) -> float:
    """CPU milliseconds of one."""
    for number in range(WARM):
        update(number)
    began = time.process_time()
    for number in range(WARM, WARM + TIMED):
        update(number)
    return (time.process_time() - began) / TIMED * 1e3


SIDES = {
    "Stable-Baselines3 DQN (its network, 512)": ("theirs", "dqn"),
    "rainbow, canonical (the same network, 512)": ("ours", "rainbow", "", "canonical"),
    "Tianshou RainbowDQN, canonical (the same, 512)": ("peers", "tianshou", "canonical", 512),
    "TorchRL C51, canonical (the same, 512)": ("peers", "torchrl", "canonical", 512),
    "rainbow, data-efficient": ("ours", "rainbow", "", "data-efficient"),
    "Tianshou RainbowDQN, data-efficient": ("peers", "tianshou", "data-efficient", 256),
    "TorchRL C51, data-efficient": ("peers", "torchrl", "data-efficient", 256),
    "rainbow+rcrl, data-efficient": ("ours", "rainbow", "rcrl", "data-efficient"),
    "rainbow+curl, data-efficient": ("ours", "rainbow", "curl", "data-efficient"),
    "Stable-Baselines3 SAC (DQN's network, 256)": ("theirs", "sac"),
    "sac (CURL's network, 256)": ("ours", "sac", "", ""),
    "sac+rcrl (CURL's network, 256)": ("ours", "sac", "rcrl", ""),
}


def main() -> None:
    """Time every side in turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="a part of the names of the sides")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        import torch

        torch.set_num_threads(1)
        which, *arguments = json.loads(asked.side)
        print(json.dumps({"ours": ours, "theirs": theirs, "peers": peers}[which](*arguments)))
        return
    found: dict[str, list[float]] = {name: [] for name in SIDES if asked.only in name}
    for _ in range(asked.rounds):
        for name in found:
            command = [sys.executable, __file__, "--side", json.dumps(SIDES[name])]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                print(f"{name}: left out ({done.stderr.strip().splitlines()[-1]})", file=sys.stderr)
                continue
            found[name].append(float(done.stdout.strip().splitlines()[-1]))
    for name, values in ((name, values) for name, values in found.items() if values):
        middle = sorted(values)[len(values) // 2]
        print(f"{name:48} {middle:7.1f} CPU-ms ({min(values):.1f} to {max(values):.1f})")


if __name__ == "__main__":
    main()
