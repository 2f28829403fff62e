"""The settings of a class, read from its source text, and text turned into their types."""

from __future__ import annotations

import ast
import importlib.util
import types
import typing
from dataclasses import dataclass
from typing import Any

from twofold.errors import UserError, nearest


@dataclass(frozen=True)
class Setting:
    """One keyword of a constructor: its name, type and default."""

    name: str
    type: Any
    default: Any


def short_name(path: str) -> str:
    """How a part is called in front of its settings: `co2` for `twofold.methods.co2:CO2`."""
    return path.partition(":")[2].lower()


def read_settings(path: str) -> list[Setting]:
    """The keyword settings of a class's constructor, from its source text: importing it would cost seconds of torch."""
    body = _class_node(path).body
    constructor = next((n for n in body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    if constructor is None:
        return []
    given = constructor.args
    pairs = list(zip(given.kwonlyargs, given.kw_defaults, strict=True))
    if given.defaults:
        pairs += list(zip(given.args[-len(given.defaults) :], given.defaults, strict=True))
    return [
        Setting(argument.arg, _type_of(argument.annotation), _literal(default))
        for argument, default in pairs
        if argument.arg != "additions"
    ]


def read_description(path: str) -> str:
    """The docstring of a class, from its source text."""
    return ast.get_docstring(_class_node(path)) or ""


def _class_node(path: str) -> ast.ClassDef:
    module, _, name = path.partition(":")
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:
        spec = None
    if spec is None or not spec.origin:
        raise UserError(f'There is no module "{module}" (wanted for "{name}"); is it installed, or on PYTHONPATH?')
    with open(spec.origin, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    raise UserError(f'The module "{module}" defines no class "{name}".{nearest(name, classes)}')


def _type_of(annotation: ast.expr | None) -> Any:
    if annotation is None:
        return Any
    try:
        return eval(compile(ast.Expression(annotation), "<annotation>", "eval"), dict(vars(typing)))
    except (NameError, TypeError):
        return Any


def _literal(default: ast.expr | None) -> Any:
    try:
        return None if default is None else ast.literal_eval(default)
    except ValueError:
        return None


def convert(option: str, value: Any, wanted: Any) -> Any:
    """Text or a YAML value as the wanted type: int, float, bool, str, None, a Literal, or a union of these.

    Raises UserError that names the option and what it takes.
    """
    union = typing.get_origin(wanted) in (typing.Union, types.UnionType)
    kinds = typing.get_args(wanted) if union else (wanted,)
    for kind in kinds:
        found, converted = _as(value, kind)
        if found:
            return converted
    raise UserError(f"{option} takes {' or '.join(map(_called, kinds))}, not {value!r}.")


def _as(value: Any, kind: Any) -> tuple[bool, Any]:
    text = str(value).lower()
    if typing.get_origin(kind) is typing.Literal:
        return value in typing.get_args(kind), value
    if kind is type(None):
        return value is None or text in ("none", "null"), None
    if kind is bool:
        return text in ("true", "false"), text == "true"
    if kind in (int, float):
        try:
            number = float(value)
        except (TypeError, ValueError):
            return False, None
        fits = not isinstance(value, bool) and (kind is float or number.is_integer())
        return fits, kind(number) if fits else None
    return kind is Any or isinstance(value, str), value


def _called(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {', '.join(map(str, typing.get_args(kind)))}"
    return {int: "a whole number", float: "a number", bool: "true or false", type(None): "none"}.get(kind, "text")
