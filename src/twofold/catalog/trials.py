"""What a wing tries of the machine for `twofold doctor`, and how it went."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from twofold.errors import UserError, clause

MOST_SECONDS = 120.0  # of a trial in a process of its own


@dataclass(frozen=True)
class Trial:
    """what: was tried. state: how it went; "missing" is what nobody has to have. said: what works by what, or what to
    do."""

    what: str
    state: Literal["works", "missing", "note", "fails"]
    said: str


class Failed(Exception):
    """What a process of its own said last."""


def try_out(what: str, package: str, remedy: str, work: Callable[[], str]) -> Trial:
    """Do something that needs a package, and say how it went. remedy: how that is installed. work: gives what works."""
    if not version_of(package):
        return Trial(what, "missing", remedy)
    try:
        return Trial(what, "works", work())
    except (UserError, Failed) as error:
        return Trial(what, "fails", str(error))
    except Exception as error:  # whatever a package does that does not fit the machine
        return Trial(what, "fails", f"{package} {version_of(package)} does not work here ({clause(error)}): {remedy}")


def alone(code: str) -> str:
    """What a few lines of Python print in a process of its own, which may die of what it loads.

    Raises Failed where it fails, with the last line that it wrote.
    """
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=MOST_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"It did not come to its end in {MOST_SECONDS:.0f} s: try it by itself.") from error
    if done.returncode == 0:
        return done.stdout.strip()
    last = (done.stderr.strip().splitlines() or [f"it died with code {done.returncode}"])[-1]
    raise Failed(last.removeprefix("twofold.errors.UserError: "))


def version_of(package: str) -> str:
    """The version of an installed package, "" where there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
