"""From a method's name to a method: what `moco+co2` stands for, which settings it takes, and how it is built."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from twofold.catalog import ADDITIONS, SYSTEMS, Recipe, trained
from twofold.catalog.settings import Setting, convert, read_settings, short_name
from twofold.errors import UserError, nearest

if TYPE_CHECKING:
    from torch import nn

    from twofold.seam import Situation


@dataclass(frozen=True)
class Composition:
    """A method as the user named it: import paths `module:Class` of base and additions, and the base's recipes."""

    name: str
    kind: str
    base: str
    additions: tuple[str, ...]
    recipes: Mapping[str, Recipe]
    zero_init_residual: bool = False

    def settings(self) -> dict[str, list[Setting]]:
        """The settings of every part, by the part's short name."""
        return {short_name(path): read_settings(path) for path in (self.base, *self.additions)}

    @property
    def trained(self) -> bool:
        """Whether there is anything to train."""
        return trained(self.recipes)

    def recipe(self, name: str) -> Recipe:
        """The base's recipe of this name. Raises UserError where there is none."""
        if name not in self.recipes:
            raise UserError(f"{self.name} has no recipe {name}; it has {', '.join(self.recipes)}.")
        return self.recipes[name]


def compose(name: str) -> Composition:
    """What `moco`, `moco+co2` or `moco+mypackage.MyIdea` stands for; reads no code but the parts' source text.

    Raises UserError where a part is unknown or an addition comes twice.
    """
    first, *rest = name.split("+")
    if first in SYSTEMS:
        system = SYSTEMS[first]
    elif "." in first:
        system = replace(SYSTEMS["moco"], base=_path(first))
    elif first in ADDITIONS:
        raise UserError(f'"{first}" is an addition: lay it over a base, as in moco+{first}.')
    else:
        known = ", ".join(SYSTEMS)
        raise UserError(
            f'There is no method "{first}".{nearest(first, SYSTEMS)} Known: {known}; see `twofold methods`.'
        )
    additions = system.additions
    if rest and system.kind != "images":
        raise UserError(f"{first} learns from {system.kind} and takes no additions.")
    for part in rest:
        if part not in ADDITIONS and "." not in part:
            hint = " It is a base: put it first." if part in SYSTEMS else nearest(part, ADDITIONS)
            raise UserError(f'There is no addition "{part}".{hint} Known additions: {", ".join(ADDITIONS)}.')
        additions += (ADDITIONS.get(part) or _path(part),)
    if len(set(additions)) < len(additions):
        raise UserError(f'"{name}" lays the same addition over the base twice.')
    return Composition(name, system.kind, system.base, additions, system.recipes, system.zero_init_residual)


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


def build(
    composition: Composition,
    backbone: nn.Module,
    situation: Situation,
    recipe: Recipe,
    options: Mapping[str, Any],
) -> tuple[Any, dict[str, Any]]:
    """The method, and every setting it was built with (`moco.queue`: 4096, ...).

    A recipe's settings go over the defaults, what the base makes of the data (`fit_to`) over those, the user's options
    over all.
    """
    recipes, given = resolve_options(composition, recipe.method), resolve_options(composition, options)
    paths = {short_name(path): path for path in (composition.base, *composition.additions)}
    chosen: dict[str, dict[str, Any]] = {}
    for part, path in paths.items():
        defaults = {s.name: s.default for s in read_settings(path)}
        chosen[part] = {**defaults, **recipes[part]}
        fit_to = getattr(load(path), "fit_to", None)
        if fit_to is not None:
            chosen[part] |= fit_to(situation, chosen[part])
        chosen[part] |= given[part]
    base, *rest = paths
    additions = [load(paths[part])(**chosen[part]) for part in rest]
    try:
        method = load(paths[base])(backbone, **chosen[base], **({"additions": additions} if additions else {}))
    except (TypeError, ValueError) as error:
        raise UserError(f'"{composition.name}" cannot be built with these settings: {error}.') from error
    check = getattr(method, "check", None)
    if check is not None:
        check(situation)
    return method, {f"{part}.{name}": value for part, values in chosen.items() for name, value in values.items()}


def load(path: str) -> Any:
    """The class of an import path `module:Class`."""
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f'"{module}.{attribute}" cannot be imported: {error}.') from error


def _path(dotted: str) -> str:
    module, _, name = dotted.rpartition(".")
    return f"{module}:{name}"
