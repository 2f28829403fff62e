"""Tasks of the DeepMind Control Suite, seen through their first camera or as vectors."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.control.environments.answers import closed, told
from twofold.control.environments.bounds import bounds_of
from twofold.control.environments.drawing import NOTHING, REMEDY, backend, choose_backend, use
from twofold.control.environments.specification import DMC, Specification, task_of
from twofold.control.pictures import grey, planes
from twofold.errors import UserError, clause, nearest

Frame = NDArray[np.generic]
_CAMERAS = {"quadruped": 2}  # the one that sees most; others 0


class DMControl:
    """See `factory.Environment`. An episode ends at the suite's limit, truncated, and never by itself in most tasks.

    Pictures are drawn in the process and thread that made the environment; nothing is drawn before the first reset.
    """

    discrete = False
    notes: tuple[str, ...] = ()

    def __init__(self, spec: Specification, seed: int) -> None:
        self.spec, self.repeat, self.pixels = spec, spec.action_repeat or 1, spec.pixels
        self.domain = task_of(spec)[0]
        self.env = _loaded(spec)
        asked = self.env.action_spec()
        self.bounds = bounds_of(asked.minimum, asked.maximum, spec)
        self.actions, self.raw = len(self.bounds.low), 0
        self._prepare_drawing()
        self.frame = self._begun(seed)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Frame, dict[str, Any]]:
        """See `factory.Environment`."""
        if seed is not None:
            self.env.task.random.seed(seed % 2**32)
        found = self.env.reset()
        self.raw = 0
        return self._seen(found), {"raw_frames": 0}

    def step(self, action: Any) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """See `factory.Environment`."""
        own, total, found = self.bounds.own(action), 0.0, None
        with told(self.spec.id, f"frame {self.raw + 1:,} of an episode, at action {own.tolist()}"):
            for _ in range(self.repeat):
                found = self.env.step(own)
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
        closed(self.env)

    def _begun(self, seed: int) -> tuple[int, ...]:
        """The shape of a first frame."""
        try:
            return self.reset(seed=seed)[0].shape
        except UserError:
            raise
        except Exception as error:  # some grounds (quadruped-escape) need what draws, pictures or not
            raise UserError(
                f"{self.spec.id} cannot begin with mujoco {_version('mujoco')} and {backend()} to draw "
                f"({clause(error)}): {REMEDY}."
            ) from error

    def _prepare_drawing(self) -> None:
        """Room for the pictures, and without what takes most of the time where that is asked."""
        look, size = self.env.physics.model.vis, self.spec.size or 100
        look.global_.offwidth = max(look.global_.offwidth, size)
        look.global_.offheight = max(look.global_.offheight, size)
        if self.spec.fast_render:
            look.quality.offsamples, look.quality.shadowsize = 0, 0

    def _seen(self, found: Any) -> Frame:
        if not self.pixels:
            parts = [np.asarray(part, np.float32).reshape(-1) for part in found.observation.values()]
            return np.concatenate(parts)
        size = self.spec.size or 100
        try:
            pixels = self.env.physics.render(height=size, width=size, camera_id=_CAMERAS.get(self.domain, 0))
        except Exception as error:  # each driver has its own
            raise UserError(
                f"{self.spec.id} cannot be drawn by {backend()} ({clause(error)}): {REMEDY}; --pixels false needs none."
            ) from error
        return planes(grey(pixels) if self.spec.grey else pixels)


def tasks() -> list[str]:
    """The tasks there are, as "cartpole-swingup". Raises UserError where dm_control does not load."""
    return ["-".join(known) for known in _suite("dm_control", pixels=False).ALL_TASKS]


def _loaded(spec: Specification) -> Any:
    suite = _suite(spec.id, spec.pixels)
    domain, task = task_of(spec)
    if (domain, task) not in suite.ALL_TASKS:
        named = f"{domain}-{task}" if task else domain
        known = [f"{DMC[0]}{name}-v0" for name in tasks()]
        raise UserError(
            f"dm_control has no task {named}.{nearest(f'{DMC[0]}{named}-v0', known)} Names are like "
            f"dm_control/cartpole-swingup-v0."
        )
    with _loading(spec.id):
        # Some tasks (lqr) draw the system itself here, which must be the same for all; resets draw the rest.
        return suite.load(domain, task, task_kwargs={"random": 0})


def _suite(name: str, pixels: bool) -> Any:
    """dm_control's suite; without anything that draws where that does not load and no pictures are wanted.

    Raises UserError where it is missing, has nothing to draw with, or does not load; each in its words.
    """
    chosen = choose_backend()
    if pixels and chosen in NOTHING:
        raise UserError(f"MUJOCO_GL is {chosen}, so {name} cannot be drawn: unset it, or give --pixels false.")
    with contextlib.suppress(ImportError):
        import triton  # noqa: F401  # its LLVM beside Mesa's: loaded the other way round the process dies
    try:
        return importlib.import_module("dm_control.suite")
    except Exception as error:  # each driver has its own
        missing = (getattr(error, "name", None) or "").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and missing in ("dm_control", "mujoco"):
            raise UserError(f'{name} needs dm_control: pip install "dm_control>=1.0.40" "mujoco>=3.17,<4".') from error
        undrawn = error
    use(NOTHING[0])
    try:
        with _loading(name):
            suite = importlib.import_module("dm_control.suite")
    finally:
        use(chosen)
    if pixels:
        raise UserError(
            f"{name} cannot be drawn by {backend()} ({clause(undrawn)}): {REMEDY}; --pixels false needs none."
        ) from undrawn
    return suite


@contextlib.contextmanager
def _loading(name: str) -> Iterator[None]:
    """Say which versions do not go together, where something does not load."""
    try:
        yield
    except Exception as error:  # what mujoco's versions break shows in many ways
        raise UserError(
            f"dm_control {_version('dm_control')} cannot load {name} with mujoco {_version('mujoco')} "
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
