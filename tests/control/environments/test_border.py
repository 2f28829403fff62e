"""Vector environments: steps as they were really made (field notes 1, 35)."""

from __future__ import annotations

import os

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from twofold.control.environments.border import steps_of
from twofold.errors import UserError


class Count(gymnasium.Env):
    """Its frame is filled with the number of the step; it ends after `length`, and fails at `fails`."""

    observation_space, action_space = Box(0, 255, (2, 2), np.uint8), Discrete(2)

    def __init__(self, length: int, fails: int = -1) -> None:
        self.length, self.fails, self.made = length, fails, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return np.full((2, 2), 0, np.uint8), {}

    def step(self, action):
        self.t += 1
        self.made += 1
        if self.made == self.fails:
            raise RuntimeError("the simulator broke")
        return np.full((2, 2), self.t, np.uint8), float(self.t), self.t >= self.length, False, {}


def any_action(seen):
    return np.zeros(len(seen), np.int64)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_step_leads_one_further_and_none_is_made_up(mode):
    envs = SyncVectorEnv([lambda: Count(4), lambda: Count(6)], autoreset_mode=mode)
    found = list(steps_of(envs, any_action, 30))
    assert all(step.after[0, 0] == step.before[0, 0] + 1 for step in found)
    assert len(found) == sum(env.unwrapped.made for env in envs.envs)
    assert all(step.reward == step.after[0, 0] for step in found)
    assert {step.after[0, 0] for step in found if step.number == 0 and step.terminated} == {4}


def test_another_way_of_beginning_anew_is_refused():
    envs = SyncVectorEnv([lambda: Count(4)])
    envs.metadata = {**envs.metadata, "autoreset_mode": "whenever"}
    with pytest.raises(UserError, match="autoreset_mode"):
        next(steps_of(envs, any_action, 3))


class Gone(Count):
    """Its process ends without a word at `fails`."""

    def step(self, action):
        if self.made + 1 == self.fails:
            os._exit(3)
        return super().step(action)


def test_a_process_that_dies_is_told_and_none_is_left():
    """Note 35."""
    envs = AsyncVectorEnv([lambda: Count(9), lambda: Count(9), lambda: Gone(9, fails=3), lambda: Count(9)])
    workers = list(envs.processes)
    with pytest.raises(UserError, match=r"Environment 2 failed in step 3, at action 0 "):
        list(steps_of(envs, any_action, 10))
    assert not any(worker.is_alive() for worker in workers)


def test_an_environment_of_one_process_that_fails_is_told():
    with pytest.raises(UserError, match=r"failed in step 3, at action \[0, 0\] \(RuntimeError: the simulator broke\)"):
        list(steps_of(SyncVectorEnv([lambda: Count(9), lambda: Count(9, fails=3)]), any_action, 10))


class Parts(Count):
    """Observations in two parts."""

    observation_space = Dict({"a": Box(0, 255, (2, 2), np.uint8), "b": Box(-1, 1, (2,))})

    def reset(self, *, seed=None, options=None):
        return self.observation_space.sample(), {}


def test_observations_in_parts_are_refused():
    with pytest.raises(UserError, match="of the kind Dict"):
        next(steps_of(SyncVectorEnv([lambda: Parts(4)]), any_action, 3))


def test_an_environment_that_fails_is_told_and_the_others_are_closed():
    envs = AsyncVectorEnv([lambda: Count(9), lambda: Count(9, fails=3)], context="fork")
    workers = list(envs.processes)
    with pytest.raises(UserError, match=r"Environment 1 failed in step 3, at action 0 .*the simulator broke"):
        list(steps_of(envs, any_action, 10))
    for worker in workers:
        worker.join(5)
        assert not worker.is_alive()
