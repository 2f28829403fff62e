"""Methods in words: the list, and one method with its settings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from twofold.catalog.composition import Catalog, Composition, is_reconstruction
from twofold.catalog.settings import Setting, read_description, short_name
from twofold.catalog.wing import Recipe, Wing, load

WIDTH = 110


@dataclass(frozen=True)
class Listed:
    """An entry of the list of methods.

    summary: what it does. suits: when to use it. kinds: the data that it can learn from. verified: by what. parts: the
    import paths of base and additions.
    """

    name: str
    title: str
    summary: str
    suits: str
    paper: str
    kinds: tuple[str, ...]
    verified: str
    reconstruction: bool
    parts: tuple[str, ...]

    def __str__(self) -> str:
        head = f"{self.name:16} {self.title} ({', '.join(self.kinds)})"
        below = [self.summary, f"suits: {self.suits}", self.paper, f"verified: {self.verified}"]
        return "\n".join([head, *(line for text in below for line in _indented(text, 17))])


@dataclass(frozen=True)
class Method:
    """A method: what each part says of itself, its settings by part, its recipes by kind of data, what may be changed
    in the views of these, by kind and name, a command to try."""

    name: str
    parts: Mapping[str, str]
    settings: Mapping[str, list[Setting]]
    recipes: Mapping[str, Mapping[str, Recipe]]
    views: Mapping[str, Mapping[str, list[str]]]
    example: str

    def __str__(self) -> str:
        lines: list[str] = []
        for name, description in self.parts.items():
            lines += [name, textwrap.indent(description, "  "), ""]
        lines += ["Settings (--method.NAME VALUE):", *settings_in_words(self.settings)]
        for kind, recipes in self.recipes.items():
            for name, recipe in recipes.items():
                values = {**recipe.plan, **recipe.method, "views": recipe.views}
                lines += ["", f"Recipe {name} for {kind} ({recipe.source}):"]
                lines += _indented(", ".join(f"{key} {value}" for key, value in values.items()), 2)
        for kind, known in self.views.items():
            for name, fields in known.items():
                lines += ["", f"Views {name} for {kind} (--views.NAME VALUE; jitter alone is jitter.p):"]
                lines += _indented("; ".join(fields), 2)
        return "\n".join([*lines, "", f"Try: {self.example}"])


def listed(catalog: Catalog) -> list[Listed]:
    """Every system of the catalog."""
    return [
        Listed(
            name,
            system.title,
            system.summary,
            system.suits,
            system.paper,
            tuple(catalog.recipes[name]),
            system.verified,
            system.reconstruction,
            (system.base, *system.additions),
        )
        for name, system in catalog.systems.items()
    ]


def list_in_words(catalog: Catalog) -> str:
    """Every system with paper, kind of data and verification, and the additions."""
    names = [f"+{name}{_word(name, catalog)}" for name in catalog.additions]
    return "\n".join(
        [
            *map(str, listed(catalog)),
            "",
            f"Additions, laid over a base: {', '.join(names)} (as in moco+co2); your own: moco+mypackage.MyIdea.",
            "Settings of one: twofold methods moco+co2",
        ]
    )


def method_of(composition: Composition, wings: Sequence[Wing]) -> Method:
    """A composition in words; wings: those there are."""
    paths = (composition.base, *composition.additions)
    kinds = composition.kinds
    able = {wing.kind: wing for wing in wings if wing.kind in kinds}
    return Method(
        composition.name,
        {path.partition(":")[2]: read_description(path) for path in paths},
        composition.settings(),
        {kind: composition.offered[kind] for kind in kinds},
        {kind: _changes(wing, composition.offered[kind]) for kind, wing in able.items() if wing.changes},
        f"twofold pretrain {composition.name} {able[kinds[0]].example}   ({short_name(composition.base)} is the base)",
    )


def _changes(wing: Wing, recipes: Mapping[str, Recipe]) -> dict[str, list[str]]:
    """What may be changed in the views of some recipes, by the views' names."""
    return {name: load(wing.changes)(name) for name in dict.fromkeys(recipe.views for recipe in recipes.values())}


def settings_in_words(settings: Mapping[str, Iterable[Setting]]) -> list[str]:
    """A line or more for each setting: part and name, default, meaning."""
    lines = []
    for part, known in settings.items():
        for setting in known:
            name = f"  {part}.{setting.name} {setting.default!s}"
            lines += _indented(f"{name:30} {setting.meaning}".rstrip(), 33, first="")
    return lines


def _indented(text: str, by: int, first: str | None = None) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=" " * by if first is None else first, subsequent_indent=" " * by,
        drop_whitespace=True, break_on_hyphens=False,
    )  # fmt: skip


def _word(name: str, catalog: Catalog) -> str:
    return " (a reconstruction)" if is_reconstruction(name, catalog.systems) else ""
