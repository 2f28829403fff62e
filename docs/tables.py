"""Fills the tables of README.md and docs/ from the catalog: `python docs/tables.py`; with --check it only compares."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from twofold import wings
from twofold.catalog.settings import Setting, read_settings
from twofold.catalog.wing import System

ROOT = Path(__file__).resolve().parent.parent
CATALOG = wings.catalog()
PLACE = re.compile(r"(<!-- made by docs/tables\.py: (\w+)[^>]*-->\n)(.*?)(<!-- end -->)", re.DOTALL)
RATE = ("optimizer", "base_lr", "scaling", "weight_decay")  # the rest of a recipe's plan is its course

Rows = list[list[str]]


def part_of(system: System) -> str:
    """The class that a system's page is about: its last addition, or its base."""
    return system.additions[-1] if system.additions else system.base


def pages() -> dict[str, list[str]]:
    """The systems of each page of docs/methods/: those of one class, under the name of the first or as entered."""
    found: dict[str, list[str]] = {}
    stems: dict[str, str] = {}
    for name, system in CATALOG.systems.items():
        stem = stems.setdefault(part_of(system), system.page or name)
        found.setdefault(stem, []).append(name)
    return found


def settings_of(page: str) -> list[Setting]:
    """The settings that a page is about."""
    parts = dict.fromkeys(part_of(CATALOG.systems[name]) for name in pages()[page])
    return list({setting.name: setting for part in parts for setting in read_settings(part)}.values())


def system_table(_: Rows) -> Rows:
    """Every system with how well it is verified and on what it was measured."""
    rows = [["name", "system", "verified by", "measured"]]
    for page, name in ((page, name) for page, names in pages().items() for name in names):
        system = CATALOG.systems[name]
        measured = f"[{system.measured}](docs/methods/{page}.md#measured)"
        rows.append([f"`{name}`", f"{system.title}{dated(system.paper)}", system.verified, measured])
    return rows


def index_table(_: Rows) -> Rows:
    """Every system in one line, with when to use it."""
    rows = [["name", "what it does", "when to use it", "learns from", "base or addition"]]
    for page, name in ((page, name) for page, names in pages().items() for name in names):
        system, kinds = CATALOG.systems[name], ", ".join(CATALOG.recipes[name])
        rows.append([f"[`{name}`](methods/{page}.md)", system.summary, system.suits, kinds, role(name)])
    return rows


def recipe_table(names: Iterable[str], by_source: bool, _: Rows) -> Rows:
    """The recipes of some systems, equal ones in one row; by_source: only where their source is the same, too."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        for key, recipe in (pair for recipes in CATALOG.recipes[name].values() for pair in recipes.items()):
            rate = {k: v for k, v in recipe.plan.items() if k in RATE}
            course = {k: v for k, v in recipe.plan.items() if k not in RATE}
            cells = [f"`{key}`", recipe.views, listed(rate), listed(course), listed(recipe.method), recipe.source]
            row = rows.setdefault(tuple(cells if by_source else cells[:-1]), ["", *cells])
            row[0] = f"{row[0]}, `{name}`".removeprefix(", ")
    return [["system", "recipe", "views", "optimizer", "course", "method", "source"], *rows.values()]


def setting_table(page: str, old: Rows) -> Rows:
    """The settings of a page. Columns after "meaning" are written by hand and kept, row by row."""
    more, kept = (old[0][3:] if old else []), {row[0]: row[3:] for row in old}
    rows = [["name", "default", "meaning", *more]]
    for setting in settings_of(page):
        cells = [f"`{setting.name}`", f"`{typed(setting.default)}`", setting.meaning.replace("|", "\\|")]
        rows.append([*cells, *kept.get(cells[0], [""] * len(more))])
    return rows


def role(name: str) -> str:
    """Whether a system is a base, or an addition and over what it is laid where it is named alone."""
    system = CATALOG.systems[name]
    alike = (other for other, s in CATALOG.systems.items() if s.base == system.base and not s.additions)
    same = next(alike, None)
    if system.additions:
        return f"addition; by itself over `{same}`" if same else "addition, and by itself"
    if not any(recipe.plan for recipes in CATALOG.recipes[name].values() for recipe in recipes.values()):
        return "base, not trained"
    return "base" if same == name else f"base (settings of `{same}`)"


def dated(paper: str) -> str:
    """Where and when a paper came out, in brackets."""
    found = re.search(r", ((?:[A-Z][A-Za-z]+ )?\d{4})(?=,|$)", paper)
    return f" ({found[1]})" if found else ""


def listed(values: Mapping[str, Any]) -> str:
    """Names with their values."""
    return ", ".join(f"{name} {typed(value)}" for name, value in values.items())


def typed(value: Any) -> str:
    """A value as a user would type it."""
    if isinstance(value, tuple):
        return " ".join(map(typed, value))
    if isinstance(value, float):
        return f"{value:.4g}".replace("e-0", "e-")
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def tables() -> dict[Path, dict[str, Callable[[Rows], Rows]]]:
    """Every file with the tables that it must have, each made from the rows that stand there now."""
    every = [name for names in pages().values() for name in names]
    index, folder = ROOT / "docs" / "methods.md", ROOT / "docs" / "methods"
    return {
        ROOT / "README.md": {"systems": system_table},
        index: {"index": index_table, "recipes": partial(recipe_table, every, False)},
        **{
            folder / f"{page}.md": {
                "settings": partial(setting_table, page),
                "recipes": partial(recipe_table, names, True),
            }
            for page, names in pages().items()
        },
    }


def read(text: str) -> Rows:
    """The rows of a table; the line under its header is left out."""
    lines = [line for line in text.splitlines() if line.startswith("|") and set(line) - set("|- ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def written(rows: Rows) -> str:
    """Rows as a table between empty lines."""
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def filled(file: Path, text: str) -> str:
    """The text of a file with its tables as they should be. Raises ValueError where the place for one is missing."""
    makers, found = tables()[file], [match[2] for match in PLACE.finditer(text)]
    if found != list(makers):
        raise ValueError(f"{file} has places for the tables {found}, and should have them for {list(makers)}.")
    return PLACE.sub(lambda m: f"{m[1]}{written(makers[m[2]](read(m[3])))}{m[4]}", text)


def main(*, check: bool) -> str | None:
    """Write what is out of date, or say so."""
    for file in tables():
        if not file.exists():
            return f"{file.relative_to(ROOT)} is missing: write it, with places for the tables {list(tables()[file])}."
        text = file.read_text(encoding="utf-8")
        if (new := filled(file, text)) == text:
            continue
        if check:
            return f"The tables of {file.relative_to(ROOT)} are out of date: run python docs/tables.py."
        file.write_text(new, encoding="utf-8")
        print(f"{file.relative_to(ROOT)}: written anew.")
    return None


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
