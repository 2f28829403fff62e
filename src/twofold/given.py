"""Data that a program hands over itself, under a name that goes wherever a path does."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any, ParamSpec, TypeVar

from twofold.errors import UserError

T = TypeVar("T")
P = ParamSpec("P")

PREFIX = "python:"
TAKEN = ("data", "val", "test")  # parameters and options that may be data
_held: dict[str, Any] = {}


def takes_data(verb: Callable[P, T]) -> Callable[P, T]:
    """A verb whose data may be objects: it gets their names."""
    signature = inspect.signature(verb)

    @functools.wraps(verb)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        bound = signature.bind(*args, **kwargs)
        with ExitStack() as block:
            for arguments in (bound.arguments, bound.arguments.get("by_name", {})):
                for what in TAKEN:
                    if arguments.get(what) is not None:
                        arguments[what] = block.enter_context(named(what, arguments[what]))
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
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")) or isinstance(data, bytes | dict):
        raise UserError(
            f"{what} is to be a path, or images that are there already, as a list, an array or a map-style data set, "
            f"not a {type(data).__name__}."
        )
    plain = f"{PREFIX}{type(data).__name__}"
    name = next(name for i in count(1) if (name := plain if i == 1 else f"{plain}-{i}") not in _held)
    _held[name] = data
    try:
        yield name
    finally:
        del _held[name]


def is_given(name: str) -> bool:
    """Whether a name is that of data that were handed over."""
    return name.startswith(PREFIX)


def given(name: str) -> Any:
    """The data of a name. Raises UserError where they are not there any more."""
    if name not in _held:
        raise UserError(f"{name} is data of a program that has ended: hand them over again.")
    return _held[name]


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
