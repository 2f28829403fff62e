"""What the page shows of runs on interactions: rankings beside their floors, the long tail, sample recommendations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.interactions.report import ranking
from twofold.interactions.report.columns import TRIPLE, ranking_columns
from twofold.interactions.report.ranking import FIRST, Measured, MetricRow, four_decimals, titled
from twofold.interactions.report.samples import Sample, read_samples
from twofold.interactions.report.tail import tail_bars
from twofold.page.facts import last
from twofold.page.read import Run, read_or_note
from twofold.page.scale import amount, batch, length
from twofold.page.sections import Cell, Data, Numbered, Parts, Section, Sections, Tile, Together
from twofold.page.words import number

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Table:
    """What was measured on one data set: metrics at the lengths `ks`, sentences about users apart, the long tail."""

    data: str
    ks: list[int]
    rows: list[MetricRow]
    apart: list[str]
    bars: dict[str, Any] | None


def one(numbered: Numbered, room: float) -> Parts:
    """What the page shows of one run on interactions; `room` as in `Sections`."""
    run, notes = numbered.run, list[str]()
    part = "test pairs" if run.config.get("select_on") == "test" else "validation pairs"
    records = ranking.measured(run)
    tables = [_table(record, numbered, f"run{numbered.index}-tail{n}") for n, record in enumerate(records)]
    samples: list[Sample] = read_or_note(run.path / "samples.json", read_samples, [], notes)
    gain = ranking.gain(run)
    return Parts(
        columns=ranking_columns(part),
        sections=[
            Section("recommendations", "Sample recommendations", "recommendations.html", samples, "Recommendations")
        ],
        tiles=_tiles(run, records, part),
        verdicts=[gain] if gain else [],
        notes=notes,
        evaluation=Section("evaluation", "Evaluation", "ranking.html", tables, "Evaluation"),
        data=_bars(table.bars for table in tables if table.bars),
    )


def several(runs: Sequence[Numbered], room: float) -> Together:
    """What the page shows of several runs on interactions side by side."""
    first = {numbered.index: next(iter(ranking.measured(numbered.run)), None) for numbered in runs}
    tails: dict[str, dict[str, tuple[int, Measured]]] = {}
    for numbered in runs:
        record = first[numbered.index]
        if record:
            tails.setdefault(record.data, {})[numbered.name] = (numbered.index, record)
    bars = [(data, tail_bars(f"all-tail{n}", sides)) for n, (data, sides) in enumerate(tails.items())]
    drawn = [{"data": data, "bars": made} for data, made in bars if made]
    return Together(
        columns=ranking_columns("held-out pairs"),
        numbers=[*map(titled, FIRST), "Best epoch"],
        cells=[_cells(numbered, first) for numbered in runs],
        sections=[Section("tails", "The long tail", "tails.html", drawn)],
        data=_bars(made for _, made in bars if made),
    )


def scale(run: Run) -> list[str]:
    """How much was learned from and for how long, a few words each."""
    early = "up to " if run.config.get("patience") and length(run) else ""
    return [amount(run, "pairs"), f"{early}{length(run)}", batch(run)]


def settings(run: Run) -> Mapping[str, Any]:
    """The settings by which runs are compared: methods build on one another, so dim of one is dim of the other."""
    prefix = f"method_options.{run.config.get('method')}."
    return {f"method_options.{k[len(prefix) :]}" if k.startswith(prefix) else k: v for k, v in run.config.items()}


def _table(record: Measured, numbered: Numbered, name: str) -> Table:
    ks = ranking.lengths(record)
    bars = tail_bars(name, {numbered.run.name: (numbered.index, record)})
    data = f"{record.data} ({record.how})" if record.how else record.data
    return Table(data, ks, ranking.metric_rows(record, ks), ranking.apart(record), bars)


def _bars(drawn: Iterable[dict[str, Any]]) -> Data:
    by_id = {bars["id"]: bars for bars in drawn}
    return {"bars": by_id} if by_id else {}


def _cells(numbered: Numbered, first: Mapping[int, Measured | None]) -> list[Cell]:
    record, epoch = first[numbered.index], ranking.best_epoch(numbered.run)
    rivals = [other for other in first.values() if other and record and other.data == record.data]
    return [*(_cell(record, metric, rivals) for metric in FIRST), Cell("—" if epoch is None else str(epoch))]


def _cell(record: Measured | None, metric: str, rivals: Sequence[Measured]) -> Cell:
    value = _value(record, metric)
    if record is None or value is None:
        return Cell("—")
    best = max(reached for rival in rivals if (reached := _value(rival, metric)) is not None)
    return Cell(four_decimals(value), ranking.beside(value, record.best_floor(metric)), value == best)


def _value(record: Measured | None, metric: str) -> float | None:
    return record.values.get(("ranking", metric)) if record else None


def _tiles(run: Run, records: Sequence[Measured], part: str) -> list[Tile]:
    tiles = []
    for metric in FIRST:
        value = _value(records[0], metric) if records else None
        if value is not None:
            beside = ranking.beside(value, records[0].best_floor(metric))
            tiles.append(Tile(f"{titled(metric)}, test", four_decimals(value), beside))
    epoch, reached = ranking.best_epoch(run), last(run.metrics, "epoch")
    if epoch is not None and reached is not None:
        tiles.append(Tile("Best epoch", str(epoch), f"of {number(reached)}, by {titled(FIRST[0])} on {part}"))
    return tiles


SECTIONS = Sections(
    name="interactions",
    unit=TRIPLE,
    learned="model.safetensors",
    one=one,
    several=several,
    scale=scale,
    drawn="bars",
    settings=settings,
    html=_HERE,
    scripts=[_HERE / "bars.js"],
    style=_HERE / "style.css",
)
