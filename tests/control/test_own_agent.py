"""The example of docs/control.md: the core over somebody else's agent."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "control.md"


def test_the_core_goes_over_the_dqn_of_another_library(tmp_path, monkeypatch):
    pytest.importorskip("stable_baselines3")
    import gymnasium

    from twofold.control.environments.games import register

    register()
    (code,) = re.findall(
        r"```python\n(import torch\nfrom stable_baselines3.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 20
    (tmp_path / "rcrl_dqn.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "rcrl_dqn", raising=False)
    env, size = gymnasium.make("twofold/Catch-v0"), 2000
    settings = {"learning_starts": 2000, "buffer_size": size, "train_freq": 50, "seed": 0}
    agent = importlib.import_module("rcrl_dqn").RCRLDQN("MlpPolicy", env, **settings)
    before, learn, losses = [p.detach().clone() for p in agent.rcrl.parameters()], agent.rcrl.learn, []
    agent.rcrl.learn = lambda look, optimizer: losses.append(learn(look, optimizer))
    agent.learn(3000)
    assert len(losses) == 20 and None not in losses
    assert (agent.rcrl.index.position, agent.rcrl.index.episodes) == (3000, 3000 // 90)
    assert any((one != other).any() for one, other in zip(before, agent.rcrl.parameters(), strict=True))
    rows = np.arange(2900, 3000) % size  # what the index knows of a step is of that step in the buffer
    index = agent.rcrl.index
    rewards, gained, episode = agent.replay_buffer.rewards[rows, 0], index.gained[rows], index.episode[rows]
    within = episode[1:] == episode[:-1]
    np.testing.assert_array_equal(gained[1:][within], (gained + rewards)[:-1][within])
