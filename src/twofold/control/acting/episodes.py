"""episodes.csv: every episode of every evaluation of a run, raw."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twofold.control.acting.evaluation import PlayedEpisode
from twofold.files import write_text

EPISODES_FILE = "episodes.csv"
_COLUMNS = ("updates", "decisions", "episode", "seed", "return", "length", "frames", "ended")


@dataclass(frozen=True)
class Row:
    """An episode that was played after so many updates and decisions of training."""

    updates: int
    decisions: int
    episode: int
    score: float


def add_episodes(folder: Path, updates: int, decisions: int, played: Sequence[PlayedEpisode]) -> None:
    """Write what was played at a point of a run; what was written of it, or of later ones, before is replaced."""
    kept = [line for line in _lines(folder) if int(line[0]) < updates]
    new = [[updates, decisions, p.number, p.seed, repr(p.score), p.decisions, p.frames, p.ended] for p in played]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_COLUMNS, *kept, *new])
    write_text(folder / EPISODES_FILE, text.getvalue())


def read_episodes(folder: Path) -> list[Row]:
    """The episodes of a run's evaluations, in order; none where none was played."""
    return [Row(int(line[0]), int(line[1]), int(line[2]), float(line[4])) for line in _lines(folder)]


def _lines(folder: Path) -> list[list[str]]:
    """The lines of the file that are whole; what somebody has spoiled is left out."""
    try:
        text = (folder / EPISODES_FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [line for line in csv.reader(io.StringIO(text)) if len(line) == len(_COLUMNS) and _whole(line)]


def _whole(line: Sequence[str]) -> bool:
    try:
        return all(int(line[i]) >= 0 for i in (0, 1, 2)) and float(line[4]) == float(line[4])
    except ValueError:
        return False
