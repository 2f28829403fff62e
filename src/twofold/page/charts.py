"""Charts of one run's metrics, or of several runs' laid over one another, as a wing's columns ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from twofold.page.columns import Column, Columns
from twofold.page.curves import Rows, points_within, series, short
from twofold.page.facts import last
from twofold.page.sections import Numbered

_BOOKKEEPING = {"step", "epoch", "seconds", "loss", "effective_rank_limit"}
_OVERLAID_LOSS = "Totals of different methods are different quantities: compare shapes, not heights."


@dataclass(frozen=True)
class Chart:
    """A chart as the script draws it. series: curves, JSON-ready; see `curves.series`. along: the axis to begin with,
    steps where None."""

    id: str
    column: str
    title: str
    unit: str
    reading: str
    series: list[dict[str, Any]]
    lines: list[dict[str, Any]] = field(default_factory=list)
    warn: float | None = None
    log: bool = False
    along: str | None = None

    def data(self) -> dict[str, Any]:
        """For the script."""
        return {name: value for name, value in vars(self).items() if value is not None and value is not False}


@dataclass(frozen=True)
class Charts:
    """What is shown, what is folded away under a line that names it."""

    shown: list[Chart]
    folded: list[Chart]

    def __iter__(self) -> Iterator[Chart]:
        return iter([*self.shown, *self.folded])


def charts_of_one(numbered: Numbered, columns: Columns, room: float, prefix: str) -> Charts:
    """The charts of one run; its terms beside its loss.

    room: the part (0..1] of 1,000 points that a curve may have, but 150. prefix: begins the charts' ids.
    """
    return _draw(_Pen([numbered], columns, points_within(room), prefix, together=False))


def charts_of_all(runs: Sequence[Numbered], columns: Columns, room: float, prefix: str) -> Charts:
    """The charts that hold a curve of each run, in its colour and with its name; `room` and `prefix` as above."""
    return _draw(_Pen(runs, columns, points_within(room), prefix, together=True))


def _draw(pen: _Pen) -> Charts:
    runs, columns = pen.runs, pen.columns
    others = _others(runs, columns)
    unnamed = [Column(name, name, "Logged by the method.") for name in others]
    shown = [*columns.shown, *(unnamed if columns.others == "shown" else [])]
    folded = [*columns.folded, *(unnamed if columns.others == "folded" else [])]
    return Charts(pen.draw(shown), pen.draw(folded))


def _logged(runs: Iterable[Numbered]) -> set[str]:
    return {column for numbered in runs for row in numbered.run.metrics for column in row}


def _others(runs: Sequence[Numbered], columns: Columns) -> list[str]:
    named = {column.name for column in [*columns.shown, *columns.folded]}
    found = _logged(runs) - named - _BOOKKEEPING - columns.undrawn
    return sorted(column for column in found if not column.startswith("loss/"))


@dataclass(frozen=True)
class _Pen:
    runs: Sequence[Numbered]
    columns: Columns
    limit: int
    prefix: str
    together: bool

    def draw(self, columns: Iterable[Column]) -> list[Chart]:
        drawn = [self._loss(column) if column.name == "loss" else self._single(column) for column in columns]
        return [chart for chart in drawn if chart.series]

    def _loss(self, column: Column) -> Chart:
        if self.together:
            return self._chart(column, _OVERLAID_LOSS, self._curves(column))
        rows = self.runs[0].run.metrics
        terms = sorted(name for name in _logged(self.runs) if name.startswith("loss/"))
        reading = column.reading
        if all(row.get(term) == row.get("loss") for row in rows for term in terms):
            reading, terms = "What is minimised.", []  # A lone term is the total over again.
        names = {"loss": "total", **{term: term.removeprefix("loss/") for term in terms}}
        curves = [series(rows, name, title, self.limit, self.columns.along) for name, title in names.items()]
        positive = all(value is None or value > 0 for curve in curves if curve for value in curve["y"])
        return self._chart(column, reading, curves, log=column.log and bool(terms) and positive)

    def _single(self, column: Column) -> Chart:
        return self._chart(column, column.reading, self._curves(column))

    def _curves(self, column: Column) -> list[dict[str, Any] | None]:
        return [
            _curve(numbered, column, numbered.name if self.together else column.title, self.limit, self.columns.along)
            | ({"colour": numbered.index} if self.together or self.columns.coloured else {})
            for numbered in self.runs
            if any(column.name in row for row in numbered.run.metrics)
        ]

    def _chart(
        self, column: Column, reading: str, curves: Sequence[dict[str, Any] | None], *, log: bool = False
    ) -> Chart:
        """The reading also says what was not finite or was smoothed."""
        present = [curve for curve in curves if curve]
        broken = sum(curve.pop("broken") for curve in present)
        if broken:
            reading += f" {broken} logged {'value was' if broken == 1 else 'values were'} not a finite number."
        if any("raw" in curve for curve in present):
            reading += " Bold: moving mean; pale: as logged."
        return Chart(
            id=f"{self.prefix}-{column.name}",
            column=column.name,
            title=column.title,
            unit=column.unit,
            reading=reading,
            series=present,
            lines=[{"y": short(height), "label": name} for name, height in column.lines.items()],
            warn=column.warn,
            log=log,
            along=next((self.columns.along for curve in present if self.columns.along in curve["x"]), None),
        )


def _curve(numbered: Numbered, column: Column, name: str, limit: int, along: str) -> dict[str, Any]:
    rows = numbered.run.metrics
    curve = series(rows, column.name, name, limit, along) or {}
    marked = _marked(rows, column, along)
    return curve | ({"best": marked} if marked else {})


def _marked(rows: Rows, column: Column, along: str) -> dict[str, Any] | None:
    """The point of the epoch that the column `mark` holds at the end, a curve of one point."""
    epoch = last(rows, column.mark) if column.mark else None
    row = next((row for row in rows if column.name in row and row.get("epoch") == epoch), None)
    return None if epoch is None or row is None else series([row], column.name, f"epoch {epoch:.0f}", along=along)
