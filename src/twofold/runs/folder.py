"""A run is a folder: settings, environment, metrics, checkpoints, log; every file whole or not at all."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from twofold.errors import UserError
from twofold.files import write_arrays, write_json, write_text
from twofold.folders import Claim, claim, sweep
from twofold.printable import spelled_out, storable
from twofold.runs.checkpoint import Checkpoint
from twofold.runs.checkpoints import Checkpoints
from twofold.runs.config import CONFIG_FILE, differences, read_settings, settings_hash, to_yaml
from twofold.runs.identity import agrees, retimed
from twofold.runs.longer import LENGTHS, anew, grown, record
from twofold.runs.metrics import MetricsFile
from twofold.runs.outcome import Ended, write_outcome
from twofold.runs.results import add_results
from twofold.runs.schema import read_json
from twofold.runs.screen import print_plainly
from twofold.runs.tracking import Tracking
from twofold.trackers.named import NONE, names_in

ENVIRONMENT_FILE = "environment.json"


class RunFolder:
    """The files of one run. Made with `RunFolder.open`; where `writer` is False every writing method does nothing."""

    def __init__(
        self,
        path: Path,
        config: Mapping[str, Any],
        *,
        writer: bool,
        harmless: Collection[str],
        usual: Mapping[str, Any],
        places: Mapping[str, str],
        growing: Collection[str],
        trackers: str,
    ) -> None:
        self.path, self.config, self.writer = path, dict(config), writer
        self.harmless, self.usual, self.places = harmless, usual, places
        self.hash = settings_hash(config, [*harmless, *places, *growing], usual)
        self.asked = {name: config[name] for name in growing if name in config}
        self.metrics = MetricsFile(path / "metrics.csv")
        self.checkpoints = Checkpoints(path / "checkpoints")
        self.echo: Callable[[str, bool], None] = print_plainly
        self.trackers = Tracking(path, names_in(trackers) if writer else (), config, self.metrics, self.warn)
        self.ended: Ended | None = None
        self._claim: Claim | None = None

    @classmethod
    def open(
        cls,
        path: str | Path,
        config: Mapping[str, Any],
        *,
        environment: Mapping[str, Any] | None = None,
        data: str = "The data",
        writer: bool = True,
        harmless: Collection[str] = (),
        usual: Mapping[str, Any] = MappingProxyType({}),
        places: Mapping[str, str] = MappingProxyType({}),
        growing: Collection[str] = (),
        trackers: str = NONE,
    ) -> RunFolder:
        """Begin a run in a new or empty folder, or resume the one that is there.

        config: resolved settings, nested mappings of plain values; written to config.yaml. environment: written to
        environment.json; its "fingerprint", where it has one, is of the data, and must be the same when a run goes on;
        see `runs.identity`.
        data: what has changed where it is not, as a sentence begins. writer: False in every process but the first.
        harmless: names of settings (the last part of a dotted name counts) that may differ from the last start.
        usual: values with which a setting agrees that the folder does not know yet. places: settings that only say
        where something lies, by the key of `environment` with its fingerprint; where that agrees, they may differ.
        growing: names of settings that may be more than they were, where that changes nothing that was done. trackers:
        a value of --log. Raises UserError where the folder holds something else, a run with other settings or of other
        data, or is being written to by another process, and where a tracker is not there.
        """
        run = cls(
            Path(path),
            config,
            writer=writer,
            harmless=harmless,
            usual=usual,
            places=places,
            growing=growing,
            trackers=trackers,
        )
        if not writer:
            return run
        run._claim = claim(run.path, CONFIG_FILE, holds="run", doing="writing to")
        try:
            run._take_up(environment, data)
        except BaseException:
            run.close()
            raise
        return run

    def close(self) -> None:
        """Let another process write to the folder."""
        self.leave_trackers()
        if self._claim is not None:
            self._claim.close()

    def say(self, text: str) -> None:
        """A sentence for the user, on the screen (unless that is quiet) and in log.txt."""
        if self.writer:
            self.echo(text, False)
            self.note(text)

    def warn(self, text: str) -> None:
        """A sentence that the user should see even where the display is quiet."""
        if self.writer:
            self.echo(text, True)
            self.note(text)

    def note(self, text: str) -> None:
        """A sentence for log.txt alone; the log never ends a run."""
        if self.writer:
            with contextlib.suppress(OSError), (self.path / "log.txt").open("a", encoding="utf-8") as handle:
                handle.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {spelled_out(text)}\n")

    def load(self) -> Checkpoint | None:
        """The last checkpoint of this run that is whole, or None; where that is not the last one, it is said.

        Raises UserError where none can be read, or it is not of this run.
        """
        found, damaged = self.checkpoints.load(put_aside=self.writer)
        if damaged:
            self.warn(damaged)
        if found is not None and found.config and found.config != self.hash:
            raise UserError(f"{self.checkpoint_file} was not made with the settings in config.yaml: give a new --out.")
        return found

    def load_previous(self) -> Checkpoint | None:
        """The checkpoint before the last one, None where there is none of this run that can be read."""
        with contextlib.suppress(UserError):
            found = Checkpoint.read(self.checkpoints.previous)
            return found if found.config in ("", self.hash) else None
        return None

    def put_aside(self, why: str) -> None:
        """Keep the last checkpoint under another name, so that it never takes the place of the one before, and say
        why."""
        if self.writer:
            self.checkpoints.put_aside()
        self.warn(why)

    def save(self, checkpoint: Checkpoint) -> None:
        """Put a checkpoint in the place of the last one, which is kept beside it; see `Checkpoints.save`."""
        if self.writer:
            checkpoint.config, checkpoint.asked = self.hash, self.asked
            self.checkpoints.save(checkpoint)

    @property
    def checkpoint_file(self) -> Path:
        """Where the last checkpoint lies."""
        return self.checkpoints.last

    def restore(self, step: int) -> None:
        """Take up metrics.csv where a checkpoint left it, and begin to track."""
        if self.writer:
            self.metrics.restore(step)
            self.trackers.start()

    def log(self, row: Mapping[str, float]) -> None:
        """A row of metrics, for metrics.csv and the trackers."""
        if self.writer:
            self.metrics.append(row)
            self.trackers.log()

    def leave_trackers(self) -> None:
        """Give trackers what they lack yet, and close them."""
        self.trackers.finish(self.ended or "failed")

    def finish(self, ended: Ended, *, steps: int = 0, epochs: int = 0) -> None:
        """Write outcome.json: how the training ended, after how many steps and epochs (begun ones count)."""
        self.ended = ended
        if self.writer:
            write_outcome(self.path, ended, steps, epochs)

    def list_unreadable(self, unreadable: Mapping[str, str]) -> None:
        """Write unreadable.txt: the name of each file and what is wrong with it, tab between, a line each."""
        if self.writer and unreadable:
            write_text(
                self.path / "unreadable.txt",
                "".join(f"{spelled_out(name)}\t{spelled_out(why)}\n" for name, why in sorted(unreadable.items())),
            )

    def save_arrays(self, name: str, **arrays: Any) -> None:
        """Write NAME.npz, for what the report shows."""
        if self.writer:
            write_arrays(self.path / f"{name}.npz", arrays)

    def add_evaluation(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Put results into evaluation.json; see `results.add_results`."""
        if self.writer:
            entries = list(entries)
            add_results(self.path, entries)
            self.trackers.results(entries)

    def _take_up(self, environment: Mapping[str, Any] | None, data: str) -> None:
        sweep(self.path, self.checkpoint_file.parent)
        file, now, before = self.path / CONFIG_FILE, environment or {}, self._begun_with()
        moved = {name for name, key in self.places.items() if agrees(before, now, key)}
        stored = read_settings(file) if file.exists() else yaml.safe_load(to_yaml(self.config))
        was = grown(stored, self.asked)
        if changed := differences(stored, self.config, [*self.harmless, *moved, *was], self.usual):
            longer = [f"{name} was {old} and is now {self.config[name]}" for name, old in was.items()]
            raise UserError(
                f"{self.path} holds a run with other settings ({'; '.join([*longer, *changed])}): "
                f"give the same settings to go on with it, or {anew(self.path, self.config, was)}."
            )
        for name in [name for name in LENGTHS if name in was and not self._open_ended()]:
            raise UserError(
                f"{self.path} cannot go on from {was[name]:,} {name} to {self.config[name]:,} as a run of that length "
                f"would, since its schedule, or what it keeps, is for {was[name]:,}: "
                f"give {anew(self.path, self.config, was)}."
            )
        if agrees(before, now) is False:
            then = f" ({before['data']})" if "data" in before else ""
            raise UserError(f"{data} has changed since the run in {self.path} began{then}: give a new --out.")
        others = [name for name in self.config if name not in moved]
        for line in differences(stored, self.config, [*self.harmless, *others], self.usual):
            self.warn(f"{line}: the content is the same, so the run goes on.")
        if retimed(before, now):
            self.warn("The data has other times of change than before, but the same content, so the run goes on.")
        for name, old in was.items():
            self.say(f"Goes on with {name} {self.config[name]}; {old} were asked for before.")
        if environment is not None:
            write_json(self.path / ENVIRONMENT_FILE, {**environment, **record(before, was)})
        write_text(file, to_yaml(self.config))

    def _open_ended(self) -> bool:
        """Whether nothing of what was done so far depended on how long the run was to be."""
        found = self.checkpoints.load(put_aside=False)[0]
        return found is None or found.open_ended

    def _begun_with(self) -> dict[str, Any]:
        """What the folder records of how the run began; nothing where that cannot be read."""
        try:
            before = read_json(self.path / ENVIRONMENT_FILE)
        except UserError:
            return {}
        return before if isinstance(before, dict) else {}


def default_out(method: str, data: str) -> str:
    """runs/METHOD-DATA, with the data's last name."""
    return str(Path("runs") / storable(f"{method.replace('+', '-')}-{data_name(data)}"))


def data_name(data: str) -> str:
    """The last name of a path: of a file without its endings, of a pattern without its signs."""
    name = Path(data.rstrip("/")).name
    if not Path(data).is_dir():
        name = re.sub(r"(?<=.)\.[A-Za-z]{1,8}(\.(gz|bz2|xz|zst))?$", "", name)
    return re.sub(r"[{}*?\[\]]+", "", name) or "data"
