"""The pages of the methods say what the code does: settings, defaults, recipes, commands, links."""

from __future__ import annotations

import inspect
import re
import shlex
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from twofold import api
from twofold.catalog import ADDITIONS, RECONSTRUCTED, SYSTEMS
from twofold.catalog.composition import compose, resolve_options
from twofold.catalog.settings import convert, read_settings
from twofold.cli import parse

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# Systems by page.
PAGES = {
    "simclr": ("simclr",),
    "moco": ("moco", "moco-symmetric", "moco-v1"),
    "simsiam": ("simsiam",),
    "byol": ("byol",),
    "wmse": ("wmse", "wmse4"),
    "barlow": ("barlow",),
    "vicreg": ("vicreg",),
    "moco-v3": ("moco-v3",),
    "dino": ("dino",),
    "swav": ("swav",),
    "mixsiam": ("mixsiam",),
    "mochi": ("mochi",),
    "co2": ("co2",),
    "tkc": ("tkc",),
    "unmix": ("unmix",),
    "lightgcn": ("lightgcn", "bpr-mf"),
    "sgl": ("sgl",),
    "floors": ("popularity", "graph-filter", "item-knn"),
}
SYSTEM_NAMES = [name for names in PAGES.values() for name in names]
HEADINGS = ["Formula", "When to use it", "Command", "Settings", "Recipes", "How verified", "Traps", "Measured"]
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")


def page(name: str) -> str:
    return (DOCS / "methods" / f"{name}.md").read_text(encoding="utf-8")


def index() -> str:
    return (DOCS / "methods.md").read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """What stands under a heading of the second level."""
    return re.split(r"^## ", text.split(f"\n## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def table(text: str) -> list[dict[str, str]]:
    """The rows of the first table of a text, by the names of its columns."""
    lines = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert lines, "no table"
    header, _, *rows = [[c.strip() for c in line.strip("|").split(" | ")] for line in lines[0].splitlines()]
    assert all(len(row) == len(header) for row in rows)
    return [dict(zip(header, row, strict=True)) for row in rows]


def names(cell: str) -> list[str]:
    """What stands in backquotes."""
    return re.findall(r"`([^`]*)`", cell)


def value(text: str, example: Any) -> Any:
    """Text as a value of the example's type; numbers may be fractions."""
    if isinstance(example, bool):
        return {"true": True, "false": False}[text]
    if isinstance(example, tuple):
        return tuple(float(Fraction(part)) for part in text.split())
    return float(Fraction(text)) if isinstance(example, (int, float)) else text


def values(cell: str, examples: dict[str, Any]) -> dict[str, Any]:
    """`name value, name value` as values of the examples' types."""
    pairs = [pair.split(" ", 1) for pair in cell.split(", ") if pair]
    return {name: value(text, examples.get(name)) for name, text in pairs}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_its_parts_in_order(name):
    text = page(name)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert text.startswith("# ") and all(f"`{system}`" in text.split("\n", 1)[0] for system in PAGES[name][:1])
    assert "https://arxiv.org/abs/" in text.split("\n## ", 1)[0]
    assert section(text, "Measured").strip()


def test_every_system_and_addition_has_a_page_and_a_line_in_the_index():
    assert sorted(SYSTEM_NAMES) == sorted(SYSTEMS)
    assert ADDITIONS.keys() <= PAGES.keys()
    assert {file.stem for file in (DOCS / "methods").glob("*.md")} == PAGES.keys()
    rows = {names(row["name"])[0]: row["page"] for row in table(index())}
    for stem, systems in PAGES.items():
        assert all(f"(methods/{stem}.md)" in rows[system] for system in systems)


@pytest.mark.parametrize("name", RECONSTRUCTED)
def test_a_reconstruction_says_so_at_once(name):
    title, first = [line for line in page(name).splitlines() if line][:2]
    assert "reconstruction" in title and "reconstruction" in first
    assert "reconstruction" in next(row["one line"] for row in table(index()) if names(row["name"]) == [name])


@pytest.mark.parametrize("name", PAGES)
def test_every_setting_stands_on_the_page_with_its_default(name):
    paths = [ADDITIONS[name]] if name in ADDITIONS else {SYSTEMS[system].base: None for system in PAGES[name]}
    settings = {setting.name: setting for path in paths for setting in read_settings(path)}
    written = {names(row["name"])[0]: names(row["default"])[0] for row in table(section(page(name), "Settings"))}
    assert list(written) == list(settings)
    for key, setting in settings.items():
        default = convert(key, written[key], setting.type)
        assert default == setting.default and type(default) is type(setting.default), key


def check_recipes(rows, systems):
    found = {(system, names(row["recipe"])[0]): row for row in rows for system in names(row["system"])}
    assert set(found) == {(system, recipe) for system in systems for recipe in SYSTEMS[system].recipes}
    for (system, name), row in found.items():
        recipe = SYSTEMS[system].recipes[name]
        assert row["views"] == recipe.views
        plan = dict(recipe.plan)
        assert values(row["optimiser"], plan) | values(row["course"], plan) == plan, (system, name)
        assert values(row["method"], dict(recipe.method)) == recipe.method, (system, name)
        assert row["source"], (system, name)


@pytest.mark.parametrize("name", PAGES)
def test_recipes_of_a_page_are_those_of_the_catalog(name):
    check_recipes(table(section(page(name), "Recipes")), PAGES[name])


def test_recipes_of_the_index_are_those_of_the_catalog():
    check_recipes(table(section(index(), "Recipes")), SYSTEM_NAMES)


@pytest.mark.parametrize("name", PAGES)
def test_commands_of_a_page_can_be_given(name):
    lines = re.findall(r"^twofold pretrain (\S+) (.*)$", section(page(name), "Command"), re.MULTILINE)
    assert lines
    for method, rest in lines:
        parse(["pretrain", method, *shlex.split(rest)])
        resolve_options(compose(method), dict(re.findall(r"--method\.(\S+) (\S+)", rest)))


def interactions() -> str:
    return (DOCS / "interactions.md").read_text(encoding="utf-8")


def test_commands_for_interactions_can_be_given():
    lines = re.findall(r"^twofold .*$", interactions(), re.MULTILINE)
    assert len(lines) > 5
    for line in lines:
        parse(shlex.split(line, comments=True)[1:])
    for option in re.findall(r"`(--[a-z-]+)", interactions()):
        verbs = ("pretrain", "recommend", "evaluate", "export")
        assert any(option[2:].replace("-", "_") in inspect.signature(getattr(api, verb)).parameters for verb in verbs)


def test_files_for_interactions_exist():
    found = re.findall(r"`((?:tests|src)/[\w/]+\.py)`", interactions())
    assert found and all((ROOT / file).is_file() for file in found)


def test_numbers_for_interactions_are_those_of_the_code():
    from twofold.interactions.evaluation.ranking import MEMORY
    from twofold.interactions.jobs import evaluate, settle
    from twofold.interactions.jobs.export import CELLS_FROM
    from twofold.interactions.methods import lightgcn, sgl

    text = " ".join(interactions().split())
    at = ", ".join(map(str, evaluate.AT[:-1])) + f" and {evaluate.AT[-1]}"
    assert settle.FAST == 5e-3 and sgl.FULL_UP_TO == 2e7
    for said in (
        f"batch {settle.BATCH:,} ", f"{settle.EPOCHS:,} epochs at most", f"`--patience` epochs ({settle.PATIENCE};",
        f"5e-3 below {settle.FEW_PAIRS:,} pairs", f"K is {at}.", f"cut into {evaluate.GROUPS} groups",
        f"first below {lightgcn.LEFT}", f"above {lightgcn.PLATEAU} after {lightgcn.PLATEAU_STEPS} steps",
        f"fit {MEMORY >> 20} MiB", f"exact below {CELLS_FROM:,}",
    ):  # fmt: skip
        assert said in text, said


def test_usual_names_of_columns_are_known():
    from twofold.interactions.reading.columns import role_of

    rows = {
        row["column"]: names(row["names"]) for row in table(section(interactions(), "What is read").split("**C")[1])
    }
    roles = {"users": "user", "items": "item", "weights": "weight", "times": "time"}
    assert {plural: {role_of(name) for name in found} for plural, found in rows.items()} == {
        plural: {role} for plural, role in roles.items()
    }


def test_the_memory_of_a_large_run_is_what_its_header_would_say():
    from twofold.interactions.jobs.pretrain import memory_estimate

    rows = table(section(interactions(), "Memory"))
    data = SimpleNamespace(train=range(10**8), users=10**7, items=10**6)
    for row, own in zip(rows, ({}, {"augmentation": "ed"}), strict=True):
        method = SimpleNamespace(layers=3, backbone=SimpleNamespace(width=64), **own)
        assert row["in all"] == f"{memory_estimate(cast(Any, data), cast(Any, method)) / 1e6:,.0f} MB"


def test_the_house_is_as_drawn():
    drawn = re.split(r"^```$", (DOCS / "architecture.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    above: list[str] = []
    for line in drawn.strip("\n").splitlines():
        above[(len(line) - len(line.lstrip())) // 4 :] = [line.split()[0]]
        assert (ROOT / "src" / "twofold" / Path(*above)).exists(), line
    wings = ("images", "interactions")
    folders = {f"{wing}/{path.name}" for wing in wings for path in (ROOT / "src" / "twofold" / wing).glob("[a-z]*/")}
    assert all(f"    {folder.split('/')[1]}/" in drawn for folder in folders)


@pytest.mark.parametrize("name", PAGES)
def test_files_that_a_page_names_exist(name):
    text = page(name)
    verified = section(text, "How verified")
    assert re.findall(r"`(tests/[\w/]+\.py)`", verified)
    for file in re.findall(r"`((?:tests|src)/[\w/]+\.py)`", text):
        assert (ROOT / file).is_file(), file


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "file", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda file: str(file.relative_to(ROOT))
)
def test_links_lead_somewhere(file):
    for link in LINK.findall(file.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        found = (file.parent / target).resolve() if target else file
        assert found.exists(), link
        assert not anchor or anchor in anchors(found.read_text(encoding="utf-8")), link
