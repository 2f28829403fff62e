"""Every setting of every part of the catalog has a sentence of its own, in the docstring of its class."""

from __future__ import annotations

import inspect

import pytest

from twofold.catalog.settings import LATER, read_settings, short_name
from twofold.methods.build import load

from ..tiny import ADDITIONS, SYSTEMS

PARTS = sorted({system.base for system in SYSTEMS.values()} | set(ADDITIONS.values()))


@pytest.mark.parametrize("path", PARTS, ids=lambda path: path.partition(":")[2])
def test_each_setting_has_its_sentence(path):
    part = load(path)
    keywords = inspect.signature(part).parameters.values()
    settings = [p.name for p in keywords if p.kind is p.KEYWORD_ONLY and p.name != "additions"]
    found = {setting.name: setting.meaning for setting in read_settings(path)}
    assert list(found) == settings
    for name, text in found.items():
        assert text[0].isupper() and text.endswith("."), (name, text)
        assert not text.lower().startswith("as of"), (name, text)


def test_what_earlier_versions_lacked_is_off_by_default():
    paths = {short_name(path): path for path in PARTS}
    for name, value in LATER.items():
        part, setting = name.split(".")
        assert {s.name: s.default for s in read_settings(paths[part])}[setting] == value, name
