"""Every setting of every part of the catalog has a sentence of its own, in the docstring of its class."""

from __future__ import annotations

import inspect
import re

import pytest

from twofold.catalog import ADDITIONS, SYSTEMS
from twofold.catalog.composition import load

PARTS = sorted({system.base for system in SYSTEMS.values()} | set(ADDITIONS.values()))


def meanings(part: type) -> dict[str, str]:
    """The block `Args:` of a class's docstring: a name and its sentence, whose later lines are indented deeper."""
    block = inspect.cleandoc(part.__doc__ or "").partition("Args:\n")[2]
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", block, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


@pytest.mark.parametrize("path", PARTS, ids=lambda path: path.partition(":")[2])
def test_each_setting_has_its_sentence(path):
    part = load(path)
    keywords = inspect.signature(part).parameters.values()
    settings = [p.name for p in keywords if p.kind is p.KEYWORD_ONLY and p.name != "additions"]
    found = meanings(part)
    assert list(found) == settings
    for name, text in found.items():
        assert text[0].isupper() and text.endswith("."), (name, text)
        assert not text.lower().startswith("as of"), (name, text)
