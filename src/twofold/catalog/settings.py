"""What may be set, read from source text: the settings of a class with their meanings, and text turned into types."""

from __future__ import annotations

import ast
import importlib.util
import itertools
import os
import re
import sys
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from twofold.errors import UserError, nearest

YES, NO = ("true", "yes", "on"), ("false", "no", "off")
# Options that hold settings by name, and what is typed before each: --method.NAME VALUE.
BY_NAME = {"method_options": "method", "view_options": "views"}

# Settings that earlier versions lacked, each with the value at which a method does what it did there: runs of those
# versions go on.
LATER = {
    "moco.mask_unfilled": False,
    "densecl.feature_stage": 0,
    "dsc.feature_stage": 0,
    "scrl.feature_stage": 0,
    "lightgcn.lazy": False,
}


@dataclass(frozen=True)
class Setting:
    """Something that may be set: its name, type, default, and its meaning in a sentence."""

    name: str
    type: Any
    default: Any
    meaning: str = ""


def short_name(path: str) -> str:
    """How a part is called in front of its settings: `co2` for `twofold.methods.co2:CO2`."""
    return path.partition(":")[2].lower()


def read_settings(path: str) -> list[Setting]:
    """The keyword settings of a class's constructor, from its source text: importing it would cost seconds of torch."""
    node = _class_node(path)
    constructor = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    if constructor is None:
        return []
    meanings = arguments(ast.get_docstring(node) or "")
    declared = constructor.args
    pairs = list(zip(declared.kwonlyargs, declared.kw_defaults, strict=True))
    if declared.defaults:
        pairs += list(zip(declared.args[-len(declared.defaults) :], declared.defaults, strict=True))
    return [
        Setting(argument.arg, _type_of(argument.annotation), _literal(default), meanings.get(argument.arg, ""))
        for argument, default in pairs
        if argument.arg != "additions"
    ]


def takes(path: str, argument: str) -> bool:
    """Whether a class's constructor has such a keyword; one that it inherits may have it."""
    body = _class_node(path).body
    constructor = next((n for n in body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    if constructor is None or constructor.args.kwarg is not None:
        return True
    return argument in {a.arg for a in (*constructor.args.args, *constructor.args.kwonlyargs)}


def read_description(path: str) -> str:
    """The docstring of a class without its settings, from its source text."""
    return (ast.get_docstring(_class_node(path)) or "").partition("\n\nArgs:")[0]


def read_meanings(cls: type) -> dict[str, str]:
    """The string under each field of a class and of those it inherits from, by name."""
    meanings: dict[str, str] = {}
    for ancestor in reversed(cls.__mro__):
        file = getattr(sys.modules.get(ancestor.__module__), "__file__", None)
        if file and ancestor.__module__ != "builtins":
            meanings |= dict(_strings_under_fields(_classes(file).get(ancestor.__name__)))
    return meanings


def _strings_under_fields(node: ast.ClassDef | None) -> Iterator[tuple[str, str]]:
    body = node.body if node else []
    for declared, below in itertools.pairwise(body):
        if not isinstance(declared, ast.AnnAssign) or not isinstance(declared.target, ast.Name):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            yield declared.target.id, " ".join(below.value.value.split())


def arguments(docstring: str) -> dict[str, str]:
    """The entries of a docstring's `Args:` block, each as one line."""
    block = docstring.partition("\n\nArgs:\n")[2].split("\n\n")[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", block, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def _class_node(path: str) -> ast.ClassDef:
    module, _, name = path.partition(":")
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:
        spec = None
    if spec is None or not spec.origin:
        raise UserError(
            f'There is no module "{module}" (wanted for "{name}"): install it, or put its folder on PYTHONPATH.'
        )
    classes = _classes(spec.origin)
    if name not in classes:
        raise UserError(f'The module "{module}" defines no class "{name}".{nearest(name, classes)}')
    return classes[name]


@lru_cache(maxsize=64)
def _classes(file: str) -> dict[str, ast.ClassDef]:
    """The classes that a file of source text defines, by name."""
    with open(file, encoding="utf-8") as source:
        tree = ast.parse(source.read())
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


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


def convert(name: str, value: Any, wanted: Any) -> Any:
    """Text or a YAML value as the wanted type: int, float, bool, str, None, a Literal, a list, a mapping, or a union.

    Raises UserError that names what was to be set and what it takes.
    """
    kinds = typing.get_args(wanted) if is_union(wanted) else (wanted,)
    for kind in kinds:
        fits, converted = _as(value, kind)
        if fits and isinstance(converted, int) and not -(2**63) <= converted < 2**63:
            raise UserError(f"{name} takes a whole number of at most 64 bits, not {value!s:.30}.")
        if fits:
            return converted
    raise UserError(f"{name} takes {' or '.join(map(in_words, kinds))}, not {value!r:.200}.")


def is_union(kind: Any) -> bool:
    """Whether a type is a union of others."""
    return typing.get_origin(kind) in (typing.Union, types.UnionType)


def _as(value: Any, kind: Any) -> tuple[bool, Any]:
    origin, text = typing.get_origin(kind), str(value).lower()
    if origin is typing.Literal:
        return value in typing.get_args(kind), value
    if origin is list:
        return _as_list(value, typing.get_args(kind)[0])
    if origin is dict:
        return isinstance(value, dict), value
    if kind is type(None):
        return value is None or text in ("none", "null"), None
    if kind is bool:
        return text in (*YES, *NO), text in YES
    if kind in (int, float):
        return _as_number(value, kind)
    if kind is str and isinstance(value, os.PathLike):
        return True, os.fspath(value)
    return kind is Any or isinstance(value, str), value


def _as_number(value: Any, kind: Any) -> tuple[bool, Any]:
    if isinstance(value, bool):
        return False, None
    if kind is int and (isinstance(value, int) or re.fullmatch(r"\s*[+-]?[0-9]{1,99}\s*", str(value))):
        return True, int(value)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return False, None
    fits = kind is float or number.is_integer()
    return fits, kind(number) if fits else None


def _as_list(value: Any, kind: Any) -> tuple[bool, Any]:
    """A list from a list, or from text with commas between, in brackets or not."""
    if isinstance(value, str):
        if value.lower() in ("none", "null"):
            return False, None
        value = [part.strip() for part in value.strip("[] ").split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        return False, None
    found = [_as(part, kind) for part in value]
    return all(fits for fits, _ in found), [converted for _, converted in found]


def in_words(kind: Any) -> str:
    """A type as a person says it."""
    if typing.get_origin(kind) is typing.Literal:
        words = ", ".join(map(str, typing.get_args(kind)))
        return f"one of {words}" if len(typing.get_args(kind)) > 1 else words
    if typing.get_origin(kind) is list:
        return "numbers with commas between" if typing.get_args(kind)[0] is not str else "words with commas between"
    if typing.get_origin(kind) is dict:
        return "names with values"
    return {int: "a whole number", float: "a number", bool: "true or false", type(None): "none"}.get(kind, "text")
