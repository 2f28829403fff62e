"""Logged episodes, from whatever file they lie in."""

from twofold.control.reading.log import Log, read_episodes

__all__ = ["Log", "read_episodes"]
