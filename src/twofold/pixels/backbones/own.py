"""The user's own network, by import path."""

from __future__ import annotations

import importlib
import inspect

from torch import Tensor, nn

from twofold.errors import UserError, clause, nearest
from twofold.nets.features import Features
from twofold.pixels.backbones.built import Built, call


def build(path: str, image_size: int) -> Built:
    """`package.module:callable`, called with image_size=... if it accepts that, else with nothing.

    The result must be an nn.Module that maps (B, 3, H, W) to (B, C) or to a map (B, C, h, w).
    """
    module_name, _, attribute = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the module's own code runs here
        raise UserError(
            f'The backbone "{path}" cannot be imported ({clause(error)}): put its folder on PYTHONPATH.'
        ) from error
    make = getattr(module, attribute, None)
    if not callable(make):
        hint = nearest(attribute, dir(module))
        raise UserError(f'The module {module_name} has nothing to call by the name "{attribute}".{hint}')
    settings = {"image_size": image_size} if _takes_image_size(make) else {}
    try:
        network = make(**settings)
    except Exception as error:
        raise UserError(f"Making the backbone {path} failed ({type(error).__name__}: {clause(error)}).") from error
    if not isinstance(network, nn.Module):
        raise UserError(f"{path} must return a torch.nn.Module, not {type(network).__name__}.")
    lines = [f"from {module_name} import {attribute}", call(f"model = {attribute}", **settings)]
    return Built(network, run, "own", path, lines)


def _takes_image_size(make: object) -> bool:
    try:
        parameters = inspect.signature(make).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):  # something built in, which tells nothing
        return False
    return any(p.name == "image_size" or p.kind is p.VAR_KEYWORD for p in parameters)


def run(network: nn.Module, x: Tensor) -> Features:
    """A map is pooled by its mean; a vector has no map."""
    out = network(x)
    if isinstance(out, Tensor) and out.ndim == 4:
        return Features(out, out.mean((2, 3)))
    if isinstance(out, Tensor) and out.ndim == 2:
        return Features(None, out)
    shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
    raise TypeError(f"it returned {shape} where (B, C) or (B, C, h, w) was expected")
