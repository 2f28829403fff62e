"""What a user brings: what a program hands over itself, under a name that goes wherever a path or a name does; what an
import path names."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any, ParamSpec, TypeVar

from twofold.errors import UserError, clause, nearest

T = TypeVar("T")
P = ParamSpec("P")

PREFIX = "python:"
TAKEN = ("data", "val", "test")  # parameters and options that may be data
VIEWS = ("views", "transform")  # those that may be what makes views
_held: dict[str, Any] = {}


def takes_data(verb: Callable[P, T]) -> Callable[P, T]:
    """A verb whose data, network and views may be objects: it gets their names."""
    signature = inspect.signature(verb)

    @functools.wraps(verb)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        bound = signature.bind(*args, **kwargs)
        with ExitStack() as block:
            for arguments in (bound.arguments, bound.arguments.get("by_name", {})):
                for what in TAKEN:
                    if arguments.get(what) is not None:
                        arguments[what] = block.enter_context(named(what, arguments[what]))
                if is_network(arguments.get("backbone")):
                    arguments["backbone"] = block.enter_context(holding(arguments["backbone"]))
                for what in VIEWS:
                    if not isinstance(arguments.get(what), str | None):
                        arguments[what] = block.enter_context(holding(arguments[what]))
            return verb(*bound.args, **bound.kwargs)

    return call


@contextmanager
def named(what: str, data: Any) -> Iterator[str]:
    """In this block some data have this name: a path its own; what has a length and items, "python:" and its type.

    what: the data are, as a mistake is told. Raises UserError for anything else.
    """
    if isinstance(data, str | os.PathLike):
        yield as_path(what, data)
        return
    if hasattr(data, "iloc") or hasattr(data, "to_pylist"):
        raise UserError(f"{what} is a table ({type(data).__name__}): write it to a parquet file, and give its path.")
    if isinstance(data, dict) and data and all(hasattr(part, "__getitem__") for part in data.values()):
        raise UserError(
            f"{what} is several sets in a {type(data).__name__} ({', '.join(map(str, data))}): give one of them, such "
            f"as {what}[{next(iter(data))!r}]."
        )
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")) or isinstance(data, bytes | dict):
        raise UserError(
            f"{what} is to be a path, or images that are there already, as a list, an array or a map-style data set, "
            f"not a {type(data).__name__}; what can only be gone through is to be written to files first."
        )
    with holding(data) as name:
        yield name


@contextmanager
def holding(thing: Any) -> Iterator[str]:
    """In this block a thing has the name "python:" and its own, as functions have one, or its type; a number behind
    where others have that, too."""
    plain = f"{PREFIX}{getattr(thing, '__name__', type(thing).__name__)}"
    name = next(name for i in count(1) if _held.get(name := plain if i == 1 else f"{plain}-{i}", thing) is thing)
    if name in _held:  # by a block around this one
        yield name
        return
    _held[name] = thing
    try:
        yield name
    finally:
        del _held[name]


def is_network(thing: Any) -> bool:
    """Whether it is a network of torch's; torch is not imported for it."""
    return callable(thing) and hasattr(thing, "state_dict") and hasattr(thing, "parameters")


def is_given(name: str) -> bool:
    """Whether a name is that of something that was handed over."""
    return name.startswith(PREFIX)


def is_held(name: str) -> bool:
    """Whether what has this name is there."""
    return name in _held


def given(name: str) -> Any:
    """What was handed over under a name. Raises UserError where it is not there any more."""
    if name not in _held:
        raise UserError(f"{name} is of a program that has ended, or of a verb that has: hand it over again.")
    return _held[name]


def imported(what: str, path: str) -> Any:
    """What an import path that the user typed names, `package.module:name` or `package.module.name`.

    what: it is, as a mistake is told. Raises UserError where it cannot be imported or is not there.
    """
    module_name, _, attribute = path.partition(":") if ":" in path else path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the module's own code runs here
        raise UserError(
            f'The {what} "{path}" cannot be imported ({clause(error)}): put its folder on PYTHONPATH.'
        ) from error
    if not hasattr(module, attribute):
        hint = nearest(attribute, dir(module))
        raise UserError(f'The module {module_name} has nothing by the name "{attribute}".{hint}')
    return getattr(module, attribute)


def paths_given(name: str) -> list[str]:
    """The paths, where the data of a name are a list of such; else none."""
    things = given(name)
    if not isinstance(things, list | tuple) or not all(isinstance(one, str | os.PathLike) for one in things):
        return []
    return [os.path.expanduser(os.fspath(one)) for one in things]


def as_path(name: str, value: Any) -> str:
    """A path as text, the user's home folder written out. Raises UserError for anything else."""
    if isinstance(value, str | os.PathLike):
        return os.path.expanduser(os.fspath(value))
    shape = f" of shape {tuple(value.shape)}" if hasattr(value, "shape") else ""
    raise UserError(f"{name} is to be a path, not a {type(value).__name__}{shape}: save it to a file first.")
