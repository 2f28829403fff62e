"""Numbers as the page words them, and the noun of what a kind of data is counted in."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SPACE = "\u00a0"  # Keeps a number and its unit on one line.


@dataclass(frozen=True)
class Noun:
    """A thing and several of them, as in Noun("frame", "frames")."""

    one: str
    many: str

    @property
    def a(self) -> str:
        """With its article."""
        return f"{'an' if self.one[0] in 'aeiou' else 'a'} {self.one}"

    def counted(self, count: int) -> str:
        """With a number: 1 frame; 2 frames."""
        return f"{count} {self.one if count == 1 else self.many}"


def number(value: float) -> str:
    """Four digits at most, no needless zeros: 1,234; 12.3; 0.0456."""
    if not math.isfinite(value):
        return "not finite"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def number_or_dash(value: float | None) -> str:
    """The same for a cell of a table; a dash where there is none."""
    return "—" if value is None else number(value)


def percent(value: float) -> str:
    """A part of a whole (0..1) as percent with one decimal."""
    return f"{100 * value:.1f}{_SPACE}%" if math.isfinite(value) else "not finite"


def points(difference: float) -> str:
    """A difference of two parts of a whole, in percentage points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "−") + f"{_SPACE}points"


def against(value: float, name: str, floor: float) -> str:
    """How a part of a whole stands against a floor."""
    return f"{100 * abs(value - floor):.1f}{_SPACE}points {'over' if value >= floor else 'below'} {name}"


def duration(seconds: float) -> str:
    """Seconds as the two largest units: 2 h 05 min; 3 min 20 s; 45 s.

    (What is left of a run is given more coarsely, by `runs.screen.duration`: it is a guess.)
    """
    if not math.isfinite(seconds) or seconds < 0:
        return "unknown"
    whole = round(seconds)
    for name, size, minor, minor_size in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size}{_SPACE}{name} {whole % size // minor_size:02d}{_SPACE}{minor}"
    return f"{whole}{_SPACE}s"
