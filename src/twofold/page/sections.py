"""What the page asks of a wing: records that it fills. The page itself knows no kind of data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twofold.page.columns import Columns
from twofold.page.facts import Verdict
from twofold.page.read import Run
from twofold.page.words import Noun

Data = Mapping[str, Mapping[str, Any]]  # for the scripts, plain values: twofold.page[NAME][ID] in the browser


@dataclass(frozen=True)
class Numbered:
    """A run on the page: its number, from 0, which also gives its colour, and a name that no other run there has."""

    index: int
    name: str
    run: Run


@dataclass(frozen=True)
class Tile:
    """A number in large, with its name over it and a few words under it."""

    label: str
    value: str
    beside: str


@dataclass(frozen=True)
class Cell:
    """A number in the table of several runs, with a few words under it; `best` where it is the best of them."""

    value: str
    beside: str = ""
    best: bool = False


@dataclass(frozen=True)
class Section:
    """A section under a heading.

    id: one word, with which its address on the page begins. template: a file of the wing's `html` or one of the page's
    own, rendered with `content`, `index` (the run's number) and `level` (that of the heading, 2 or 3). link: its name
    in the navigation of a page of one run; none where empty. html: what the template gave, filled in by the page.
    """

    id: str
    title: str
    template: str
    content: Any = None
    link: str = ""
    html: str = ""


@dataclass(frozen=True)
class Parts:
    """What the page shows of one run beside what it shows of every run.

    columns: which columns of metrics.csv are drawn. sections: after the curves and the evaluation. tiles: before speed
    and duration. verdicts: after how the run ended. remarks: sentences under the curves. notes: files that could not be
    read. evaluation: in the place of the table of evaluation.json. style: rules of CSS. data: what the wing's scripts
    draw.
    """

    columns: Columns
    sections: Sequence[Section] = ()
    tiles: Sequence[Tile] = ()
    verdicts: Sequence[Verdict] = ()
    remarks: Sequence[str] = ()
    notes: Sequence[str] = ()
    evaluation: Section | None = None
    style: str = ""
    data: Data = field(default_factory=dict)


@dataclass(frozen=True)
class Together:
    """What the page shows of several runs of a wing side by side.

    columns: which columns of metrics.csv are laid over one another. numbers: titles of the columns of the table that
    come first, before speed, duration and how the run ended; `cells` has them for each run. judged: titles of the last
    columns, `verdicts` their pills for each run. sections: after the table, without a number. data: as in `Parts`.
    """

    columns: Columns
    numbers: Sequence[str] = ()
    cells: Sequence[Sequence[Cell]] = ()
    judged: Sequence[str] = ()
    verdicts: Sequence[Sequence[Verdict]] = ()
    sections: Sequence[Section] = ()
    data: Data = field(default_factory=dict)


def whole_config(run: Run) -> Mapping[str, Any]:
    """The settings of a run as they stand in its config.yaml, names joined by dots."""
    return run.config


@dataclass(frozen=True)
class Sections:
    """What a wing gives to the page.

    one, several: what is shown of a run, and of several; their number is the part (0..1] of the points and pictures of
    a page of its own that each run may have. name: the kind of data; it orders the tables and keeps their ids apart.
    unit: what the speed counts. learned: the file that a finished run leaves. scale: words for the size of a run, after
    its method and data. drawn: what the scripts draw besides curves. unreadable: what the lines of unreadable.txt are,
    None where there is no such file. settings: those that are compared between runs. html: a folder of templates.
    scripts, style: files, only on pages that have a run of this wing; a script finds colours, fonts and the data in
    `window.twofold`. reconstructed: whether a method of this name is the reconstruction of a paper without code.
    """

    name: str
    unit: Noun
    learned: str
    one: Callable[[Numbered, float], Parts]
    several: Callable[[Sequence[Numbered], float], Together]
    scale: Callable[[Run], Sequence[str]]
    drawn: str = ""
    unreadable: Noun | None = None
    settings: Callable[[Run], Mapping[str, Any]] = whole_config
    html: Path | None = None
    scripts: Sequence[Path] = ()
    style: Path | None = None
    reconstructed: Callable[[str], bool] = lambda method: False
