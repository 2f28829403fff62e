"""The curves of runs on interactions: what ranks best first, the rest to be unfolded; the best epoch is a point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twofold.page.curves import Rows, make_chart, points_within, series
from twofold.page.facts import last

# column -> title, how to read it
_SHOWN = {
    "recall@20": (
        "Recall@20",
        "Share of a user's held-out items among the first 20, 0 to 1, mean over users; diamond: the epoch kept.",
    ),
    "ndcg@20": ("NDCG@20", "The same hits, worth more the higher they stand; 1: all of them on top."),
}
_SPEED = {"triples_per_second": ("Triples a second", "Training speed, all devices together.")}
_FOLDED = {
    "precision@20": ("Precision@20", "Share of the first 20 that are held-out items, 0 to 1."),
    "map@20": ("MAP@20", "Mean precision at the ranks of the hits, 0 to 1."),
    "mrr@20": ("MRR@20", "One over the rank of the first hit, mean over users, 0 to 1."),
    "hit@20": ("Hit rate@20", "Share of users with any hit among the first 20, 0 to 1."),
    "lr": ("Learning rate", "The schedule as it was applied."),
}
# A run on interactions draws its triples itself: it never waits for data.
_UNDRAWN = {"step", "epoch", "seconds", "loss", "best_epoch", "wait_share"}

Curves = Mapping[str, tuple[int, Rows]]  # of each run by name: its number on the page, and what it logged


def ranking_charts(runs: Curves, part: str, share: float = 1.0) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(charts to show, charts to fold away) of one run, or of several laid over one another.

    part: the pairs that are ranked after each epoch, in words. share: as for `run_charts`.
    """
    limit = points_within(share)
    columns = sorted({column for _, rows in runs.values() for row in rows for column in row})
    terms = [column for column in columns if column.startswith("loss/")]
    known = {*_SHOWN, *_SPEED, *_FOLDED, *_UNDRAWN, *terms}
    own = {column: (column, "Logged by the method.") for column in columns if column not in known}

    def drawn(table: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
        return [_chart(column, title, reading, runs, limit) for column, (title, reading) in table.items()]

    shown = drawn({column: (f"{title}, {part}", reading) for column, (title, reading) in _SHOWN.items()})
    shown += [_loss(runs, terms, limit), *drawn(_SPEED)]
    folded = drawn(_FOLDED | own)
    return [made for made in shown if made["series"]], [made for made in folded if made["series"]]


def _chart(column: str, title: str, reading: str, runs: Curves, limit: int) -> dict[str, Any]:
    curves = []
    for name, (index, rows) in runs.items():
        curve = series(rows, column, name if len(runs) > 1 else title, limit)
        if curve:
            kept = _kept(rows, column) if column in _SHOWN else None
            curves.append(curve | {"colour": index} | ({"best": kept} if kept else {}))
    return make_chart(column, title, "number", reading, curves)


def _kept(rows: Rows, column: str) -> dict[str, Any] | None:
    """The point of the epoch that was kept, a curve of one point."""
    best = last(rows, "best_epoch")
    row = next((row for row in rows if column in row and row.get("epoch") == best), None)
    return None if best is None or row is None else series([row], column, f"epoch {best:.0f}")


def _loss(runs: Curves, terms: list[str], limit: int) -> dict[str, Any]:
    if len(runs) > 1:
        reading = "Totals of different methods are different quantities: compare shapes, not heights."
        return _chart("loss", "Loss", reading, runs, limit)
    (rows,) = (rows for _, rows in runs.values())
    curves = [series(rows, "loss", "total", limit), *(series(rows, t, t.removeprefix("loss/"), limit) for t in terms)]
    made = make_chart(
        "loss", "Loss", "number", "The total that is minimised, and its terms before their weights.", curves
    )
    positive = all(value is None or value > 0 for curve in made["series"] for value in curve["y"])
    return made | ({"log": True} if terms and positive else {})
