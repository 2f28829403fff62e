"""Views that a user brings: by import path or as an object, as a recipe or to be called; and what they are known by."""

from __future__ import annotations

from pathlib import Path

import pytest

from twofold.errors import UserError
from twofold.given import holding
from twofold.pixels.views import AUGMENTATIONS, Augmentation, Crop
from twofold.pixels.views.own import Called, brought, called, identity, is_own

CODE = """
from twofold.pixels.views import Augmentation, Crop
views = Augmentation(((Crop(),),))
broken = {"jitter": 0}
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "views_of_mine.py").write_text(CODE)
    (tmp_path / "views_that_fail.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    return "views_of_mine"


def test_names_of_ours_and_of_ones_own() -> None:
    assert not any(map(is_own, AUGMENTATIONS))
    assert all(map(is_own, ["python:Compose", "a.b", "a:b"]))


def test_an_import_path_is_told_either_way(module: str) -> None:
    recipe = Augmentation(((Crop(),),))
    assert brought(f"{module}.views") == brought(f"{module}:views") == recipe
    with holding(recipe) as name:
        assert brought(name) is recipe


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("views_of_mine.vews", 'has nothing by the name "vews". Did you mean "views"'),
        ("views_of_mine.broken", "give single changes as view_options"),
        (
            "no_such_module.views",
            'The views "no_such_module.views" cannot be imported .*: put its folder on PYTHONPATH',
        ),
        ("views_that_fail.views", "cannot be imported .division by zero."),
        ("a..b", "cannot be imported"),
        ("python:Compose", "is of a program that has ended"),
    ],
)
def test_what_cannot_be_had_is_said(module: str, name: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        brought(name)


def test_what_is_to_be_called() -> None:
    assert called("x", abs) == Called("x", (abs,)) and called("x", [abs, len]).calls == (abs, len)
    for wrong in (3, [], [abs, 3], Path):
        with pytest.raises(UserError, match="makes no views: give an Augmentation, something to call with a picture"):
            called("x", wrong)


def test_views_of_ones_own_are_part_of_what_a_run_learns_from() -> None:
    class Mine:
        def __call__(self, picture: object) -> object:
            return picture

    assert identity("moco-v2", AUGMENTATIONS["moco-v2"], "f") == {"fingerprint": "f"}
    one, other = (identity("a.b", Augmentation(((Crop((area, 1.0)),),)), "f") for area in (0.2, 0.3))
    assert one["fingerprint"] != other["fingerprint"] != "f" and "area=(0.2, 1.0)" in one["views"]
    twice = [identity("a.b", Called("a.b", (Mine(),)), "f") for _ in range(2)]
    assert twice[0] == twice[1]  # wherever it lies in memory
