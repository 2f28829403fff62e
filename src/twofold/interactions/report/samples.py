"""samples.json: what a few users have and are recommended."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from pathlib import Path

from twofold.page.read import read_json
from twofold.printable import spelled_out


@dataclass(frozen=True)
class Sample:
    """A user with `count` items: some of these, (id, title), and the best new items, (id, title, score)."""

    user: str
    count: int
    learned: list[tuple[str, str]]
    recommended: list[tuple[str, str, float]]


def read_samples(file: Path) -> list[Sample]:
    """The samples of a run. Raises ValueError, KeyError or TypeError where the file is not as it was written."""
    return [
        Sample(
            _text(entry["user"]),
            operator.index(entry["count"]),
            [(_text(item["item"]), _text(item["title"])) for item in entry["learned"]],
            [(_text(item["item"]), _text(item["title"]), float(item["score"])) for item in entry["recommended"]],
        )
        for entry in read_json(file)["users"]
    ]


def _text(value: object) -> str:
    return spelled_out(str(value))
