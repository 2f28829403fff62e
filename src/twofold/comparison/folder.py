"""The folder of a comparison: compare.yaml, with which later commands must agree, and its lock."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import yaml

from twofold.errors import UserError
from twofold.files import write_text
from twofold.runs.folder import to_yaml

FILE = "compare.yaml"
DATA = "fingerprint"


@dataclass
class ComparisonFolder:
    """settings: what every command must agree on. methods, seeds: all that were ever asked for here. steps: by method,
    where the budget is in minutes."""

    path: Path
    settings: dict[str, Any]
    methods: list[str] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    steps: dict[str, int] = field(default_factory=dict)
    lock: IO[str] | None = None

    @classmethod
    def open(cls, path: Path, settings: Mapping[str, Any], methods: list[str], seeds: list[int]) -> ComparisonFolder:
        """Begin a comparison in a new or empty folder, or take up the one that is there, with what is new added.

        Raises UserError where the folder holds something else, a comparison with other settings or of other data, or
        is in use.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"The folder {path} cannot be made ({error.strerror}): give another --out.") from error
        found = cls(path, dict(settings), lock=_locked(path))
        if (path / FILE).exists():
            held = _read(path / FILE)
            _agree(path, held.get("settings") or {}, yaml.safe_load(to_yaml(settings)))
            found.methods, found.seeds = list(held.get("methods") or []), list(held.get("seeds") or [])
            found.steps = dict(held.get("steps") or {})
        elif foreign := sorted(p.name for p in path.iterdir() if not p.name.startswith(".")):
            raise UserError(
                f"{path} is not empty and holds no comparison (it has {foreign[0]}, but no {FILE}): give a new --out."
            )
        found.methods += [name for name in methods if name not in found.methods]
        found.seeds += [seed for seed in seeds if seed not in found.seeds]
        found.keep()
        return found

    def keep(self) -> None:
        """Write compare.yaml."""
        held = {"methods": self.methods, "seeds": self.seeds, "settings": self.settings, "steps": self.steps}
        write_text(self.path / FILE, to_yaml(held))

    def close(self) -> None:
        """Let another process work in the folder."""
        if self.lock is not None:
            self.lock.close()
            self.lock = None


def _read(file: Path) -> dict[str, Any]:
    with suppress(yaml.YAMLError, UnicodeDecodeError):
        held = yaml.safe_load(file.read_text(encoding="utf-8"))
        if isinstance(held, dict):
            return held
    raise UserError(f"{file} cannot be read: mend it, or give a new --out.")


def _agree(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    differing = [key for key in dict.fromkeys([*new, *old]) if old.get(key) != new.get(key)]
    if differing == [DATA]:
        raise UserError(f"The data has changed since the comparison in {path} began: give a new --out.")
    told = [f"{key} was {old.get(key)} and is now {new.get(key)}" for key in differing if key != DATA]
    if told:
        raise UserError(f"{path} holds a comparison with other settings ({'; '.join(told)}): give a new --out.")


def _locked(path: Path) -> IO[str] | None:
    if sys.platform == "win32":
        return None
    import fcntl

    # A record lock: it ends with the process, however that ends.
    lock = (path / ".lock").open("a")
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise UserError(f"Another process is comparing in {path}: wait for it, or give a new --out.") from error
    return lock
