"""A run is a folder: settings, environment, metrics, checkpoints, log; every file whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import yaml

from twofold.errors import UserError
from twofold.files import write_atomically, write_text
from twofold.runs.checkpoint import Checkpoint, config_hash
from twofold.runs.metrics import MetricsFile
from twofold.runs.results import add_results

# What may change between two starts of one run without changing its numbers.
HARMLESS = ("workers", "log_every", "save_every_seconds", "quiet", "memory", "out", "devices", "num_nodes", "compile")

OUTCOME_FILE = "outcome.json"
# All that was asked; enough, since nothing more was gained; until a signal; there was nothing to train.
Ended = Literal["finished", "enough", "stopped", "untrained"]


class RunFolder:
    """The files of one run. Made with `RunFolder.open`; where `writer` is False every writing method does nothing."""

    def __init__(self, path: Path, config: Mapping[str, Any], *, writer: bool, harmless: Iterable[str]) -> None:
        self.path, self.config, self.writer = path, dict(config), writer
        kept = {key: value for key, value in flatten(config).items() if not _is_harmless(key, harmless)}
        self.hash = config_hash(kept)
        self.metrics = MetricsFile(path / "metrics.csv")
        self.echo: Callable[[str, bool], None] = print_plainly
        self._lock: IO[str] | None = None

    @classmethod
    def open(
        cls,
        path: str | Path,
        config: Mapping[str, Any],
        *,
        environment: Mapping[str, Any] | None = None,
        writer: bool = True,
        harmless: Iterable[str] = HARMLESS,
    ) -> RunFolder:
        """Begin a run in a new or empty folder, or take up the one that is there.

        config: resolved settings, nested mappings of plain values; written to config.yaml. environment: written to
        environment.json. writer: False in every process but the first. harmless: names of settings (the last part of a
        dotted name counts) that may differ from the last start. Raises UserError where the folder holds something else,
        a run with other settings, or is being written to by another process.
        """
        path = Path(path)
        run = cls(path, config, writer=writer, harmless=harmless)
        if not writer:
            return run
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"The folder {path} cannot be made ({error.strerror}): give another --out.") from error
        run._take_lock()
        before = path / "config.yaml"
        if before.exists():
            run._compare(before, harmless)
        else:
            foreign = sorted(p.name for p in path.iterdir() if not p.name.startswith(".") and p.suffix != ".tmp")
            if foreign:
                raise UserError(
                    f"{path} is not empty and holds no run (it has {foreign[0]}, but no config.yaml): give a new --out."
                )
        write_text(before, to_yaml(config))
        if environment is not None:
            write_text(path / "environment.json", json.dumps(environment, indent=1) + "\n")
        return run

    def close(self) -> None:
        """Let another process write to the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

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
                handle.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

    def load(self) -> Checkpoint | None:
        """The last checkpoint of this run, or None. Raises UserError where it cannot be read or is not of this run."""
        file = self.checkpoint_file
        if not file.exists():
            return None
        found = Checkpoint.read(file)
        if found.config != self.hash:
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
            outcome = {"ended": ended, "steps": steps, "epochs": epochs}
            write_text(self.path / OUTCOME_FILE, json.dumps(outcome, indent=1) + "\n")

    def list_unreadable(self, unreadable: Mapping[str, str]) -> None:
        """Write unreadable.txt: the name of each file and what is wrong with it, tab between."""
        if self.writer and unreadable:
            write_text(
                self.path / "unreadable.txt", "".join(f"{name}\t{why}\n" for name, why in sorted(unreadable.items()))
            )

    def save_arrays(self, name: str, **arrays: Any) -> None:
        """Write NAME.npz: views (views, sources, names) or gallery (features, thumbnails, labels, names, classes)."""
        if self.writer:
            write_atomically(self.path / f"{name}.npz", lambda handle: np.savez_compressed(handle, **arrays))

    def add_evaluation(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Put results into evaluation.json; see `results.add_results`."""
        if self.writer:
            add_results(self.path, entries)

    def _compare(self, file: Path, harmless: Iterable[str]) -> None:
        try:
            held = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{file} cannot be read: mend it, or give a new --out.") from error
        old, new = flatten(held or {}), flatten(yaml.safe_load(to_yaml(self.config)))
        differing = [
            f"{key} was {old.get(key, 'not set')} and is now {new.get(key, 'not set')}"
            for key in sorted(old.keys() | new.keys())
            if old.get(key, _MISSING) != new.get(key, _MISSING) and not _is_harmless(key, harmless)
        ]
        if differing:
            raise UserError(
                f"{self.path} holds a run with other settings ({'; '.join(differing)}): "
                f"give a new --out, or the same settings to go on with it."
            )

    def _take_lock(self) -> None:
        if sys.platform == "win32":
            return
        import fcntl

        # A record lock: it ends with the process, however that ends, and forked data workers do not inherit it.
        self._lock = (self.path / ".lock").open("a")
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            if isinstance(error, BlockingIOError | PermissionError):
                raise UserError(
                    f"Another process is writing to {self.path}: wait for it, or give a new --out."
                ) from error


def flatten(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, names joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in mapping.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def to_yaml(config: Mapping[str, Any]) -> str:
    """Settings as YAML, in their order."""
    return yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _is_harmless(key: str, harmless: Iterable[str]) -> bool:
    return key.rsplit(".", 1)[-1] in harmless


_MISSING = object()


def print_plainly(text: str, important: bool = False) -> None:
    """Say something where no display is open."""
    print(text, flush=True)
