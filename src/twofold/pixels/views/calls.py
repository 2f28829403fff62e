"""What a user's own code makes of a picture that it is called with, its random numbers set before each call."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from twofold.errors import UserError, clause
from twofold.pixels.views.own import Called
from twofold.randomness import derive

BEYOND = 0.5  # 0..1 by which floats may overshoot, as after a cubic kernel; values that were normalised go further
WANTED = "a view is a Pillow image, an array (S, S, 3) or a tensor (3, S, S), of bytes or of floats in 0..1"


def views_of(called: Called, picture: np.ndarray, count: int, where: str, seed: int, *keys: int | str) -> list[Any]:
    """The views of one picture, uint8 (H, W, 3): arrays (3, side, side) of uint8, or of float32 in 0..1.

    where: its name, for messages. torch's, NumPy's and Python's global generators, and those of albumentations, are set
    from (seed, keys, view) before each call, and stay so. Raises UserError for a callable that fails, and for what is
    no view.
    """
    made: list[Any] = []
    for view in range(count):
        one = called.calls[view % len(called.calls)]
        _set_generators(derive(seed, "own views", *keys, view), one)
        try:
            result = _called_with(one, picture)
        except Exception as error:  # it is the user's own code
            raise UserError(f'{called.name} fails on "{where}" ({type(error).__name__}: {clause(error)}).') from error
        if isinstance(result, list | tuple) and len(called.calls) == 1:
            made = list(result)
            break
        made.append(result)
    return [_checked(one, called.name, where) for one in made]


@contextmanager
def generators_put_back() -> Iterator[None]:
    """The global generators are behind this block what they were before."""
    states = torch.default_generator.get_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.default_generator.set_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


def _set_generators(number: int, one: Callable[..., Any]) -> None:
    """The global generators, and those that albumentations hands to its parts, from a number."""
    torch.default_generator.manual_seed(number)
    np.random.seed(number & 0xFFFFFFFF)
    random.seed(number)
    if hasattr(one, "set_random_state"):
        one.set_random_state(np.random.default_rng(number), random.Random(number))


def _called_with(one: Callable[..., Any], picture: np.ndarray) -> Any:
    """What a callable makes of a picture of its own, which it may change."""
    if any(kind.__module__.partition(".")[0] == "albumentations" for kind in type(one).__mro__):
        return one(image=np.array(picture, order="C"))["image"]
    return one(Image.fromarray(np.ascontiguousarray(picture)))


def _checked(view: Any, name: str, where: str) -> np.ndarray:
    """A view as an array (3, side, side) of uint8, or of float32 in 0..1."""
    if isinstance(view, Image.Image):
        view = np.asarray(view.convert("RGB"))
    if isinstance(view, np.ndarray):
        found = f"an array of {view.dtype} {list(view.shape)}"
        planes = view.transpose(2, 0, 1) if view.ndim == 3 else view
    elif isinstance(view, Tensor):
        found = f"a tensor of {str(view.dtype).removeprefix('torch.')} {list(view.shape)}"
        planes = (view.float() if view.is_floating_point() else view).detach().cpu().numpy()
    else:
        raise UserError(f'{name} gives {type(view).__name__} for "{where}": {WANTED}.')
    known = planes.dtype == np.uint8 or np.issubdtype(planes.dtype, np.floating)
    if planes.ndim != 3 or len(planes) != 3 or planes.shape[1] != planes.shape[2] or not planes.size or not known:
        raise UserError(f'{name} gives {found} for "{where}": {WANTED}.')
    if planes.dtype == np.uint8:
        return np.ascontiguousarray(planes)
    low, high = float(planes.min()), float(planes.max())
    if not (low >= -BEYOND and high <= 1 + BEYOND):
        raise UserError(
            f'{name} gives values from {low:.3g} to {high:.3g} for "{where}": floats lie between 0 and 1, and twofold '
            "normalises them itself, by --statistics."
        )
    return np.ascontiguousarray(planes.clip(0, 1), dtype=np.float32)
