"""What arrays of logged episodes are called, by those who write such files."""

from __future__ import annotations

from collections.abc import Iterable

OBSERVATIONS = ("observations", "observation", "obs", "frames", "states", "images")
ACTIONS = ("actions", "action")
REWARDS = ("rewards", "reward")
TERMINATED = ("terminated", "terminations", "terminals", "dones", "done", "terminal")
TRUNCATED = ("truncated", "truncations", "timeouts", "timeout")
EPISODE = ("episode_ids", "episode_id", "episodes", "episode")
LIFE_LOST = ("life_lost",)
LAYOUT = ("layout",)  # "chw" or "hwc", in files of our own
ENDS = "terminated (or terminals, dones), truncated (or timeouts), or episode_ids"


def first_of(names: tuple[str, ...], known: Iterable[str]) -> str | None:
    """The first of these names that is among the known ones."""
    held = set(known)
    return next((name for name in names if name in held), None)
