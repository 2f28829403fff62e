"""What arrays of logged episodes are called, by those who write such files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

OBSERVATIONS = ("observations", "observation", "obs", "frames", "images", "states")
FIRST = OBSERVATIONS[:3]  # that are taken before parts of others
NEXT = ("next_observations", "next_observation", "next_obs")  # after each step, in data sets as D4RL's
ACTIONS = ("actions", "action")
REWARDS = ("rewards", "reward")
TERMINATED = ("terminated", "terminations", "terminals", "dones", "done", "terminal", "is_terminal")
TRUNCATED = ("truncated", "truncations", "timeouts", "timeout")
LAST = ("is_last",)  # of RLDS: the row is an observation alone, after the last step
BARE = ("dones", "done")  # names of ends that do not tell a limit from an end by the task
EPISODE = ("episode_ids", "episode_id", "episodes", "episode")
LIFE_LOST = ("life_lost",)
LAYOUT = ("layout",)  # "chw" or "hwc", in files of our own
KIND = ("kind_of_actions",)  # "choices" or "vectors", in files of our own
ENDS = "terminated (or terminals, dones), truncated (or timeouts), or episode_ids"


def first_of(options: tuple[str, ...], known: Iterable[str]) -> str | None:
    """The first of these names that is among the known ones."""
    held = set(known)
    return next((name for name in options if name in held), None)


def above(name: str) -> Iterator[str]:
    """The groups that a name lies in, the nearest first; the last is "", the file itself."""
    while name:
        name = name.rpartition("/")[0]
        yield name
