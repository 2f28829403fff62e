"""A run as an object: its folder, what it learned, and what was measured of it."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twofold import wings
from twofold.catalog import options as shared
from twofold.dispatch import ask
from twofold.errors import UserError, clause
from twofold.given import as_path, holding, takes_data
from twofold.launcher import once, once_or_shared

if TYPE_CHECKING:
    import pyarrow as pa

PLAIN = ("protocol", "metric", "name", "value", "floor", "data", "settings", "seed")


class Run(os.PathLike[str]):
    """A run folder. It goes wherever a path does and has what a `pathlib.Path` has: `open(run / "log.txt")`,
    `twofold.embed(run, "photos/")`, `run.name`.

    path: the folder. Everything is read from it when it is asked for, so that a run that goes on is seen as it is.
    backbone: the network that the run was given as an object, where it was; its weights do not matter. Raises UserError
    where the folder holds no run.
    """

    def __init__(self, path: str | os.PathLike[str], backbone: Any = None) -> None:
        self._backbone = backbone
        self.path = Path(as_path("path", path))
        if not (self.path / "config.yaml").is_file():
            raise UserError(f"{self.path} is not a run folder: it holds no config.yaml.")

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "path":
            raise AttributeError(name)
        return getattr(self.path, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, os.PathLike) and self.path == Path(other)

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def config(self) -> dict[str, Any]:
        """The settings, with what was filled in: what config.yaml holds."""
        from twofold.runs.config import read_settings

        return read_settings(self.path / "config.yaml")

    @property
    def metrics(self) -> pa.Table:
        """A row for each logged step, as an arrow table (`.to_pandas()`, `.to_pylist()`, `["loss"]`); null where a
        number was not measured."""
        import pyarrow as pa
        from pyarrow import csv

        file = self.path / "metrics.csv"
        try:
            return csv.read_csv(file) if file.is_file() else pa.table({})
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{file} cannot be read ({clause(error)}): restore it, or train anew.") from error

    @property
    def evaluations(self) -> pa.Table:
        """What was measured, during the run and by `evaluate`, floors beside, as an arrow table: protocol, metric,
        name, value, floor, data, settings, seed, and conditions in words."""
        import pyarrow as pa

        from twofold.runs.results import read_results

        found = read_results(self.path)
        table = {column: [row.get(column) for row in found] for column in PLAIN}
        said = [_in_words(row.get("conditions") or {}) for row in found]
        return pa.table({**table, "conditions": pa.array(said, pa.string())})

    @cached_property
    def model(self) -> Any:
        """What the run learned, from the first time that it is asked for: see `twofold.load`, which takes options."""
        return self._ask("load", None, {})

    @takes_data
    @once
    def evaluate(self, data: Any, options: shared.Evaluate | None = None, **by_name: Any) -> list[dict[str, Any]]:
        """Measure what was learned: see `twofold.evaluate`."""
        return self._ask("evaluate", options, by_name, as_path("data", data))

    @takes_data
    @once_or_shared
    def embed(self, data: Any, options: shared.Embed | None = None, **by_name: Any) -> Path:
        """Write vectors: see `twofold.embed`."""
        return self._ask("embed", options, by_name, as_path("data", data))

    @once
    def export(self, options: shared.Options | None = None, **by_name: Any) -> Path:
        """Write a file for other libraries: see `twofold.export`."""
        return self._ask("export", options, by_name)

    @once
    def report(self, out: str | None = None) -> Path:
        """Make the page of the run: see `twofold.report`."""
        return make_report([self.path], out)

    def _ask(self, verb: str, options: shared.Options | None, by_name: Mapping[str, Any], *more: str) -> Any:
        with nullcontext() if self._backbone is None else holding(self._backbone):
            return ask(verb, str(self.path), options, by_name, *more)

    def _repr_html_(self) -> str:
        """What a notebook shows: the method, the numbers beside their floors, and where the page lies."""
        config, rows = self.config, self.evaluations.to_pylist()
        titles = [f"<b>{_text(config.get('method'))}</b> on {_text(config.get('data'))}"]
        if (self.path / "report.html").is_file():
            titles.append(f'<a href="{_text(self.path / "report.html")}" target="_blank">report</a>')
        cells = [(row["protocol"], row["metric"], row["name"], f"{row['value']:.4g}", row["settings"]) for row in rows]
        return f"<p>{' · '.join([*titles, _text(self.path)])}</p>{_table(cells)}"


def make_report(folders: Sequence[Path], out: str | None) -> Path:
    """Make one page of some run folders; where it is written by default: see `twofold.report`."""
    from twofold.page import build
    from twofold.printable import say

    page = Path(as_path("out", out)) if out else (folders[0] if len(folders) == 1 else Path()) / "report.html"
    build(list(folders), page, [wings.sections_of(str(folder)) for folder in folders])
    say(f"Report: {page}")
    return page


def _in_words(conditions: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in conditions.items())


def _text(value: object) -> str:
    return html.escape(str(value))


def _table(rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return "<p>Nothing was measured yet.</p>"
    head = "".join(f"<th>{name}</th>" for name in ("protocol", "metric", "name", "value", "settings"))
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell or str())}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
