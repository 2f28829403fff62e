"""The folder of a comparison: compare.yaml, with which later commands must agree, and its lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twofold.errors import UserError
from twofold.files import write_text
from twofold.folders import Claim, claim, sweep
from twofold.printable import say
from twofold.runs.config import differences, read_settings, to_yaml
from twofold.runs.folder import data_name
from twofold.runs.identity import DATA, agrees
from twofold.runs.schema import wrong_in

FILE = "compare.yaml"
PLACES = ("data", "val", "test")  # where the data lies, of which there is one fingerprint


@dataclass(frozen=True)
class _Stored:
    """What compare.yaml holds."""

    settings: dict[str, Any] = field(default_factory=dict)
    methods: list[str] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    steps: dict[str, int] = field(default_factory=dict)


@dataclass
class ComparisonFolder:
    """settings: what every command must agree on. methods, seeds: all that were ever asked for here. steps: by method,
    where the budget is in minutes."""

    path: Path
    settings: dict[str, Any]
    methods: list[str] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    steps: dict[str, int] = field(default_factory=dict)
    claim: Claim | None = None

    @classmethod
    def open(cls, path: Path, settings: Mapping[str, Any], methods: list[str], seeds: list[int]) -> ComparisonFolder:
        """Begin a comparison in a new or empty folder, or take up the one that is there, with what is new added.

        Raises UserError where the folder holds something else, a comparison with other settings or of other data, or
        is in use.
        """
        found = cls(path, dict(settings), claim=claim(path, FILE, holds="comparison", doing="comparing in"))
        try:
            found._take_up(methods, seeds)
        except BaseException:
            found.close()
            raise
        return found

    def keep(self) -> None:
        """Write compare.yaml."""
        content = {"methods": self.methods, "seeds": self.seeds, "settings": self.settings, "steps": self.steps}
        write_text(self.path / FILE, to_yaml(content))

    def close(self) -> None:
        """Let another process work in the folder."""
        if self.claim is not None:
            self.claim.close()

    def _take_up(self, methods: list[str], seeds: list[int]) -> None:
        sweep(self.path)
        if (self.path / FILE).exists():
            stored = read_settings(self.path / FILE)
            if wrong := wrong_in(_Stored, {name: value for name, value in stored.items() if value is not None}):
                raise UserError(
                    f"{self.path / FILE} is damaged (its {wrong} cannot be meant): restore it, or give a new --out."
                )
            _agree(self.path, stored.get("settings") or {}, self.settings)
            self.methods, self.seeds = list(stored.get("methods") or []), list(stored.get("seeds") or [])
            self.steps = dict(stored.get("steps") or {})
        self.methods += [name for name in methods if name not in self.methods]
        self.seeds += [seed for seed in seeds if seed not in self.seeds]
        self.keep()


def _agree(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    same = agrees(old, new)
    moved = PLACES if same else ()
    if changed := differences(old, new, harmless=(DATA, "stamp", *moved)):
        raise UserError(f"{path} holds a comparison with other settings ({'; '.join(changed)}): give a new --out.")
    if same is not True:
        raise UserError(f"The data has changed since the comparison in {path} began: give a new --out.")
    others = [name for name in new if name not in PLACES]
    for line in differences(old, new, harmless=(DATA, "stamp", *others)):
        say(f"{line}: the content is the same, so the comparison goes on.")


def default_folder(data: str) -> Path:
    """runs/compare-DATA, with the data's last name."""
    return Path("runs") / f"compare-{data_name(data)}"
