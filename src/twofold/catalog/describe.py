"""Methods in words: the list, and one method with its settings."""

from __future__ import annotations

import textwrap
import typing

from twofold.catalog import ADDITIONS, SYSTEMS, reconstructed
from twofold.catalog.composition import compose
from twofold.catalog.settings import read_description, short_name

_WIDTH = 110


def describe_all() -> str:
    """Every system of the catalog with paper, kind of data and verification, and the additions."""
    lines = []
    for name, system in SYSTEMS.items():
        lines.append(f"{name:16} {system.title} ({system.kind})")
        lines += textwrap.wrap(system.paper, _WIDTH, initial_indent=" " * 17, subsequent_indent=" " * 17)
        lines += textwrap.wrap(
            f"verified: {system.verified}", _WIDTH, initial_indent=" " * 17, subsequent_indent=" " * 17
        )
    additions = ", ".join(f"+{name}{reconstructed(name)}" for name in ADDITIONS)
    lines += ["", f"Additions, laid over a base: {additions} (as in moco+co2); your own: moco+mypackage.MyIdea."]
    lines.append("Settings of one: twofold methods moco+co2")
    return "\n".join(lines)


def describe_one(name: str) -> str:
    """A method's parts, each with its description and settings, and the recipes."""
    composition = compose(name)
    lines = []
    for path in (composition.base, *composition.additions):
        lines += [f"{path.partition(':')[2]}", textwrap.indent(read_description(path), "  "), ""]
    lines.append("Settings (--method.NAME VALUE):")
    for part, settings in composition.settings().items():
        for setting in settings:
            kind = str(setting.type).replace("typing.", "")
            kind = kind if typing.get_origin(setting.type) else getattr(setting.type, "__name__", kind)
            lines.append(f"  {part}.{setting.name:22} {setting.default!s:10} {kind}")
    for recipe_name, recipe in composition.recipes.items():
        values = {**recipe.plan, **recipe.method, "views": recipe.views}
        lines += ["", f"Recipe {recipe_name} ({recipe.source}):"]
        lines += textwrap.wrap(
            ", ".join(f"{k} {v}" for k, v in values.items()), _WIDTH, initial_indent="  ", subsequent_indent="  "
        )
    first, data = short_name(composition.base), "photos/" if composition.kind == "images" else "plays.csv"
    return "\n".join([*lines, "", f"Try: twofold pretrain {name} {data}   ({first} is the base)"])
