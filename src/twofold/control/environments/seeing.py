"""How an environment of gymnasium is seen: the picture among its observations, what it draws, or its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from twofold.control.environments.specification import OWN, Specification
from twofold.control.pictures import channels_last, grey, planes, resize
from twofold.errors import UserError

Frame = NDArray[np.generic]


@dataclass(frozen=True)
class Sight:
    """space: of what is seen. leaf: the part of a Dict of observations that counts; None of plain ones, and of vectors.
    drawn: it is no observation, but what the environment draws."""

    spec: Specification
    space: Any
    leaf: str | None
    drawn: bool

    def picture(self, seen: Any) -> NDArray[np.uint8]:
        """What is seen as uint8 (C, H, W), the caller's own.

        Drawings are large, and shrink by means over areas, so that thin things stay; other pictures as in Atari.
        """
        pixels = np.asarray(seen) if self.leaf is None else np.asarray(seen[self.leaf])
        pixels = self._bytes(pixels)
        layout = "hwc" if self.drawn else "chw" if self.spec.id.startswith(OWN) else self.spec.layout
        if pixels.ndim == 3 and not channels_last(pixels.shape, layout, self.spec.id):
            pixels = pixels.transpose(1, 2, 0)
        if self.spec.grey and pixels.ndim == 3 and pixels.shape[2] >= 3:
            pixels = grey(pixels)
        if self.spec.size:
            pixels = resize(pixels, self.spec.size, "area" if self.drawn else "bilinear")
        return planes(np.array(pixels))

    def vector(self, seen: Any) -> NDArray[np.float32]:
        """What is seen as float32 (D,), the caller's own: the parts of a Dict by name, a choice as 1 among zeros."""
        if not isinstance(self.space, spaces.Dict):
            return _numbers(self.space, seen)
        return np.concatenate([_numbers(self.space[name], seen[name]) for name in sorted(self.space)])

    def _bytes(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        own = self.space if self.leaf is None else self.space[self.leaf]
        if self.drawn or (pixels.dtype == np.uint8 and not _up_to(own, 1)):
            return pixels.astype(np.uint8, copy=False)
        highest = 255 if _up_to(own, 255) else 1
        return np.rint(np.clip(pixels.astype(np.float32) / highest, 0, 1) * 255).astype(np.uint8)


def sight_of(space: Any, spec: Specification) -> Sight:
    """How observations of a space are seen; drawn where pictures are wanted and there is none among them.

    Raises UserError where that is open, or where there is no way to see them.
    """
    leaf = _leaf(space, spec)
    return Sight(spec, space, leaf, spec.pixels and leaf is None and not _is_picture(space))


def _numbers(space: Any, seen: Any) -> NDArray[np.float32]:
    if isinstance(space, spaces.Discrete):
        chosen = np.zeros(int(space.n), np.float32)
        chosen[int(seen) - int(space.start)] = 1
        return chosen
    return np.array(seen, np.float32).reshape(-1)


def _up_to(space: Any, highest: float) -> bool:
    return bool(np.all(space.high == highest))


def _is_picture(space: Any) -> bool:
    if not isinstance(space, spaces.Box) or len(space.shape) not in (2, 3):
        return False
    bounded = bool(np.all(space.low == 0)) and (_up_to(space, 1) or _up_to(space, 255))
    return bounded or space.dtype in (np.uint8, np.bool_)


def _leaf(space: Any, spec: Specification) -> str | None:
    """The one part of a Dict of observations that is a picture; None of a plain observation."""
    if not isinstance(space, spaces.Dict):
        if not isinstance(space, spaces.Box | spaces.Discrete):
            raise UserError(f"{spec.id} gives observations of the kind {type(space).__name__}: wrap them into a Box.")
        return None
    pictures = [name for name, part in space.items() if _is_picture(part)]
    if spec.pixels and len(pictures) > 1:
        raise UserError(
            f"{spec.id} gives several pictures, {', '.join(pictures)}: wrap it into one that gives the one that counts."
        )
    others = [name for name, part in space.items() if not isinstance(part, spaces.Box | spaces.Discrete)]
    if not spec.pixels and others:
        raise UserError(f"{spec.id} gives {', '.join(others)} beside vectors: wrap it into one that gives a Box.")
    return pictures[0] if spec.pixels and pictures else None
