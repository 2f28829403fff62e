"""From a method's name to a method: what `moco+co2` stands for, which settings it takes, and how it is built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from twofold.catalog.settings import Setting, convert, read_settings, short_name, takes
from twofold.catalog.wing import Recipe, System
from twofold.errors import UserError, nearest

USUAL_BASE = "moco"  # whose recipes someone's own base takes


@dataclass(frozen=True)
class Addition:
    """One addition of the catalog: its import path, and the kinds of data it needs; any where None."""

    path: str
    kinds: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Catalog:
    """Everything that has a name. recipes: by system, kind of data and name."""

    systems: Mapping[str, System]
    recipes: Mapping[str, Mapping[str, Mapping[str, Recipe]]]
    additions: Mapping[str, Addition]


@dataclass(frozen=True)
class Composition:
    """A method as the user named it: import paths `module:Class` of base and additions.

    kinds: the data that it can learn from. offered: the base's recipes, by kind and name. kind: that of the data at
    hand, and recipes: those for it, once `on` has said which. reconstruction: a part of it is one.
    """

    name: str
    base: str
    additions: tuple[str, ...]
    kinds: tuple[str, ...]
    offered: Mapping[str, Mapping[str, Recipe]]
    zero_init_residual: bool = False
    reconstruction: bool = False
    kind: str = ""
    recipes: Mapping[str, Recipe] = field(default_factory=dict)

    def on(self, kind: str) -> Composition:
        """The same, to learn from a kind of data. Raises UserError where it cannot."""
        if kind not in self.kinds:
            raise UserError(f"{self.name} learns from {' or '.join(self.kinds)}, not from {kind}.")
        return replace(self, kind=kind, recipes=self.offered[kind])

    def settings(self) -> dict[str, list[Setting]]:
        """The settings of every part, by the part's short name."""
        return {short_name(path): read_settings(path) for path in (self.base, *self.additions)}

    @property
    def imports(self) -> tuple[str, ...]:
        """The parts that are somebody's own, by import path: they run code, so only a user who types them may ask."""
        return tuple(part for part in self.name.split("+") if "." in part)

    @property
    def title(self) -> str:
        """The name as it is shown, with a word where a part is a reconstruction."""
        return f"{self.name} (a reconstruction)" if self.reconstruction else self.name

    @property
    def trained(self) -> bool:
        """Whether there is anything to train; no recipe of a formula over the data has a plan."""
        return any(recipe.plan for recipe in self.recipes.values())

    def recipe(self, name: str) -> Recipe:
        """The base's recipe of this name. Raises UserError where there is none."""
        if name not in self.recipes:
            raise UserError(f"{self.name} has no recipe {name}; it has {', '.join(self.recipes)}.")
        return self.recipes[name]


def compose(name: str, catalog: Catalog) -> Composition:
    """What `moco`, `moco+co2` or `moco+mypackage.MyIdea` stands for; reads no code but the parts' source text.

    Raises UserError where a part is unknown, an addition comes twice, or no kind of data suits all parts.
    """
    first, *rest = name.split("+")
    system, offered = _base(first, catalog)
    kinds, additions = tuple(offered), system.additions
    if rest and first in catalog.systems and not takes(system.base, "additions"):
        raise UserError(f"{first} learns from {' or '.join(kinds)} and takes no additions.")
    for part in rest:
        known = _addition(part, catalog)
        additions += (known.path,)
        kinds = tuple(kind for kind in kinds if known.kinds is None or kind in known.kinds)
        if not kinds:
            raise UserError(f"{first} learns from {' or '.join(offered)} and does not take {part}.")
    if len(set(additions)) < len(additions):
        raise UserError(f'"{name}" lays the same addition over the base twice.')
    reconstruction = is_reconstruction(name, catalog.systems)
    return Composition(name, system.base, additions, kinds, offered, system.zero_init_residual, reconstruction)


def _plans_alone(recipes: Mapping[str, Recipe]) -> dict[str, Recipe]:
    """The views and plans of recipes alone: someone's own class has settings of its own."""
    return {name: replace(recipe, method={}) for name, recipe in recipes.items()}


def is_reconstruction(name: str, systems: Mapping[str, System]) -> bool:
    """Whether a part of `moco+tkc` or `moco+tkc[teachers=3]` is the reconstruction of a paper without code."""
    return any(part in systems and systems[part].reconstruction for part in re.split(r"[+\[]", name))


def _base(name: str, catalog: Catalog) -> tuple[System, Mapping[str, Mapping[str, Recipe]]]:
    systems, additions = catalog.systems, catalog.additions
    if name in systems:
        return systems[name], catalog.recipes[name]
    if "." in name and USUAL_BASE in systems:
        recipes = {kind: _plans_alone(known) for kind, known in catalog.recipes[USUAL_BASE].items()}
        return replace(systems[USUAL_BASE], base=_path(name), additions=()), recipes
    if name in additions:
        raise UserError(f'"{name}" is an addition: lay it over a base, as in moco+{name}.')
    known = ", ".join(systems)
    raise UserError(f'There is no method "{name}".{nearest(name, systems)} Known: {known}; see `twofold methods`.')


def _addition(name: str, catalog: Catalog) -> Addition:
    systems, additions = catalog.systems, catalog.additions
    if name in additions:
        return additions[name]
    if "." in name:
        return Addition(_path(name))
    hint = " It is a base: put it first." if name in systems else nearest(name, additions)
    raise UserError(f'There is no addition "{name}".{hint} Known additions: {", ".join(additions)}.')


def resolve_options(composition: Composition, options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The options of `--method.NAME VALUE`, checked and sorted by part: {"moco": {...}, "co2": {...}}.

    A plain name belongs to the base where the base has it, else to the one addition that does; `co2.temperature` names
    the part. Text is read as the setting's type. Raises UserError with the nearest name, or the type that is wanted.
    """
    parts = composition.settings()
    base = next(iter(parts))
    resolved: dict[str, dict[str, Any]] = {part: {} for part in parts}
    for key, value in options.items():
        part, _, name = key.rpartition(".")
        holders = [part] if part else [p for p, known in parts.items() if name in {s.name for s in known}]
        if part and part not in parts:
            raise UserError(
                f'"{composition.name}" has no part "{part}".{nearest(part, parts)} Parts: {", ".join(parts)}.'
            )
        names = {s.name: s for p in (holders or parts) for s in parts[p]}
        if name not in names:
            known_names = ", ".join(sorted(names)) or "none"
            raise UserError(
                f'"{composition.name}" has no setting "{name}".{nearest(name, names)} Its settings: {known_names}.'
            )
        if base not in holders and len(holders) > 1:
            raise UserError(f'Which "{name}"? Say one of {", ".join(f"--method.{p}.{name}" for p in holders)}.')
        holder = base if base in holders else holders[0]
        setting = next(s for s in parts[holder] if s.name == name)
        resolved[holder][name] = convert(f"--method.{key}", value, setting.type)
    return resolved


def _path(dotted: str) -> str:
    module, _, name = dotted.rpartition(".")
    return f"{module}:{name}"
