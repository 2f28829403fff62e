"""The pages say what the code does: tables made from the catalog, commands that can be given, options, files, links."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
import torch

import twofold
from twofold import wings
from twofold.catalog.settings import convert, read_settings
from twofold.catalog.wing import Verb
from twofold.cli import parse
from twofold.commands import COMMANDS
from twofold.trackers import named

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PACKAGE = ROOT / "src" / "twofold"


def load(file: Path) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tables = load(DOCS / "tables.py")
CATALOG = wings.catalog()
PAGES: dict[str, list[str]] = tables.pages()
EVERY = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
HEADINGS = ["Formula", "When to use it", "Command", "Settings", "Recipes", "How verified", "Traps", "Measured"]
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
each_page = pytest.mark.parametrize("name", PAGES)
each_file = pytest.mark.parametrize("file", EVERY, ids=lambda file: str(file.relative_to(ROOT)))


def page(name: str) -> str:
    return (DOCS / "methods" / f"{name}.md").read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """What stands under a heading of the second level."""
    return re.split(r"^## ", text.split(f"\n## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def table(text: str) -> list[dict[str, str]]:
    """The rows of the first table of a text, by the names of its columns."""
    lines = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert lines, "no table"
    header, *rows = tables.read(lines[0])
    return [dict(zip(header, row, strict=True)) for row in rows]


def names(cell: str) -> list[str]:
    """What stands in backquotes."""
    return re.findall(r"`([^`]*)`", cell)


def commands(text: str) -> list[str]:
    """The commands in the fenced blocks of a text, those that go on in the next line as one."""
    blocks = "\n".join(FENCED.findall(text)).replace("\\\n", " ")
    return re.findall(r"^twofold .*$", blocks, re.MULTILINE)


# Tables made from the catalog


@pytest.mark.parametrize("file", tables.tables(), ids=lambda file: str(file.relative_to(ROOT)))
def test_tables_are_those_of_the_catalog(file):
    text = file.read_text(encoding="utf-8")
    assert tables.filled(file, text) == text, "run python docs/tables.py"


def test_a_table_that_was_changed_or_left_out_is_noticed():
    file = DOCS / "methods" / "moco.md"
    text = file.read_text(encoding="utf-8")
    assert tables.filled(file, text.replace("| `0.999` |", "| `0.9` |")) == text
    assert tables.filled(file, text.replace("| `queue` |", "| `kew` |")) != text  # what is written by hand went with it
    with pytest.raises(ValueError, match="should have them for"):
        tables.filled(file, text.replace("tables.py: recipes", "tables.py: recipe"))


def test_every_system_has_a_page_and_every_page_a_system():
    assert sorted(name for systems in PAGES.values() for name in systems) == sorted(CATALOG.systems)
    assert CATALOG.additions.keys() <= PAGES.keys()
    assert {file.stem for file in (DOCS / "methods").glob("*.md")} == PAGES.keys()


@pytest.mark.parametrize("name", CATALOG.systems)
def test_an_entry_says_what_the_tables_show(name):
    system = CATALOG.systems[name]
    assert all((system.title, system.paper, system.summary, system.suits, system.verified, system.measured))
    assert all(recipe.source for recipes in CATALOG.recipes[name].values() for recipe in recipes.values())


@each_page
def test_a_default_as_it_is_shown_can_be_typed(name):
    settings = {setting.name: setting for setting in tables.settings_of(name)}
    for row in table(section(page(name), "Settings")):
        setting = settings[names(row["name"])[0]]
        shown = convert(setting.name, names(row["default"])[0], setting.type)
        assert shown == setting.default and type(shown) is type(setting.default), setting.name


@each_page
def test_a_page_has_its_parts_in_order(name):
    text = page(name)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert text.startswith("# ") and f"`{PAGES[name][0]}`" in text.split("\n", 1)[0]
    assert "https://arxiv.org/abs/" in text.split("\n## ", 1)[0]
    assert section(text, "Measured").strip()


@pytest.mark.parametrize("name", [name for name, system in CATALOG.systems.items() if system.reconstruction])
def test_a_reconstruction_says_so_at_once(name):
    title, first = [line for line in page(name).splitlines() if line][:2]
    system = CATALOG.systems[name]
    assert all("reconstruction" in text for text in (title, first, system.title, system.summary, system.verified))


# Commands, options, names in Python


@pytest.fixture
def rehearsed(monkeypatch, tmp_path):
    """A place with a run of each kind, in which verbs check what they are given, and their jobs do nothing."""
    monkeypatch.setattr(Verb, "load", lambda self: lambda *given: tmp_path / "runs" / "photos")
    monkeypatch.setattr(named, "_require_package", lambda *given: None)  # extras that this machine may lack
    monkeypatch.chdir(tmp_path)
    runs = {"photos": "moco", "cells": "byol", "plays": "sgl", "clips": "be"}
    runs |= {"pong": "rainbow+rcrl", "catch": "rainbow+rcrl", "moves": "rcrl"}
    for run, method in runs.items():
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "config.yaml").write_text(f"method: {method}\n")


@each_file
def test_commands_can_be_given(file, rehearsed):
    for line in commands(file.read_text(encoding="utf-8")):
        words = shlex.split(line, comments=True)[1:]
        do = parse(words)
        if words[0] not in ("report", "methods"):  # nothing but subjects, and they would do it
            do()


@each_page
def test_a_page_shows_a_command_for_its_method(name):
    methods = [line.split()[2] for line in commands(section(page(name), "Command"))]
    assert any(part in PAGES[name] for method in methods for part in method.split("+"))


def test_a_command_that_cannot_be_given_is_noticed(rehearsed):
    for line in ("pretrain moco photos/ --method.kew 3", "recommend runs/photos", "check plays.csv --image-size 64"):
        with pytest.raises(twofold.errors.UserError):
            parse(shlex.split(line))()


def test_the_pages_show_commands():
    assert sum(len(commands(file.read_text(encoding="utf-8"))) for file in EVERY) > 40


def known_options() -> set[str]:
    """Every option of every command, as it is typed."""
    options = [option for command in COMMANDS.values() for option in command.options.values()]
    spelled = {option.name.replace("_", "-"): option.type is bool for option in options}
    return {f"--{name}" for name in spelled} | {f"--no-{name}" for name, switch in spelled.items() if switch}


def options_of_benchmarks() -> set[str]:
    """Options that the scripts of benchmarks/ take."""
    return {o for f in (ROOT / "benchmarks").glob("*.py") for o in re.findall(r'"(--[a-z-]+)"', f.read_text())}


@each_file
def test_options_exist(file):
    known = known_options() | {"--method", "--config", "--help"}
    if file.name in ("performance.md", "motion_capture.md"):
        known |= options_of_benchmarks()
    spoken = " ".join(
        cell for cell in names(FENCED.sub("", file.read_text(encoding="utf-8"))) if "tables.py" not in cell
    )
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", spoken)) <= known


@each_file
def test_names_in_python_exist(file):
    text = file.read_text(encoding="utf-8")
    for name in re.findall(r"(?<![\w.])twofold\.([a-z_]+)\(", text):
        assert name in twofold.__all__, name
    for kind, name in re.findall(r"(?<![\w.])twofold\.(\w+)\.([A-Z]\w+)", text):
        assert hasattr(importlib.import_module(f"twofold.{kind}"), name), f"{kind}.{name}"


def test_the_idea_of_the_architecture_page_works(tmp_path, monkeypatch):
    code = next(block for block in FENCED.findall(architecture()) if "# ideas.py" in block)
    (tmp_path / "ideas.py").write_text(code.removeprefix("```python\n").removesuffix("```"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ideas", raising=False)
    (setting,) = read_settings("ideas:Small")
    assert setting.meaning
    assert wings.composed("moco+ideas.Small").settings()["small"] == [setting]
    idea = importlib.import_module("ideas").Small(strength=2.0)
    terms = idea.terms(SimpleNamespace(student=[SimpleNamespace(row=torch.ones(3, 4))]))
    assert terms["small"].weight == 2 and terms["small"].value == 1


# Numbers that stand on the page of interactions


def interactions() -> str:
    return (DOCS / "interactions.md").read_text(encoding="utf-8")


def test_numbers_for_interactions_are_those_of_the_code():
    from twofold.interactions.evaluation.ranking import MEMORY
    from twofold.interactions.jobs import evaluate, settle
    from twofold.interactions.jobs.export import CELLS_FROM
    from twofold.interactions.methods import lightgcn, sgl

    text = " ".join(interactions().split())
    at = ", ".join(map(str, evaluate.AT[:-1])) + f" and {evaluate.AT[-1]}"
    assert settle.FAST == 5e-3 and sgl.FULL_UP_TO == 2e7
    for message in (
        f"batch {settle.BATCH:,} ", f"{settle.EPOCHS:,} epochs at most", f"`--patience` epochs ({settle.PATIENCE};",
        f"5e-3 below {settle.FEW_PAIRS:,} pairs", f"K is {at}.", f"cut into {evaluate.GROUPS} groups",
        f"first below {lightgcn.LEFT}", f"above {lightgcn.PLATEAU} after {lightgcn.PLATEAU_STEPS} steps",
        f"fit {MEMORY >> 20} MiB", f"exact below {CELLS_FROM:,}",
    ):  # fmt: skip
        assert message in text, message


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
        method = SimpleNamespace(layers=3, lazy=False, backbone=SimpleNamespace(width=64), **own)
        assert row["in all"] == f"{memory_estimate(cast(Any, data), cast(Any, method)) / 1e6:,.0f} MB"


# Files, folders, links


def architecture() -> str:
    return (DOCS / "architecture.md").read_text(encoding="utf-8")


def drawn() -> list[Path]:
    """The paths of the house as it is drawn."""
    above: list[str] = []
    found = []
    for line in re.split(r"^```$", architecture(), flags=re.MULTILINE)[1].strip("\n").splitlines():
        level = (len(line) - len(line.lstrip())) // 4
        for name in re.findall(r"(?:^|  )([a-z_]+(?:/|\.py)) {2}", line.strip()):
            above[level:] = [name]
            found.append(Path(*above))
    return found


def test_the_house_is_as_drawn():
    assert [path for path in drawn() if not (PACKAGE / path).exists()] == []


def test_every_room_of_the_house_is_drawn():
    kept = {path for path in PACKAGE.glob("[a-z]*") if path.name != "py.typed"}
    kept |= {path for wing in wings.WINGS for path in (PACKAGE / wing.kind).glob("[a-z]*/")}
    assert sorted(str(path.relative_to(PACKAGE)) for path in kept - {PACKAGE / path for path in drawn()}) == []


@each_file
def test_files_that_a_page_names_exist(file):
    text = file.read_text(encoding="utf-8")
    for name in names(FENCED.sub("", text)):
        if "NAME" in name:
            continue
        if re.fullmatch(r"(?:tests|src|docs|benchmarks|examples)/[\w/.-]+\.(?:py|md|json)", name):
            assert (ROOT / name).is_file(), name
        elif re.fullmatch(r"[a-z_]+(?:/[a-z_]+)*/[a-z_0-9]+\.py", name):
            assert (PACKAGE / name).is_file(), name


@each_page
def test_a_page_names_the_tests_that_verify_it(name):
    assert re.findall(r"`(tests/[\w/]+\.py)`", section(page(name), "How verified"))


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_file
def test_links_lead_somewhere(file):
    for link in LINK.findall(file.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        found = (file.parent / target).resolve() if target else file
        assert found.exists(), link
        assert not anchor or anchor in anchors(found.read_text(encoding="utf-8")), link
