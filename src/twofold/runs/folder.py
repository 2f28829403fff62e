"""A run is a folder: settings, environment, metrics, checkpoints, log; every file whole or not at all."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from twofold.errors import UserError
from twofold.files import write_arrays, write_json, write_text
from twofold.folders import Claim, claim, sweep
from twofold.printable import spelled_out, storable
from twofold.runs.checkpoint import Checkpoint
from twofold.runs.config import CONFIG_FILE, differences, read_settings, settings_hash, to_yaml
from twofold.runs.metrics import MetricsFile
from twofold.runs.results import add_results
from twofold.runs.schema import read_json
from twofold.runs.screen import print_plainly

ENVIRONMENT_FILE = "environment.json"

OUTCOME_FILE = "outcome.json"
# All that was asked; enough, since nothing more was gained; until a signal; there was nothing to train.
Ended = Literal["finished", "enough", "stopped", "untrained"]


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
    ) -> None:
        self.path, self.config, self.writer = path, dict(config), writer
        self.harmless, self.usual = harmless, usual
        self.hash = settings_hash(config, harmless, usual)
        self.metrics = MetricsFile(path / "metrics.csv")
        self.echo: Callable[[str, bool], None] = print_plainly
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
    ) -> RunFolder:
        """Begin a run in a new or empty folder, or resume the one that is there.

        config: resolved settings, nested mappings of plain values; written to config.yaml. environment: written to
        environment.json; its "fingerprint", where it has one, is of the data, and must be the same when a run goes on.
        data: what has changed where it is not, as a sentence begins. writer: False in every process but the first.
        harmless: names of settings (the last part of a dotted name counts) that may differ from the last start.
        usual: values with which a setting agrees that the folder does not know yet. Raises UserError where the folder
        holds something else, a run with other settings or of other data, or is being written to by another process.
        """
        run = cls(Path(path), config, writer=writer, harmless=harmless, usual=usual)
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
        """The last checkpoint of this run, or None. Raises UserError where it cannot be read or is not of this run."""
        file = self.checkpoint_file
        if not file.exists():
            return None
        found = Checkpoint.read(file)
        if found.config and found.config != self.hash:
            raise UserError(f"{file} was not made with the settings in config.yaml: give a new --out.")
        return found

    def save(self, checkpoint: Checkpoint) -> None:
        """Put a checkpoint in the place of the last one. After any failure the last one is as it was."""
        if self.writer:
            checkpoint.config = self.hash
            checkpoint.write(self.checkpoint_file)

    @property
    def checkpoint_file(self) -> Path:
        """Where the last checkpoint lies."""
        return self.path / "checkpoints" / "last.ckpt"

    def finish(self, ended: Ended, *, steps: int = 0, epochs: int = 0) -> None:
        """Write outcome.json: how the training ended, after how many steps and epochs (begun ones count)."""
        if self.writer:
            write_json(self.path / OUTCOME_FILE, {"ended": ended, "steps": steps, "epochs": epochs})

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
            add_results(self.path, entries)

    def _take_up(self, environment: Mapping[str, Any] | None, data: str) -> None:
        sweep(self.path, self.checkpoint_file.parent)
        file = self.path / CONFIG_FILE
        if file.exists() and (changed := differences(read_settings(file), self.config, self.harmless, self.usual)):
            raise UserError(
                f"{self.path} holds a run with other settings ({'; '.join(changed)}): "
                f"give a new --out, or the same settings to go on with it."
            )
        if environment and "fingerprint" in environment:
            self._same_data(environment["fingerprint"], data)
        write_text(file, to_yaml(self.config))
        if environment is not None:
            write_json(self.path / ENVIRONMENT_FILE, environment)

    def _same_data(self, fingerprint: Any, data: str) -> None:
        """Refuse to go on with a run whose data has changed; an unreadable record of the data counts as unchanged."""
        try:
            before = read_json(self.path / ENVIRONMENT_FILE)
        except UserError:
            return
        if isinstance(before, dict) and before.get("fingerprint", fingerprint) != fingerprint:
            then = f" ({before['data']})" if "data" in before else ""
            raise UserError(f"{data} has changed since the run in {self.path} began{then}: give a new --out.")


def default_out(method: str, data: str) -> str:
    """runs/METHOD-DATA, with the data's last name."""
    return str(Path("runs") / storable(f"{method.replace('+', '-')}-{data_name(data)}"))


def data_name(data: str) -> str:
    """The last name of a path, without its endings."""
    return Path(data.rstrip("/")).name.split(".")[0] or "data"
