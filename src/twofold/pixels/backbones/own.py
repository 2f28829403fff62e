"""The user's own network, by import path, or as a program hands it over."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from functools import partial

from torch import Tensor, nn

from twofold.errors import UserError, clause
from twofold.given import given, imported, is_given
from twofold.nets.features import Features, features_of
from twofold.pixels.backbones.built import Built, call


def build(path: str, sizes: Mapping[str, int], axes: str = "h, w") -> Built:
    """`package.module:callable`, called with those of `sizes` (of its input, by name) that it accepts; or the name of a
    network that was handed over, of which a copy is taken.

    The result must be an nn.Module that maps a batch to (B, C), to a map (B, C, *axes), or to `Features`.
    """
    if is_given(path):
        network = copy.deepcopy(given(path))
        lines = [f"model = ...  # your own {type(network).__name__}"]
        return Built(network, partial(run, axes), "own", path, lines)
    module_name, _, attribute = path.partition(":")
    make = imported("backbone", path)
    if not callable(make):
        raise UserError(f"{path} is nothing to call, but a {type(make).__name__}: name what makes the network.")
    settings = {name: size for name, size in sizes.items() if _takes(make, name)}
    try:
        network = make(**settings)
    except Exception as error:
        raise UserError(f"Making the backbone {path} failed ({type(error).__name__}: {clause(error)}).") from error
    if not isinstance(network, nn.Module):
        raise UserError(f"{path} must return a torch.nn.Module, not {type(network).__name__}.")
    lines = [f"from {module_name} import {attribute}", call(f"model = {attribute}", **settings)]
    return Built(network, partial(run, axes), "own", path, lines)


def _takes(make: object, name: str) -> bool:
    try:
        parameters = inspect.signature(make).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):  # something built in, which tells nothing
        return False
    return any(p.name == name or p.kind is p.VAR_KEYWORD for p in parameters)


def run(axes: str, network: nn.Module, x: Tensor) -> Features:
    """A map (B, C, *axes) is pooled by its mean; a vector has no map."""
    out = network(x)
    if isinstance(out, Tensor) and out.ndim not in (2, 2 + len(axes.split(","))):
        raise TypeError(f"it returned {tuple(out.shape)} where (B, C) or (B, C, {axes}) was expected")
    return features_of(out)
