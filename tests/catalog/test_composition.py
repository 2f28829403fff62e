"""Names become methods; settings are checked before anything heavy is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from twofold import wings
from twofold.catalog.composition import resolve_options
from twofold.catalog.settings import read_description, read_settings
from twofold.errors import UserError
from twofold.methods.build import build, load
from twofold.wings import composed

SYSTEMS, ADDITIONS = wings.catalog().systems, wings.catalog().additions
PARTS = {s.base for s in SYSTEMS.values()} | {addition.path for addition in ADDITIONS.values()}


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_entry_names_code_and_settings_that_exist(name):
    system, composition = SYSTEMS[name], composed(name)
    assert composition.kinds and all(composition.offered[kind] for kind in composition.kinds)
    for path in (system.base, *system.additions):
        assert isinstance(load(path), type) and read_description(path)
    for recipe in (recipe for recipes in composition.offered.values() for recipe in recipes.values()):
        resolve_options(composition, recipe.method)
        assert recipe.source and recipe.views


@pytest.mark.parametrize("path", sorted(PARTS))
def test_settings_read_from_the_text_are_those_of_the_class(path):
    import inspect

    parameters = inspect.signature(load(path).__init__).parameters.values()
    keywords = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "additions"}
    assert {s.name: s.default for s in read_settings(path)} == keywords
    assert all(setting.meaning for setting in read_settings(path)), "a setting without a word about it"


def test_options_find_their_part():
    options = {"temperature": "0.2", "co2.temperature": ".1", "weight": 3, "queue": "1e3", "symmetric": "true"}
    assert resolve_options(composed("moco+co2"), options) == {
        "moco": {"temperature": 0.2, "queue": 1000, "symmetric": True},
        "co2": {"temperature": 0.1, "weight": 3.0},
    }
    assert resolve_options(composed("simclr"), {"hidden": "none"}) == {"simclr": {"hidden": None}}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("moco", {"temprature": 1}, 'no setting "temprature". Did you mean "temperature"?'),
        ("moco+co2", {"co3.ramp": 1}, 'no part "co3". Did you mean "co2"?'),
        ("moco", {"queue": "1.5"}, "--method.queue takes a whole number, not '1.5'."),
        ("moco", {"queue": True}, "--method.queue takes a whole number, not True."),
        ("moco", {"head": "x"}, "--method.head takes one of linear, mlp, not 'x'."),
        ("simclr", {"hidden": "wide"}, "takes a whole number or none"),
    ],
)
def test_wrong_options_are_answered_in_one_sentence(name, options, message):
    with pytest.raises(UserError) as caught:
        resolve_options(composed(name), options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mocco", 'no method "mocco". Did you mean "moco"?'),
        ("moco+co3", 'no addition "co3". Did you mean "co2"?'),
        ("moco+simclr", "It is a base: put it first."),
        ("moco+co2+co2", "the same addition over the base twice"),
        ("moco+nowhere.Thing", 'no module "nowhere"'),
        ("twofold.methods.moco.MoCa", 'no class "MoCa". Did you mean "MoCo"?'),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(UserError) as caught:
        composed(name).settings()
    assert message in str(caught.value)


def test_someones_own_addition_in_their_own_package(tmp_path, monkeypatch):
    (tmp_path / "ideas.py").write_text(
        "from twofold.methods.addition import Addition\n"
        "from twofold.seam import Term\n"
        "class Small(Addition):\n"
        '    """Pulls projections to zero. strength: how much."""\n'
        "    def __init__(self, *, strength: float = 0.1):\n"
        "        super().__init__()\n"
        "        self.strength = strength\n"
        "    def terms(self, record):\n"
        "        return {'small': Term(self.strength, record.student[0].row.square().mean())}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from twofold.images.backbones import build_backbone
    from twofold.seam import Situation

    composition = composed("byol+ideas.Small").on("images")
    backbone = build_backbone("convnet", image_size=32)
    recipe = composition.recipes["cifar"]
    method, settings = build(composition, backbone, Situation(100, 10), recipe, {"strength": "0.5", "hidden": 32})
    assert type(method).__name__ == "BYOL" and method.additions[0].strength == 0.5
    assert settings["small.strength"] == 0.5 and settings["byol.hidden"] == 32 and settings["byol.dim"] == 64


def test_names_and_options_are_checked_without_torch():
    code = (
        "import sys\n"
        "from twofold.catalog.composition import resolve_options\n"
        "from twofold.wings import composed\n"
        "resolve_options(composed('moco+co2'), {'co2.ramp': 0.1})\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("tkc", True), ("moco+tkc", True), ("simsiam+mixsiam+unmix", True), ("moco+mochi", False)],
)
def test_reconstructions_are_named_so(name, is_one):
    composition = composed(name)
    assert composition.reconstruction == is_one and composition.title.endswith("(a reconstruction)") == is_one
    system = SYSTEMS.get(name)
    assert system is None or ("reconstruction" in system.title) == is_one
