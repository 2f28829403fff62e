"""From a composition to a method: its parts imported, their settings filled in."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from twofold.catalog.composition import Composition, resolve_options
from twofold.catalog.settings import read_settings, short_name
from twofold.catalog.wing import Recipe
from twofold.errors import UserError, clause
from twofold.memory import WithinMemory
from twofold.seam import Method, Part, Situation


def build(
    composition: Composition,
    learner: object,
    situation: Situation,
    recipe: Recipe,
    options: Mapping[str, Any],
) -> tuple[Any, dict[str, Any]]:
    """The method, and every setting it was built with (`moco.queue`: 4096, ...).

    learner: what it trains or learns from, as the wing has it: a backbone, or a graph.

    A recipe's settings override the defaults, what the base makes of the data (`fit_to`) overrides those, and the
    user's options override all.
    """
    of_recipe, of_user = resolve_options(composition, recipe.method), resolve_options(composition, options)
    paths = {short_name(path): path for path in (composition.base, *composition.additions)}
    chosen: dict[str, dict[str, Any]] = {}
    for part, path in paths.items():
        defaults = {s.name: s.default for s in read_settings(path)}
        chosen[part] = {**defaults, **of_recipe[part]}
        chosen[part] |= load(path).fit_to(situation, chosen[part])
        chosen[part] |= of_user[part]
    base, *rest = paths
    try:
        with WithinMemory(composition.name, f"give a smaller {_largest(chosen)}"):
            additions = [load(paths[part])(**chosen[part]) for part in rest]
            method = load(paths[base])(learner, **chosen[base], **({"additions": additions} if additions else {}))
    except (TypeError, ValueError) as error:
        raise UserError(f'"{composition.name}" cannot be built with these settings ({clause(error)}).') from error
    if composition.trained and (lacking := missing_from(method)):
        advice = "define what the loop needs of a method (see twofold.seam.Method)"
        raise UserError(f'"{composition.name}" lacks {", ".join(lacking)}: {advice}.')
    method.check(situation)
    return method, {f"{part}.{name}": value for part, values in chosen.items() for name, value in values.items()}


def _largest(chosen: Mapping[str, Mapping[str, Any]]) -> str:
    """The largest setting, in words; what takes too much memory follows from it."""
    numbers = [(v, f"{part}.{k}") for part, values in chosen.items() for k, v in values.items() if type(v) is int]
    value, name = max(numbers, default=(0, "network"))
    return f"{name} (it is {value:,})" if value else name


def load(path: str) -> Any:
    """The class of an import path `module:Class`.

    Raises UserError where it cannot be imported, or lacks what every part must have.
    """
    module, _, attribute = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f'"{module}.{attribute}" cannot be imported ({clause(error)}).') from error
    lacking = [name for name in ("fit_to", "check") if not hasattr(found, name)]
    if lacking:
        raise UserError(f'"{module}.{attribute}" lacks {" and ".join(lacking)}: inherit from Method or Addition.')
    return found


def missing_from(method: object) -> list[str]:
    """The members of `Method` that an object lacks: what a user's own class must still define."""
    members = {*Method.__annotations__, *vars(Method), *vars(Part)}
    return sorted(name for name in members if not name.startswith("_") and not hasattr(method, name))
