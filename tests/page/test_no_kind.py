"""The page knows no kind of data: no file of it names one. (HTML and CSS have words of their own.)"""

import re
from pathlib import Path

import pytest

import twofold.page

FILES = sorted(Path(twofold.page.__file__).parent.rglob("*.*"))
KINDS = (
    "images?|photos?|videos?|clips?|interactions?|control|environments?|episodes?|triples?|pairs?|users?|items|"
    "recalls?|ndcg|knn|rankings?|ranked|ranks|recommend\\w*|returns?"
)
# What Python, CSS, the browser and the run folder call so.
TERMS = (
    r"\.items\(\)|align-items|place-items|background-image|image/webp|\bImage\.|import Image\b|new Image\b|drawImage|"
    r"environment\.json|\b(self\.|run\.)?_?environments?\b|\breturns?\b|raise|a formula over the data ranks"
)


@pytest.mark.parametrize(
    "file", [f for f in FILES if f.suffix in (".py", ".html", ".css", ".js")], ids=lambda f: f.name
)
def test_no_file_names_a_kind_of_data(file):
    text = re.sub(TERMS, "", file.read_text("utf-8"), flags=re.IGNORECASE)
    found = {match[0] for match in re.finditer(rf"(?<![A-Za-z])({KINDS})(?![A-Za-z])", text, re.IGNORECASE)}
    assert not found


def test_no_wing_is_imported():
    for file in FILES:
        if file.suffix == ".py":
            assert not re.search(r"twofold\.(images|interactions|videos|control)", file.read_text("utf-8")), file
