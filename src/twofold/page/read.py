"""Reads a run folder into one record; whatever is missing or broken becomes a note, never an exception."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from twofold.bounded import ArrayFile
from twofold.printable import spelled_out
from twofold.runs.config import CONFIG_FILE, flatten, read_config

T = TypeVar("T")

MOST_ARRAYS = 2**28  # bytes
_ENOUGH = "Nothing more is gained"  # What log.txt says in runs from before outcome.json.


@dataclass(frozen=True)
class Run:
    """What every run folder has, whatever it learned from; a wing reads its own files from `path`.

    config, environment: nested names joined by dots. metrics: a mapping a logged step, empty cells left out, in rising
    order of steps. ended: "finished"; "enough", where nothing more was
    gained; "stopped"; "untrained", where there is nothing to train; "" where the folder does not say. notes: files that
    could not be read, a sentence each.
    """

    path: Path
    name: str
    config: dict[str, Any]
    environment: dict[str, Any]
    metrics: list[dict[str, float]]
    evaluation: list[dict[str, Any]]
    unreadable: list[str]
    log: list[str]
    written: datetime
    ended: str = ""
    notes: list[str] = field(default_factory=list)


def read_run(path: str | Path) -> Run:
    """The run in the folder `path`. Every file but `config.yaml` may be missing.

    Raises UserError where the folder, or a legible `config.yaml` in it, is missing.
    """
    path = Path(path)
    config = read_config(path)
    notes: list[str] = []
    environment: dict[str, Any] = read_or_note(path / "environment.json", _environment, {}, notes)
    evaluation: Any = read_or_note(path / "evaluation.json", read_json, [], notes)
    sound = [entry for entry in evaluation if isinstance(entry, dict)] if isinstance(evaluation, list) else []
    if not isinstance(evaluation, list) or len(sound) < len(evaluation):
        notes.append("evaluation.json is damaged; what can be read of it is shown.")
    metrics: list[dict[str, float]] = read_or_note(path / "metrics.csv", _metrics, [], notes)
    log: list[str] = read_or_note(path / "log.txt", _lines, [], notes)
    return Run(
        path=path,
        name=path.resolve().name,
        config=flatten(config),
        environment=environment,
        metrics=metrics,
        evaluation=sound,
        unreadable=read_or_note(path / "unreadable.txt", _lines, [], notes),
        log=log,
        written=datetime.fromtimestamp((path / CONFIG_FILE).stat().st_mtime),
        ended=read_or_note(path / "outcome.json", _ended, "", notes) or _ended_before(config, metrics, log),
        notes=notes,
    )


def read_or_note(file: Path, reader: Callable[[Path], T], default: T, notes: list[str]) -> T:
    """What `reader` makes of a file; where that is missing, or broken (with a note), the default."""
    if not file.is_file():
        return default
    try:
        return reader(file)
    except Exception as error:  # a stranger's file can be wrong in any way, and the page still shows the rest
        notes.append(f"{file.name} could not be read ({_first_line(error)}) and was left out.")
        return default


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0].rstrip(".")


def read_json(file: Path) -> Any:
    """What a file of JSON holds; bytes that are no text are replaced."""
    return json.loads(file.read_text(encoding="utf-8", errors="replace"))


def read_arrays(file: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file of a page. Raises ValueError where they would take too much memory."""
    with zipfile.ZipFile(file) as members:
        if sum(info.file_size for info in members.infolist()) > MOST_ARRAYS:
            raise ValueError("it unpacks to more than a page can show")
    with file.open("rb") as opened:
        arrays = ArrayFile(opened)
        if arrays.objects:
            raise ValueError("it holds Python objects")
        return {name: arrays.read(name) for name in arrays.headers}


def _environment(file: Path) -> dict[str, Any]:
    found = read_json(file)
    if not isinstance(found, dict):
        raise ValueError("it holds no names with values")
    return flatten(found)


def _lines(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8", errors="replace")
    return ["\t".join(map(spelled_out, line.strip().split("\t"))) for line in text.split("\n") if line.strip()]


def _ended(file: Path) -> str:
    return str(read_json(file)["ended"])


def _ended_before(config: Mapping[str, Any], metrics: Sequence[Any], log: Sequence[str]) -> str:
    """The same of an older folder, by its log and its settings."""
    if any(_ENOUGH in line for line in log):
        return "enough"
    without_training = "out" in config and not config.keys() & {"epochs", "steps", "batch_size"}
    return "untrained" if without_training and not metrics else ""


def _metrics(file: Path) -> list[dict[str, float]]:
    # A resumed run may write steps again after its checkpoint: the later writing stands.
    rows: list[dict[str, float]] = []
    with file.open(encoding="utf-8", errors="replace", newline="") as handle:
        for cells in csv.DictReader(line.replace("\0", "") for line in handle):
            row = {column: value for column, cell in cells.items() if column and (value := _number(cell)) is not None}
            step = row.get("step")
            if step is None or not np.isfinite(step):
                continue
            while rows and rows[-1]["step"] > step:
                rows.pop()
            if rows and rows[-1]["step"] == step:
                rows[-1] |= row
            else:
                rows.append(row)
    return rows


def _number(cell: Any) -> float | None:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None
