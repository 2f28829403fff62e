"""The wings there are, and which of them a method, some data or a run belongs to. A new wing is one line here."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from twofold.catalog import options as shared
from twofold.catalog.composition import Addition, Catalog, Composition, compose
from twofold.catalog.wing import System, Verb, Wing, load
from twofold.errors import UserError, nearest
from twofold.methods.systems import ADDITIONS, SYSTEMS

WINGS: tuple[Wing, ...] = tuple(
    load(f"twofold.{kind}.wing:WING") for kind in ("images", "videos", "interactions", "control")
)


def catalog() -> Catalog:
    """Everything that has a name, of all wings."""
    systems: dict[str, System] = dict(SYSTEMS)
    recipes = {name: {w.kind: w.recipes[name] for w in WINGS if name in w.recipes} for name in SYSTEMS}
    additions = dict(ADDITIONS)
    for wing in WINGS:
        systems |= wing.systems
        recipes |= {name: {wing.kind: system.recipes} for name, system in wing.systems.items()}
        additions |= {name: Addition(path, (wing.kind,)) for name, path in wing.additions.items()}
        for name in wing.recipes.keys() - SYSTEMS.keys():
            raise LookupError(f"{wing.kind} has recipes for {name}, which is not entered in methods/systems.py.")
    for name in (name for name in systems if not recipes[name]):
        raise LookupError(f"{name} has no recipes: give it some in systems.py of each wing in which it learns.")
    return Catalog(systems, recipes, additions)


def composed(method: str) -> Composition:
    """What a method's name stands for; see `catalog.composition.compose`."""
    if not isinstance(method, str):
        raise UserError(f"A method is given by its name, such as moco, not as {method!r:.60}.")
    return compose(method, catalog())


def of_kind(kind: str) -> Wing:
    """The wing of a kind of data. Raises UserError where there is none."""
    found = next((wing for wing in WINGS if wing.kind == kind), None)
    if found is None:
        kinds = [wing.kind for wing in WINGS]
        raise UserError(f'There is no kind of data "{kind}".{nearest(kind, kinds)} Kinds: {", ".join(kinds)}.')
    return found


def of_method(composition: Composition, data: str, kind: str | None = None) -> Wing:
    """The wing in which a method learns from some data: the method's own, or by a look at the data, or as said."""
    if kind is None:
        return _recognising(data, composition.kinds)
    wing = of_kind(kind)
    composition.on(kind)  # refuses what the method cannot learn from
    return wing


def of_methods(compositions: Sequence[Composition], data: str, kind: str | None = None) -> Wing:
    """The wing in which all of these methods learn from some data; that of the first where no kind suits all."""
    first, *others = compositions
    shared = tuple(known for known in first.kinds if all(known in other.kinds for other in others))
    return of_method(replace(first, kinds=shared or first.kinds), data, kind)


def of_data(data: str, kind: str | None = None) -> Wing:
    """The wing that some data belongs to, by a look at it, or as said."""
    return of_kind(kind) if kind is not None else _recognising(data, tuple(wing.kind for wing in WINGS))


def _recognising(data: str, kinds: tuple[str, ...]) -> Wing:
    if len(kinds) == 1:
        return of_kind(kinds[0])
    found = [kind for kind in kinds if of_kind(kind).recognises(data)]
    if len(found) != 1:
        others = [wing.kind for wing in WINGS if wing.kind not in kinds and wing.recognises(data)]
        seen = f"like {' or '.join(others)}, not like" if others else "like none of"
        what = f"may be {' or '.join(found)}" if found else f"looks {seen} {', '.join(kinds)}"
        raise UserError(f"{data} {what}: say which by --kind.")
    return of_kind(found[0])


def of_run(folder: str) -> Wing | None:
    """The wing whose method a run folder holds, by its config.yaml; None where there is none.

    Folders of before kinds were written tell it by their method. What they name is neither imported nor looked up.
    Raises UserError where config.yaml cannot be read or names no known method.
    """
    file = Path(folder) / "config.yaml"
    if not os.path.isfile(file):
        return None
    from twofold.runs.config import read_settings  # opens YAML

    config = read_settings(file)
    kinds = [wing.kind for wing in WINGS]
    if "kind" in config and config["kind"] in kinds:
        return of_kind(config["kind"])
    try:
        return of_kind(composed(str(config["method"])).kinds[0])
    except (KeyError, UserError):
        named = ", ".join(f"{key}: {config[key]!r:.60}" for key in ("kind", "method") if key in config) or "neither"
        raise UserError(f"{file} names no known kind of data and no known method ({named}): restore it.") from None


def sections_of(folder: str) -> Any:
    """What a run folder's wing gives to the page, a `page.Sections`; the first wing's where it cannot be told."""
    return load((of_run(folder) or WINGS[0]).sections)


def of_model(model: str, verb: str) -> Wing:
    """The wing of a model: a run folder's, or the one that knows such a file or name.

    What is neither is left to the first wing that has the verb, which says so.
    """
    found = of_run(model) or next((wing for wing in WINGS if wing.opens(model)), None)
    return found or next(wing for wing in WINGS if verb in wing.verbs)


def verb_of(wing: Wing, verb: str, of: str) -> Verb:
    """What a verb means in a wing; `of`: what it is asked about, as "moco learns from images".

    Raises UserError where the wing lacks the verb, naming those that have it.
    """
    if verb not in wing.verbs:
        able = " and ".join(other.kind for other in WINGS if verb in other.verbs)
        raise UserError(f"{verb} is for {able}, and {of}.")
    return wing.verbs[verb]


def checked(
    wing: Wing, verb: str, options: shared.Options | None, by_name: Mapping[str, Any], of: str
) -> tuple[Verb, Any]:
    """A verb in a wing, and its options as a record that has checked itself.

    options, by_name: as they were given, a record or names with values. Raises UserError where the wing lacks the verb,
    or an option is another wing's, unknown or out of bounds.
    """
    found = verb_of(wing, verb, of)
    if options is None:
        return found, shared.read(found.options, by_name, verb, _owners(wing, verb), of)
    wanted = f"twofold.{wing.kind}.{found.options.__name__}"
    if not isinstance(options, shared.Options):
        raise UserError(f"{verb} takes options by name, as epochs=100, or as a {wanted}, not {options!r}.")
    if by_name:
        raise UserError(f"Give {verb} its options as one record or by name, not both.")
    if not isinstance(options, found.options):
        kind = type(options).__module__.removesuffix(".options")
        raise UserError(f"{verb} takes a {wanted}, not a {kind}.{type(options).__name__}: {of}.")
    return found, options


def _owners(wing: Wing, verb: str) -> dict[str, str]:
    """The options of a verb that other wings have, and which wings."""
    owners: dict[str, list[str]] = {}
    for other in WINGS:
        if other is not wing and verb in other.verbs:
            for name in other.verbs[verb].options.names():
                owners.setdefault(name, []).append(other.kind)
    return {name: " and ".join(kinds) for name, kinds in owners.items()}


def deciding(name: str, options: object, by_name: Mapping[str, Any]) -> Any:
    """An option that decides which wing is asked, before the options are read."""
    return by_name.get(name) if options is None else getattr(options, name, None)
