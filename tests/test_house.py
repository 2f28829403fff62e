"""The shared rooms of the house know no kind of data: no file of theirs names one, or a wing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import twofold
from twofold.wings import WINGS

HOUSE = Path(twofold.__file__).parent
ROOMS = ("seam.py", "training", "page", "comparison", "runs")
FILES = sorted(file for room in ROOMS for file in (HOUSE / room, *(HOUSE / room).rglob("*.*")) if file.is_file())
KINDS = (
    "images?|photos?|videos?|clips?|interactions?|control|environments?|episodes?|triples?|pairs?|users?|"
    "recalls?|ndcg|knn|rankings?|ranked|ranks|recommend\\w*|returns?"
)
# What Python, CSS, the browser, torch, distribution and the run folder call so.
TERMS = (
    r"\.items\(\)|align-items|place-items|background-image|image/webp|append_images|"
    r"\bImage\.|import Image\b|new Image\b|drawImage|"
    r"environment\.json|ENVIRONMENT_FILE|import environment\b|runs\.environment|"
    r"\b(self\.|run\.)?_?environments?\b|\breturns?\b|raise|"
    r"a formula over the data ranks|two ranks|the user'?s?\b|a user\b|clip_grad\w*|\.clip\b|clip: |\bclip=|\"clip\"|"
    r"items_per_second|items/s|\"images\": \"count\"|GradCache|for pair in|in pairs\b|\bpairs? of which one"
)


def named(text: str) -> set[str]:
    """The kinds of data that a text names."""
    plain = re.sub(TERMS, "", text, flags=re.IGNORECASE)
    return {match[0] for match in re.finditer(rf"(?<![A-Za-z])({KINDS})(?![A-Za-z])", plain, re.IGNORECASE)}


@pytest.mark.parametrize(
    "file", [f for f in FILES if f.suffix in (".py", ".html", ".css", ".js")], ids=lambda f: str(f.relative_to(HOUSE))
)
def test_no_shared_room_names_a_kind_of_data(file):
    assert not named(file.read_text("utf-8"))


def test_names_of_kinds_are_found():
    assert named("the images of a user's clips, by kNN and recall@20") == {"images", "clips", "kNN", "recall"}


@pytest.mark.parametrize("file", [f for f in FILES if f.suffix == ".py"], ids=lambda f: str(f.relative_to(HOUSE)))
def test_no_shared_room_imports_a_wing(file):
    kinds = "|".join(wing.kind for wing in WINGS)
    assert not re.search(rf"twofold\.({kinds})", file.read_text("utf-8"))
