"""metrics.csv: a row for each logged step; an empty cell was not measured."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
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
        columns, rows = self._read()
        self._rows = [row for row in rows if int(row["step"]) <= step]
        self.columns = columns if step else []
        self._rewrite()

    def last_step(self) -> int:
        """The last step that the file has a row of, 0 where there is none."""
        rows = self._rows or self._read()[1]
        return int(rows[-1]["step"]) if rows else 0

    def since(self, step: int) -> list[tuple[int, dict[str, float]]]:
        """The rows taken up or written that are of later steps than this: each step with its numbers."""
        later = list(itertools.takewhile(lambda row: int(row["step"]) > step, reversed(self._rows)))
        return [
            (int(row["step"]), {name: float(cell) for name, cell in row.items() if cell and name != "step"})
            for row in reversed(later)
        ]

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

    def _read(self) -> tuple[list[str], list[dict[str, str]]]:
        """Columns and rows of the file, up to where it cannot be read."""
        columns, rows = list[str](), list[dict[str, str]]()
        if self.path.exists():
            with self.path.open(newline="", encoding="utf-8", errors="replace") as handle:
                whole = handle.read()
            reader = csv.DictReader(io.StringIO(whole[: whole.rfind("\n") + 1]))
            with contextlib.suppress(csv.Error):
                columns = list(reader.fieldnames or [])
                for row in reader:
                    if not re.fullmatch("[0-9]{1,18}", row.get("step") or ""):
                        break
                    rows.append({name: cell or "" for name, cell in row.items() if name})
        return columns, rows

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
