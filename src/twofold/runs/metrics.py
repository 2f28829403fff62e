"""metrics.csv: a row for each logged step; an empty cell was not measured."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from twofold.files import write_text


def is_time(column: str) -> bool:
    """Whether a column measures the machine, so that it differs from run to run where all else is equal."""
    return column in ("seconds", "wait_share") or column.endswith("_per_second") or column.startswith("kilobytes_")


class MetricsFile:
    """Appends rows to a CSV file. A new name becomes a further column of the whole file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: list[str] = []
        self._rows: list[dict[str, str]] = []

    def restore(self, step: int) -> None:
        """Take up a file where a checkpoint left it: rows of later steps, and a half-written one, are cut off."""
        self.columns, self._rows = [], []
        if step and self.path.exists():
            with self.path.open(newline="", encoding="utf-8", errors="replace") as handle:
                whole = handle.read()
            reader = csv.DictReader(io.StringIO(whole[: whole.rfind("\n") + 1]))
            with contextlib.suppress(csv.Error):
                self.columns = list(reader.fieldnames or [])
            with contextlib.suppress(csv.Error):  # what cannot be read is cut off
                for row in reader:
                    if not re.fullmatch("[0-9]{1,18}", row.get("step") or "") or int(row["step"]) > step:
                        break
                    self._rows.append({name: cell or "" for name, cell in row.items() if name})
        self._rewrite()

    def append(self, row: Mapping[str, float]) -> None:
        """Write one row: numbers by column name."""
        cells = {name: str(v) if isinstance(v, int) else f"{v:.6g}" for name, v in row.items()}
        self._rows.append(cells)
        if any(name not in self.columns for name in cells):
            self.columns = list(dict.fromkeys([*self.columns, *cells]))
            self._rewrite()
            return
        with self.path.open("a", newline="", encoding="utf-8") as handle:
            handle.write(_lines(self.columns, [cells]))

    def _rewrite(self) -> None:
        if self.columns:
            heading = io.StringIO()
            csv.writer(heading, lineterminator="\n").writerow(self.columns)
            write_text(self.path, heading.getvalue() + _lines(self.columns, self._rows))
        else:
            self.path.unlink(missing_ok=True)


def _lines(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[row.get(name, "") for name in columns] for row in rows])
    return text.getvalue()
