"""What is compared: "moco,moco+co2[weight=2]" -> methods with their settings, checked before any work."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from twofold.catalog.composition import Composition, resolve_options
from twofold.errors import UserError

_ITEM = re.compile(r"([^\[\]]+)(?:\[([^\[\]]*)\])?")


@dataclass(frozen=True)
class Entry:
    """A method with its own settings. name: as tables show it."""

    name: str
    composition: Composition
    options: Mapping[str, Any]

    def folder(self, seed: int) -> str:
        """The name of its run folder for a seed, fit for any file system: moco_temperature=0.1-seed0."""
        plain = re.sub(r"[\[,]", "_", self.name.rstrip("]"))
        return f"{re.sub(r'[^A-Za-z0-9.+_=-]', '-', plain)}-seed{seed}"

    def on(self, kind: str) -> Entry:
        """The same, to learn from a kind of data."""
        return replace(self, composition=self.composition.on(kind))


def read_entries(methods: str, composed: Callable[[str], Composition], recipe_of: str | None = None) -> list[Entry]:
    """The entries of a list with commas, in its order; settings stand in brackets.

    composed: what a method's name stands for. recipe_of: a method whose views and optimizer plan all of them take.
    Raises UserError where the list is empty, an entry is unknown or comes twice, or a setting does not exist.
    """
    entries: list[Entry] = []
    seen: dict[Any, str] = {}
    folders: dict[str, str] = {}
    for item in _items(methods):
        entry = _entry(item, composed)
        resolved = resolve_options(entry.composition, entry.options)
        key = entry.composition.name, *((p, tuple(sorted(v.items()))) for p, v in sorted(resolved.items()))
        folder = entry.folder(0).lower()
        if key in seen:
            raise UserError(f'"{entry.name}" comes twice in the list of methods; name each once.')
        if folder in folders:
            raise UserError(f'"{folders[folder]}" and "{entry.name}" would share a folder; compare them one by one.')
        seen[key], folders[folder] = entry.name, entry.name
        if recipe_of is not None:
            entry = replace(entry, composition=_with_recipes_of(entry.composition, composed(recipe_of)))
        entries.append(entry)
    return entries


def _items(methods: str) -> list[str]:
    """The parts between commas that stand in no brackets."""
    if not isinstance(methods, str):
        raise UserError(f"Methods are given by their names, as in simclr,moco, not as {methods!r:.60}.")
    items, depth = [""], 0
    for letter in methods:
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            items.append("")
        else:
            items[-1] += letter
    found = [item.strip() for item in items if item.strip()]
    if not found:
        raise UserError("compare needs at least one method, as in simclr,moco; see `twofold methods`.")
    return found


def _entry(item: str, composed: Callable[[str], Composition]) -> Entry:
    matched = _ITEM.fullmatch(item)
    if matched is None:
        raise UserError(f'"{item}" is not understood: settings stand in brackets, as in moco[temperature=0.1].')
    composition = composed(matched[1].strip())
    options: dict[str, str] = {}
    for setting in filter(None, map(str.strip, (matched[2] or "").split(","))):
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not key or not equals or not value:
            raise UserError(f'"{setting}" in "{item}" needs a name and a value, as in moco[temperature=0.1].')
        if key in options:
            raise UserError(f'"{item}" gives {key} twice.')
        options[key] = value
    settings = ",".join(f"{key}={value}" for key, value in sorted(options.items()))
    return Entry(f"{composition.name}[{settings}]" if settings else composition.name, composition, options)


def _with_recipes_of(composition: Composition, other: Composition) -> Composition:
    """The same method with the other's views and plans; what is not trained has none to change."""
    offered = {}
    for kind, recipes in composition.offered.items():
        others = other.offered.get(kind, {})
        offered[kind] = {
            name: replace(recipe, views=others[name].views, plan=others[name].plan) if recipe.plan else recipe
            for name, recipe in recipes.items()
            if name in others or not recipe.plan
        }
    return replace(composition, offered=offered)
