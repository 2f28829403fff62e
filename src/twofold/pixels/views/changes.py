"""Single changes of an augmentation by name: `jitter.p`, `crop.area`, and `local.crop.area` of the small crops."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from twofold.errors import UserError, nearest
from twofold.pixels.views.augmentations import Augmentation, Blur, Crop, Operation, Window, augmentation_named
from twofold.pixels.views.bounds import fitting, typed

LOCAL = "local."
OPERATIONS: dict[str, type] = {
    kind.__name__.lower(): kind for kind in (*get_args(Operation), Window) if dataclasses.fields(kind)
}
SPELLINGS = {"grayscale": "grey", "solarize": "solarise"}  # as torchvision has them


@dataclass(frozen=True)
class Change:
    """A field with another value. name: `jitter.p`. before: the values that it had in the views, each once."""

    name: str
    value: Any
    before: tuple[Any, ...]

    def __str__(self) -> str:
        was = " and ".join(map(typed, self.before))
        return f"{self.name} {typed(self.value)} ({'as it was' if self.before == (self.value,) else f'was {was}'})"


def adjustable(augmentation: Augmentation) -> dict[str, tuple[Any, ...]]:
    """What may be changed, by name, with the values that it has in the views, each once.

    A plain name is about all views that have the operation, but for the crop: where there are small crops, theirs is
    `local.crop`.
    """
    found: dict[str, dict[Any, None]] = {}
    for local, operation in _operations(augmentation):
        for field in _fields(operation):
            for name in _names(operation, field, local):
                value = getattr(operation, field)
                found.setdefault(name, {})[tuple(value) if isinstance(value, list) else value] = None
    return {name: tuple(values) for name, values in found.items()}


def read_changes(augmentation: Augmentation, called: str, options: Mapping[str, Any]) -> list[Change]:
    """The changes that `--views.NAME VALUE` asks for; of an operation alone it is the probability.

    called: the augmentation's name. Raises UserError for a name that changes nothing, and for a value out of bounds.
    """
    known = adjustable(augmentation)
    read: dict[str, Change] = {}
    for given, value in options.items():
        name = _full_name(str(given), known, called)
        operation, field = name.removeprefix(LOCAL).split(".")
        read[name] = Change(name, fitting(f"--views.{given}", OPERATIONS[operation], field, value), known[name])
    return list(read.values())


def changed(augmentation: Augmentation, changes: list[Change]) -> Augmentation:
    """The augmentation with the changes made; those of the small crops alone go over the others."""
    for change in sorted(changes, key=lambda change: change.name.startswith(LOCAL)):
        views = tuple(_changed_view(view, change, local=False) for view in augmentation.views)
        local = _changed_view(augmentation.local, change, local=True)
        augmentation = dataclasses.replace(augmentation, views=views, local=local)
    return augmentation


def listed_of(name: str) -> list[str]:
    """What may be changed in the augmentation of that name, in words."""
    return listed(augmentation_named(name))


def full_options(changes: list[Change]) -> dict[str, Any] | None:
    """The changes under their full names, with values of the right type; None where there are none."""
    return {change.name: change.value for change in changes} or None


def in_words(changes: list[Change]) -> str:
    """The changes as they stand behind an augmentation's name: nothing, or ", changed: ..."."""
    return f", changed: {'; '.join(map(str, changes))}" if changes else ""


def listed(augmentation: Augmentation) -> list[str]:
    """What may be changed, with what it is, in words."""
    known = adjustable(augmentation)
    alone = any(name.startswith(LOCAL) for name in known)
    return [
        *(
            f"{name} {' and '.join(map(typed, values))}"
            for name, values in known.items()
            if not name.startswith(LOCAL) or name.startswith(f"{LOCAL}crop")
        ),
        *([f"any of them with {LOCAL} before it, of the small crops alone"] if alone else []),
    ]


def _operations(augmentation: Augmentation) -> Iterator[tuple[bool, Any]]:
    """Every operation, and whether it is one of the small crops."""
    yield from ((False, operation) for view in augmentation.views for operation in view)
    yield from ((True, operation) for operation in augmentation.local)


def _fields(operation: Any) -> list[str]:
    """The fields that do something in this operation."""
    idle: set[str] = {"area", "ratio"} if isinstance(operation, Window) else set()
    if isinstance(operation, Crop) and operation.side == 1:
        idle.add("side")  # the views of a run are of --image-size
    if isinstance(operation, Blur):
        idle.add("sigma" if operation.factors else "factors")
    return [field.name for field in dataclasses.fields(operation) if field.name not in idle]


def _names(operation: Any, field: str, local: bool) -> list[str]:
    """The names by which a field is changed."""
    name = f"{type(operation).__name__.lower()}.{field}"
    if not local:
        return [name]
    return [f"{LOCAL}{name}"] if isinstance(operation, Crop) else [name, f"{LOCAL}{name}"]


def _changed_view(view: tuple[Operation, ...], change: Change, local: bool) -> tuple[Operation, ...]:
    field = change.name.rpartition(".")[2]
    return tuple(
        dataclasses.replace(operation, **{field: change.value})
        if field in _fields(operation) and change.name in _names(operation, field, local)
        else operation
        for operation in view
    )


def _full_name(given: str, known: Mapping[str, Any], called: str) -> str:
    """`jitter.p` for `jitter`. Raises UserError for what none of the views has."""
    small, own = (LOCAL, given[len(LOCAL) :]) if given.startswith(LOCAL) else ("", given)
    word, _, field = own.partition(".")
    operation = SPELLINGS.get(word, word)
    name = f"{small}{operation}.{field or 'p'}"
    if name in known:
        return name
    there = list(dict.fromkeys(n.rpartition(".")[0] for n in known))
    fields = [n for n in known if n.rpartition(".")[0] == f"{small}{operation}"]
    if fields:
        hint = nearest(f"{small}{operation}.{field}", fields)
        asked = f"no {field}" if field else "no probability"
        raise UserError(f"--views.{given} changes nothing, {operation} has {asked}: it has {_spoken(fields)}.{hint}")
    if operation not in OPERATIONS:
        hint = nearest(given, [*there, *known])
        raise UserError(f"--views.{given} changes nothing: {called} has {_spoken(there)}.{hint}")
    raise UserError(
        f"--views.{given} changes nothing, {called} has no {small}{operation}: it has {_spoken(there)}, and more takes "
        "a recipe of your own."
    )


def _spoken(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
