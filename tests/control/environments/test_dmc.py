"""DMControl: tasks, cameras and what draws, for real (field notes 23, 41)."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from twofold.control.environments.drawing import backend, choose_backend, renderer
from twofold.control.environments.factory import build
from twofold.control.environments.specification import Specification, protocol
from twofold.errors import UserError

pytest.importorskip("dm_control")
TASK = "dm_control/cartpole-swingup-v0"


def drawing(side=48):
    """An environment with pictures; the test is skipped where nothing can draw."""
    try:
        return build(Specification(TASK, size=side, fast_render=True), 0)
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
    assert choose_backend() == "egl"
    assert os.environ["MUJOCO_GL"] == "egl"
    found = {"EGL": None, "OSMesa": "libOSMesa.so.8"}
    monkeypatch.setattr(os, "environ", {"MUJOCO_GL": ""})
    monkeypatch.setattr("ctypes.util.find_library", found.get)
    assert choose_backend() == "osmesa"
    monkeypatch.setattr(os, "environ", {"DISPLAY": ":0"})
    assert choose_backend() == ""
    assert "MUJOCO_GL" not in os.environ
    monkeypatch.setattr(os, "environ", {"MUJOCO_GL": "OSMesa"})
    assert choose_backend() == "osmesa"
    assert os.environ["MUJOCO_GL"] == "osmesa"
    monkeypatch.setattr(os, "environ", {"MUJOCO_GL": "foo"})
    with pytest.raises(UserError, match="egl, osmesa, glfw"):
        choose_backend()


def test_a_failure_to_load_names_both_versions(monkeypatch):
    from dm_control import suite

    def broken(*arguments, **settings):
        raise AttributeError("MjModel object has no attribute flex_vertedge")

    monkeypatch.setattr(suite, "load", broken)
    with pytest.raises(UserError, match=r"dm_control \d.*mujoco \d.*flex_vertedge.*mujoco>=3.17"):
        build(Specification(TASK, pixels=False), 0)


def test_what_draws_is_told():
    """Note 41: said, not assumed."""
    env = drawing()
    assert renderer()
    assert backend() in ("egl", "osmesa", "glfw")
    env.close()


def test_pictures_larger_than_the_usual_room():
    env = drawing(side=700)
    assert env.frame == (3, 700, 700)
    env.close()


def test_the_system_is_the_same_whatever_seed_it_was_made_with():
    """In lqr the system itself is drawn at random."""
    asked = Specification("dmc/lqr-lqr_2_1", pixels=False, action_range=(-1.0, 1.0))
    found = []
    for seed in (1, 2):
        env = build(asked, seed)
        env.step(np.ones(1))
        found.append([env.reset(seed=7)[0], *(env.step(np.ones(1))[0] for _ in range(5))])
        env.close()
    np.testing.assert_array_equal(*found)


def test_actions_without_bounds_need_a_range():
    """Note 26: MuJoCo writes 1e10 where there are none."""
    with pytest.raises(UserError, match=r"number 0 of its actions.*--action-range"):
        build(Specification("dmc/lqr-lqr_2_1", pixels=False), 0)


def run(code: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A fresh Python in which nothing is loaded yet."""
    begin = (
        "from twofold.control.environments.factory import build\n"
        "from twofold.control.environments.specification import Specification\n"
    )
    surroundings = {name: value for name, value in os.environ.items() if name not in ("MUJOCO_GL", "DISPLAY")}
    return subprocess.run(
        [sys.executable, "-c", begin + code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**surroundings, **settings},
    )


def test_where_nothing_draws_vectors_do_and_pictures_say_why():
    """Note 41: no device, here one that there is not."""
    code = f"print(build(Specification({TASK!r}, pixels=False), 0).frame)\nbuild(Specification({TASK!r}, size=48), 0)\n"
    done = run(code, MUJOCO_GL="egl", MUJOCO_EGL_DEVICE_ID="99")
    assert done.stdout == "(5,)\n"
    assert "UserError" in done.stderr
    assert "apt-get install" in done.stderr
    assert "--pixels false" in done.stderr
    done = run(f"build(Specification({TASK!r}), 0)", MUJOCO_GL="off")
    assert "MUJOCO_GL is off" in done.stderr


@pytest.mark.slow
def test_workers_draw_beside_a_parent_that_has_drawn(tmp_path):
    """Note 22: each process makes its own context; nothing crashes, nothing is black, nothing is said at the end."""
    drawing().close()
    script = tmp_path / "workers.py"
    script.write_text(
        "import multiprocessing, sys\n"
        "import numpy as np\n"
        "from twofold.control.environments.factory import build\n"
        "from twofold.control.environments.specification import Specification\n"
        f"SPEC = Specification({TASK!r}, size=48, fast_render=True)\n"
        "def draw(seed):\n"
        "    env = build(SPEC, seed)\n"
        "    means = [env.step(np.zeros(1))[0].mean() for _ in range(5)]\n"
        "    env.close()\n"
        "    return min(means)\n"
        "if __name__ == '__main__':\n"
        "    env = build(SPEC, 0)\n"
        "    with multiprocessing.get_context('spawn').Pool(2) as pool:\n"
        "        assert min(pool.map(draw, [1, 2])) > 5\n"
        "    assert env.step(np.zeros(1))[0].mean() > 5\n"
        "    env.close()\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_process_that_has_drawn_can_train_and_ends_without_a_word():
    """What compiles for torch and what draws without a graphics card bring an LLVM each, which do not go together in
    any order."""
    drawing().close()
    done = run(
        f"env = build(Specification({TASK!r}, size=48, fast_render=True), 0)\n"
        "from twofold.training.distribution import make_fabric\n"
        "make_fabric(1)\n"
        "env.step([0.0]); env.close()\n"
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
