"""DMControl: tasks, cameras and what draws, for real (field notes 23, 41)."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from twofold.control.environments import dmc
from twofold.control.environments.factory import build
from twofold.control.environments.specification import Specification, protocol
from twofold.errors import UserError

pytest.importorskip("dm_control")
TASK = "dm_control/cartpole-swingup-v0"


def drawing(**settings):
    """An environment with pictures; the test is skipped where nothing can draw."""
    try:
        return build(Specification(TASK, size=48, fast_render=True, **settings), 0)
    except UserError as error:
        if "cannot be drawn" in str(error):
            pytest.skip(str(error))
        raise


def test_pictures_follow_from_seed_and_actions():
    env = drawing()
    found = []
    for seed in (1, 2, 1):
        frames = [env.reset(seed=seed)[0]] + [env.step(np.asarray([0.5], np.float32))[0] for _ in range(3)]
        found.append(np.stack(frames))
    np.testing.assert_array_equal(found[0], found[2])
    assert found[0].shape == (4, 3, 48, 48)
    assert found[0].std() > 5
    env.close()


def test_vectors_need_nothing_that_draws_and_end_at_the_limit():
    env = build(Specification(TASK, pixels=False), 0)
    env.reset(seed=0)
    steps, total, truncated = 0, 0.0, False
    while not truncated:
        _, reward, terminated, truncated, info = env.step(np.zeros(1, np.float32))
        assert not terminated
        steps, total = steps + 1, total + reward
    assert steps == 125  # of 1,000 frames, 8 a decision
    assert info["raw_frames"] == 1000
    assert 0 <= total <= 1000


def test_both_spellings_are_the_same_task():
    first, other = (build(Specification(name, pixels=False), 0) for name in (TASK, "dmc/cartpole-swingup"))
    np.testing.assert_array_equal(first.reset(seed=3)[0], other.reset(seed=3)[0])
    assert "8 frames a decision" in protocol(Specification("dmc/cartpole-swingup"))


def test_an_unknown_task_is_named_with_its_nearest():
    with pytest.raises(UserError, match="walker-walk"):
        build(Specification("dmc/walker-wolk", pixels=False), 0)


def test_what_draws_is_chosen_before_it_is_needed(monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(sys, "platform", "linux")
    assert dmc.choose_backend() == "egl"
    monkeypatch.setattr(os, "environ", {"MUJOCO_GL": "osmesa"})
    assert dmc.choose_backend() == "osmesa"
    monkeypatch.setattr(os, "environ", {"MUJOCO_GL": "foo"})
    with pytest.raises(UserError, match="egl, osmesa, glfw"):
        dmc.choose_backend()


def test_a_failure_to_load_names_both_versions(monkeypatch):
    from dm_control import suite

    def broken(*arguments, **settings):
        raise AttributeError("MjModel object has no attribute flex_vertedge")

    monkeypatch.setattr(suite, "load", broken)
    with pytest.raises(UserError, match=r"dm_control \d.*mujoco \d.*flex_vertedge.*mujoco>=3.17"):
        build(Specification(TASK, pixels=False), 0)


def test_a_process_that_has_drawn_can_train_and_ends_without_a_word():
    """What compiles for torch and what draws without a graphics card bring an LLVM each, which do not go together in
    any order."""
    drawing().close()
    code = (
        "from twofold.control.environments.factory import build\n"
        "from twofold.control.environments.specification import Specification\n"
        f"env = build(Specification({TASK!r}, size=48, fast_render=True), 0)\n"
        "from twofold.training.distribution import make_fabric\n"
        "make_fabric(1)\n"
        "env.step([0.0]); env.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
