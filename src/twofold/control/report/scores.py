"""Several agents' scores summed up over games and seeds, with intervals, as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twofold.control.evaluation.atari_scores import human_normalised
from twofold.control.evaluation.gathered import played_in
from twofold.control.evaluation.scores import Aggregate, aggregate, differences, improvement_of
from twofold.control.evaluation.table import Played
from twofold.errors import UserError
from twofold.page.read import Run
from twofold.page.sections import Section
from twofold.page.words import number


@dataclass(frozen=True)
class Scores:
    """header, rows: a row an agent, then one for what each has more than the first. notes: sentences under it."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]


def scores_section(runs: Sequence[Run]) -> list[Section]:
    """The section of what agents scored in these runs; none for fewer than two of them."""
    measured = [run.path for run in runs if any(row.get("protocol") == "returns" for row in run.evaluation)]
    if len(measured) < 2:
        return []
    try:
        shown = _scores(played_in(measured))
    except UserError as error:
        shown = Scores([], [], [f"Scores are not summed up: {error}"])
    return [Section("scores", "Scores over games and seeds", "scores.html", shown)]


def _scores(played: Sequence[Played]) -> Scores:
    normalised = all(human_normalised(task, 0.0) is not None for task in {one.task for one in played})
    first, *others = dict.fromkeys(one.agent for one in played)
    found = aggregate(played, normalised=normalised)
    for other in others:
        found += differences(played, other, first, normalised=normalised)
        found.append(improvement_of(played, other, first))
    columns = list(dict.fromkeys(one.name for one in found))
    lines = []
    for name in dict.fromkeys(_row(one) for one in found):
        own = {one.name: one for one in found if _row(one) == name}
        some = next(iter(own.values()))
        cells = [_cell(own[column]) if column in own else "" for column in columns]
        lines.append([name, f"{some.tasks} x {some.seeds} x {some.episodes}", *cells])
    said = dict[str, dict[str, None]]()
    for one in found:
        said.setdefault(one.note, {})[_row(one)] = None
    notes = [f"{'; '.join(rows)}: {note}." for note, rows in said.items() if note]
    kind = "human-normalised" if normalised else "as the environments give them"
    lead = f"Scores {kind}; episodes are averaged within a seed, intervals are 95 % of the stratified bootstrap."
    return Scores(["", "tasks x seeds x episodes", *columns], lines, [lead, *notes])


def _row(one: Aggregate) -> str:
    """What a number stands beside: the chance to score above stands beside the difference."""
    return one.agent.replace(" > ", " - ")


def _cell(one: Aggregate) -> str:
    interval = "" if one.low is None or one.high is None else f" [{number(one.low)}, {number(one.high)}]"
    return f"{number(one.value)}{interval}"
