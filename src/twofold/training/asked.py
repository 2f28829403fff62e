"""Where a step stands in a run that may go on: whether its method asked how long the run is."""

from __future__ import annotations

from typing import Any

from twofold.seam import Progress


class Asked(Progress):
    """A `Progress` that notes whether a step asked it for the length of the run, also by way of `fraction`."""

    length_was_asked = False

    def __getattribute__(self, name: str) -> Any:
        if name in ("steps", "epochs"):
            object.__setattr__(self, "length_was_asked", True)
        return super().__getattribute__(name)
