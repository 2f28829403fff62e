"""What is compared: methods with settings, from a list with commas."""

from __future__ import annotations

import pytest

from twofold.comparison.entries import read_entries
from twofold.errors import UserError
from twofold.wings import composed


def test_one_recipe_for_all():
    alone, moco = read_entries("simclr,moco", composed)
    shared, _ = read_entries("simclr,moco", composed, "moco")
    for size in ("cifar", "imagenet"):
        recipe, theirs, own = (entry.composition.on("images").recipes[size] for entry in (shared, moco, alone))
        assert (recipe.views, recipe.plan) == (theirs.views, theirs.plan) and recipe.method == own.method


def test_settings_in_brackets_name_entries_and_folders():
    first, second = read_entries("moco[ queue=64, temperature=0.1 ] , co2[co2.weight=2]", composed)
    assert first.name == "moco[queue=64,temperature=0.1]" and first.options == {"queue": "64", "temperature": "0.1"}
    assert first.folder(3) == "moco_queue=64_temperature=0.1-seed3"
    assert second.name == "co2[co2.weight=2]"


def test_no_two_entries_share_a_folder(tmp_path, monkeypatch):
    body = "(Addition):\n    def __init__(self): ...\n"
    (tmp_path / "two_ideas.py").write_text(f"class Idea{body}class IDEA{body}")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match="would share a folder"):
        read_entries("simclr+two_ideas.Idea,simclr+two_ideas.IDEA", composed)


def test_the_recipe_of_another_leaves_what_is_not_trained_alone():
    formula, trained = read_entries("item-knn,sgl", composed, "lightgcn")
    formula, trained = formula.on("interactions"), trained.on("interactions")
    assert not formula.composition.trained and trained.composition.trained
    assert list(trained.composition.recipes) == ["default", "sparse"]


def test_entries_of_two_kinds_are_refused():
    with pytest.raises(UserError, match="sgl learns from interactions, not from images"):
        [entry.on("images") for entry in read_entries("moco,sgl", composed)]
