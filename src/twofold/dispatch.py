"""A verb done in the wing that its subject belongs to, with that wing's options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twofold import wings
from twofold.catalog import options as shared
from twofold.catalog.composition import resolve_options
from twofold.errors import UserError
from twofold.given import as_path
from twofold.trackers.named import require


def learn(verb: str, method: str, data: str, options: shared.Pretrain | None, by_name: Mapping[str, Any]) -> Any:
    """Do what a verb means of a method and the data that it learns from; `transform` is another word for `views`."""
    if "transform" in by_name:
        if "views" in by_name:
            raise UserError("Give transform or views, not both: they are two words for the same.")
        by_name = {"views" if name == "transform" else name: value for name, value in by_name.items()}
    composition, data = wings.composed(method), as_path("data", data)
    wing = wings.of_method(composition, data, wings.deciding("kind", options, by_name))
    composition = composition.on(wing.kind)
    found, options = wings.checked(wing, verb, options, by_name, f"{composition.name} learns from {wing.kind}")
    require(options.log)
    resolve_options(composition, options.method_options or {})
    if options.recipe != "auto":
        composition.recipe(options.recipe)
    return found.load()(composition, data, options)


def ask(verb: str, model: str, options: shared.Options | None, by_name: Mapping[str, Any], *more: str) -> Any:
    """Do what a verb means of a model or a run."""
    wing = wings.of_model(model, verb)
    found, options = wings.checked(wing, verb, options, by_name, f"{model} learned from {wing.kind}")
    return found.load()(model, *more, options)
