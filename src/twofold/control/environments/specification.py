"""What is asked of an environment: plain data, that a run keeps and an evaluation compares."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

OWN, ATARI = "twofold/", "ALE/"
DMC = ("dm_control/", "dmc/")
_REPEATS = {"cartpole": 8, "finger": 2, "walker": 2}  # of CURL and M-CURL; others 4


@dataclass(frozen=True)
class Specification:
    """An environment by its id, and how it is seen. What is None follows from the id, see `settled`.

    size: side of pictures in pixels. grey: one channel. action_repeat: frames an action is held for. sticky: how likely
    an Atari game goes on with its last action in a frame. noops: an Atari game begins with fewer frames than this
    without an action. life_loss: losing a life is told. frame_cap: frames after which an episode is cut off.
    preprocessing: of Atari's pictures. action_range: bounds of actions that have none. layout: of pictures.
    observation: which part counts, of several.
    """

    id: str
    size: int | None = None
    grey: bool | None = None
    action_repeat: int | None = None
    sticky: float = 0.0
    noops: int = 30
    life_loss: bool = True
    pixels: bool = True
    fast_render: bool = False
    action_range: tuple[float, float] | None = None
    frame_cap: int = 108_000
    preprocessing: Literal["reference", "gymnasium"] = "reference"
    layout: Literal["auto", "chw", "hwc"] = "auto"
    observation: str | None = None


def is_atari(spec: Specification) -> bool:
    """Whether it is a game of the Arcade Learning Environment."""
    return spec.id.startswith(ATARI)


def is_dmc(spec: Specification) -> bool:
    """Whether it is a task of the DeepMind Control Suite."""
    return spec.id.startswith(DMC)


def task_of(spec: Specification) -> tuple[str, str]:
    """Domain and task of "dm_control/cartpole-swingup-v0" or "dmc/cartpole-swingup"; "" where none is named."""
    name = spec.id.partition("/")[2].removesuffix("-v0")
    domain, _, task = name.partition("-")
    return domain, task.replace("-", "_")


def settled(spec: Specification) -> Specification:
    """The same with everything filled in that follows from the id."""
    usual: tuple[int | None, bool, int]
    if is_atari(spec):
        usual = (84, True, 4)
    elif is_dmc(spec):
        usual = (100, False, _REPEATS.get(task_of(spec)[0], 4))
    else:
        usual = (None if spec.id.startswith(OWN) else 84, False, 1)
    size, grey, repeat = usual
    return replace(
        spec,
        size=size if spec.size is None else spec.size,
        grey=grey if spec.grey is None else spec.grey,
        action_repeat=repeat if spec.action_repeat is None else spec.action_repeat,
    )


def repeat_of(spec: Specification) -> int:
    """Frames of a decision."""
    return settled(spec).action_repeat or 1


def protocol(spec: Specification) -> str:
    """Everything that makes a score another one, in one line."""
    full = settled(spec)
    said = [_seen(full) + (f" of {full.observation}" if full.observation else "")]
    repeat = full.action_repeat or 1
    said.append(f"{repeat} frame{'s' if repeat > 1 else ''} a decision")
    if is_atari(full):
        said[-1] += " (the brighter of the last 2)" if repeat > 1 else ""
        said += [f"sticky {full.sticky:g}", f"fewer than {full.noops} frames without action at the start"]
        said.append("a life lost ends a training episode" if full.life_loss else "lives are not told")
        said.append(f"{full.preprocessing} preprocessing")
    elif is_dmc(full) and full.pixels and full.fast_render:
        said.append("drawn fast, without shadows")
    if full.action_range:
        said.append(f"actions from {full.action_range[0]:g} to {full.action_range[1]:g}")
    said.append(f"cut off after {full.frame_cap:,} frames")
    return f"{full.id}: {', '.join(said)}"


def _seen(spec: Specification) -> str:
    if not spec.pixels:
        return "vectors"
    size = f"{spec.size} x {spec.size}" if spec.size else "its own size,"
    return f"{size} {'grey' if spec.grey else 'colour' if not spec.id.startswith(OWN) else 'as drawn'}"
