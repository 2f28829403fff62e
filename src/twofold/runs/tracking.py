"""The trackers of one run: each gets every row of metrics once, over all starts, and none can end the run."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.errors import UserError, clause
from twofold.files import write_text
from twofold.printable import say
from twofold.runs.config import CONFIG_FILE, flatten
from twofold.runs.metrics import MetricsFile
from twofold.runs.outcome import ended
from twofold.runs.schema import read_json, wrong_in
from twofold.trackers import TrackedRun, Tracker
from twofold.trackers.named import NONE, maker, names_in

TRACKERS_FILE = "trackers.json"
REST = 60.0  # seconds until a tracker that failed is tried again; twice as many after each further failure


@dataclass(frozen=True)
class _Kept:
    """What trackers.json keeps of a tracker: its id of the run, and the last step of which it was given the row."""

    id: str
    step: int


@dataclass
class _Entry:
    """A tracker on its way. id: "" until it has been started. given: the last step of which it took the row."""

    name: str
    tracker: Tracker
    id: str = ""
    given: int = 0
    lost: int = 0
    failures: int = 0
    again: float = 0.0


class Tracking:
    """Gives trackers what a run logs.

    What each was given is kept before it gets it, so that rows which a resumed run makes again are not given again; one
    that is new to a run, or failed for a while, gets the rows that it lacks from metrics.csv. names: of `--log`. warn:
    how the user is told, once, that one failed.
    """

    def __init__(
        self,
        folder: Path,
        names: Iterable[str],
        config: Mapping[str, Any],
        metrics: MetricsFile,
        warn: Callable[[str], None],
    ) -> None:
        self.folder, self.config, self.metrics, self.warn = folder, config, metrics, warn
        self.entries = [_Entry(name, maker(name)()) for name in names]

    def start(self) -> None:
        """Begin, or go on."""
        self._each(self._give)

    def log(self) -> None:
        """Give each tracker the rows that it lacks, which is mostly the newest."""
        self._each(self._give)

    def results(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Give what was measured, and its floors, as numbers at the last step."""
        numbers = numbers_of(entries)
        self._each(lambda entry: entry.tracker.log(self.metrics.last_step(), numbers), losing=1)

    def attach(self, name: str) -> None:
        """Give a file of the run folder, where it is there."""
        if (self.folder / name).is_file():
            self._each(lambda entry: entry.tracker.attach(self.folder / name), losing=1)

    def finish(self, how: str) -> None:
        """Give what is missing yet, and close; what did not reach a tracker is counted and said.

        how: the run ended, as `Tracker.finish` is told.
        """
        entries, self.entries = self.entries, []
        for entry in entries:
            entry.again = 0.0
            if not entry.id and not entry.failures:
                continue  # nothing was to be given
            if self._try(entry, self._give):
                self._try(entry, lambda entry: entry.tracker.finish(how))
            rows = len(self.metrics.since(entry.given))
            if rows + entry.lost:
                self.warn(
                    f"{rows:,} rows of metrics and {entry.lost:,} results or files did not reach {entry.name}; "
                    f"all of them are in {self.folder}."
                )

    def _each(self, do: Callable[[_Entry], Any], losing: int = 0) -> None:
        for entry in self.entries:
            if not self._try(entry, do):
                entry.lost += losing

    def _try(self, entry: _Entry, do: Callable[[_Entry], Any]) -> bool:
        """Do something with a tracker, which is started where it is not; whether that went well."""
        if time.monotonic() < entry.again:
            return False
        try:
            if not entry.id:
                self._start(entry)
            do(entry)
        except Exception as error:
            if not entry.failures:
                self.warn(f"{entry.name} cannot be logged to ({clause(error)}): the run goes on, and tries again.")
            entry.again = time.monotonic() + REST * 2**entry.failures
            entry.failures += 1
            return False
        return True

    def _start(self, entry: _Entry) -> None:
        known = read_kept(self.folder).get(entry.name)
        entry.given = known.step if known else 0
        found = entry.tracker.start(TrackedRun(self.folder, flatten(self.config), known.id if known else None))
        entry.id = str(found) or entry.name
        self._keep(entry, entry.given)
        if known is None:
            entry.tracker.attach(self.folder / CONFIG_FILE)

    def _give(self, entry: _Entry) -> None:
        for step, numbers in self.metrics.since(entry.given):
            self._keep(entry, step)
            try:
                entry.tracker.log(step, numbers)
            except Exception:
                self._keep(entry, entry.given)
                raise
            entry.given = step

    def _keep(self, entry: _Entry, step: int) -> None:
        """Write down what a tracker gets, in one go over what was there: a file that is synced takes milliseconds."""
        file, kept = self.folder / TRACKERS_FILE, {**read_kept(self.folder), entry.name: _Kept(entry.id, step)}
        text = json.dumps({name: vars(one) for name, one in kept.items()})
        if not file.is_file() or file.is_symlink():
            write_text(file, text + "\n")
            return
        with file.open("r+", encoding="utf-8") as handle:
            handle.write(text.ljust(file.stat().st_size - 1) + "\n")


def read_kept(folder: Path) -> dict[str, _Kept]:
    """What a run folder keeps of its trackers; nothing where there is nothing that can be read."""
    try:
        found = read_json(folder / TRACKERS_FILE)
    except UserError:
        return {}
    known = found if isinstance(found, dict) else {}
    return {name: _Kept(one["id"], one["step"]) for name, one in known.items() if not wrong_in(_Kept, one)}


def numbers_of(entries: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Entries of evaluation.json as numbers by name, floors apart; where one name would stand for two, their settings
    tell them apart."""
    numbers: dict[str, float] = {}
    for entry in entries:
        name = (
            f"{'floors' if entry.get('floor') else 'evaluation'}/{entry['protocol']}/{entry['metric']}/{entry['name']}"
        )
        numbers[name if name not in numbers else f"{name} {entry.get('settings')}"] = float(entry["value"])
    return numbers


def track_later(
    folder: Path, config: Mapping[str, Any], entries: Iterable[Mapping[str, Any]], files: Iterable[str]
) -> None:
    """Give what was measured after a run, and files of its folder, to those of its trackers that know it.

    config: the settings that the folder keeps. What goes wrong is said. Raises UserError where a tracker is not there.
    """
    known, log = read_kept(folder), config.get("log")
    names = [name for name in names_in(log if isinstance(log, str) else NONE) if name in known]
    metrics = MetricsFile(folder / "metrics.csv")
    tracking = Tracking(folder, names, config, metrics, lambda text: say(text, sys.stderr))
    tracking.results(entries)
    for name in files:
        tracking.attach(name)
    tracking.finish(ended(folder) or "finished")
