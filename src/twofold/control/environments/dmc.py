"""Tasks of the DeepMind Control Suite, seen through their first camera or as vectors."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.control.environments.specification import Specification, task_of
from twofold.control.pictures import grey, planes
from twofold.errors import UserError, clause, nearest

Frame = NDArray[np.generic]
BACKENDS = ("egl", "osmesa", "glfw")
_REMEDY = "on a Linux without a display apt-get install libegl1 libgles2, or libosmesa6 with MUJOCO_GL=osmesa"
_CAMERAS = {"quadruped": 2}  # the one that sees most; others 0


class DMControl:
    """See `factory.Environment`. An episode ends at the suite's limit, truncated, and never by itself in most tasks.

    Pictures are drawn in the process and thread that made the environment; nothing is drawn before the first reset.
    """

    discrete = False

    def __init__(self, spec: Specification, seed: int) -> None:
        self.spec, self.repeat, self.pixels = spec, spec.action_repeat or 1, spec.pixels
        self.domain = task_of(spec)[0]
        self.env = _loaded(spec, seed)
        bounds = self.env.action_spec()
        self.low, self.high = bounds.minimum.astype(np.float64), bounds.maximum.astype(np.float64)
        self.actions, self.raw = int(bounds.shape[0]), 0
        if spec.fast_render:
            quality = self.env.physics.model.vis.quality
            quality.offsamples, quality.shadowsize = 0, 0
        frame, _ = self.reset(seed=seed)
        self.frame = frame.shape

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Frame, dict[str, Any]]:
        """See `factory.Environment`."""
        if seed is not None:
            self.env.task.random.seed(seed % 2**32)
        found = self.env.reset()
        self.raw = 0
        return self._seen(found), {"raw_frames": 0}

    def step(self, action: Any) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """See `factory.Environment`."""
        shares = (np.clip(np.asarray(action, np.float64), -1, 1) + 1) / 2
        total, found = 0.0, None
        for _ in range(self.repeat):
            found = self.env.step(self.low + shares * (self.high - self.low))
            total += float(found.reward or 0.0)
            self.raw += 1
            if found.last():
                break
        assert found is not None
        terminated = found.last() and found.discount == 0
        truncated = (found.last() or self.raw >= self.spec.frame_cap) and not terminated
        return self._seen(found), total, terminated, truncated, {"raw_frames": self.raw, "life_lost": False}

    def close(self) -> None:
        """See `factory.Environment`."""
        self.env.close()

    def _seen(self, found: Any) -> Frame:
        if not self.pixels:
            parts = [np.asarray(part, np.float32).reshape(-1) for part in found.observation.values()]
            return np.concatenate(parts)
        size = self.spec.size or 100
        try:
            pixels = self.env.physics.render(height=size, width=size, camera_id=_CAMERAS.get(self.domain, 0))
        except Exception as error:  # each backend has its own
            raise UserError(
                f"{self.spec.id} cannot be drawn by {_backend()} ({clause(error)}): {_REMEDY}; --pixels false needs "
                f"none."
            ) from error
        return planes(grey(pixels) if self.spec.grey else pixels)


def choose_backend() -> str:
    """What draws, said before dm_control is imported: the user's MUJOCO_GL, or EGL on a Linux without a display."""
    own = os.environ.get("MUJOCO_GL", "").lower()
    if own and own not in BACKENDS:
        raise UserError(f"MUJOCO_GL is {own}, but what draws is one of {', '.join(BACKENDS)}: set one, or none.")
    if not own and sys.platform == "linux" and not os.environ.get("DISPLAY"):
        own = os.environ["MUJOCO_GL"] = "egl"
    return own or "the system's own"


def renderer() -> str:
    """Which library draws, as OpenGL names it; "" before anything was drawn."""
    try:
        from OpenGL import GL

        found = GL.glGetString(GL.GL_RENDERER)
        return found.decode() if found else ""
    except Exception:  # no context, or no OpenGL
        return ""


def _loaded(spec: Specification, seed: int) -> Any:
    if spec.pixels:
        choose_backend()
        with contextlib.suppress(ImportError):
            import triton  # noqa: F401  # its LLVM beside Mesa's: loaded the other way round the process dies
    try:
        from dm_control import suite
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in ("dm_control", "mujoco"):
            raise UserError(
                f'{spec.id} needs dm_control: pip install "dm_control>=1.0.40" "mujoco>=3.17,<4".'
            ) from error
        raise UserError(
            f"{spec.id} cannot be drawn by {_backend()} ({clause(error)}): {_REMEDY}; --pixels false needs none."
        ) from error
    domain, task = task_of(spec)
    tasks = [f"{known[0]}-{known[1]}" for known in suite.ALL_TASKS]
    if (domain, task) not in suite.ALL_TASKS:
        named = f"{domain}-{task}" if task else domain
        raise UserError(
            f"dm_control has no task {named}.{nearest(named, tasks)} Names are like dm_control/cartpole-swingup-v0."
        )
    try:
        return suite.load(domain, task, task_kwargs={"random": seed % 2**32})
    except Exception as error:  # what mujoco's versions break shows in many ways
        raise UserError(
            f"dm_control {_version('dm_control')} cannot load {spec.id} with mujoco {_version('mujoco')} "
            f'({clause(error)}): pip install "mujoco>=3.17,<4", {_leftover()}and try again.'
        ) from error


def _leftover() -> str:
    """What must go first where mujoco 4's parts lie beside an older one."""
    parts = [name for name in ("mujoco-core", "mujoco-studio") if _version(name) != "none"]
    return f"after pip uninstall {' '.join(parts)} mujoco, " if parts else ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _backend() -> str:
    return os.environ.get("MUJOCO_GL", "the system's own")
