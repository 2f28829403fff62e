"""How an environment of gymnasium is seen: the picture among its observations, what it draws, or its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from twofold.control.environments.specification import OWN, Specification
from twofold.control.pictures import channels_last, grey, planes, resize
from twofold.errors import UserError, nearest

Frame = NDArray[np.generic]
ROUNDING = 1e-3  # by which numbers may leave their bounds, as a share


@dataclass(frozen=True)
class Sight:
    """space: of what is observed. leaf: the part of a Dict of observations that counts; None where all do. drawn: it is
    no observation that is seen, but what the environment draws."""

    spec: Specification
    space: Any
    leaf: str | None
    drawn: bool

    def picture(self, seen: Any) -> NDArray[np.uint8]:
        """What is seen as uint8 (C, H, W), the caller's own. Raises UserError for what is no picture.

        Drawings are large, and shrink by means over areas, so that thin things stay; other pictures as in Atari.
        """
        pixels = self._drawing(np.asarray(seen)) if self.drawn else self._bytes(np.asarray(self._own(seen)))
        layout = "hwc" if self.drawn else "chw" if self.spec.id.startswith(OWN) else self.spec.layout
        if pixels.ndim == 3 and not channels_last(pixels.shape, layout, self.spec.id):
            pixels = pixels.transpose(1, 2, 0)
        if self.spec.grey and pixels.ndim == 3 and pixels.shape[2] > 1:
            if pixels.shape[2] > 4:
                raise UserError(
                    f"{self.spec.id} gives pictures of {pixels.shape[2]} channels, which are no colours: leave out "
                    f"--grey."
                )
            pixels = grey(pixels)
        if self.spec.size:
            pixels = resize(pixels, self.spec.size, "area" if self.drawn else "bilinear")
        return planes(np.array(pixels))

    def vector(self, seen: Any) -> NDArray[np.float32]:
        """What is seen as float32 (D,), the caller's own: the parts of a Dict by name, a choice as 1 among zeros."""
        with np.errstate(over="ignore"):  # who gives it holds the numbers against what may be
            return _numbers(self._own(self.space), self._own(seen))

    def notes(self) -> tuple[str, ...]:
        """What was guessed, and how to overrule it."""
        if self.drawn:
            return ("No observation is a picture, so what is drawn is seen; --pixels false takes the observations.",)
        if not self.spec.pixels or self.spec.id.startswith(OWN):
            return ()
        found = []
        if self.leaf is not None and self.spec.observation is None:
            found.append(f"Of the observations {', '.join(self.space)} the only picture is seen: {self.leaf}.")
        shape = self._own(self.space).shape
        if len(shape) == 3 and self.spec.layout == "auto":
            last = channels_last(shape, "auto", self.spec.id)
            order, other = ("height, width, channels", "chw") if last else ("channels, height, width", "hwc")
            found.append(f"Pictures of {' x '.join(map(str, shape))} are taken as {order}; --layout {other} otherwise.")
        return tuple(found)

    def _own(self, whole: Any) -> Any:
        """What counts of an observation, or of its space."""
        return whole if self.leaf is None else whole[self.leaf]

    def _drawing(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        sides, kind = pixels.shape, pixels.dtype.kind
        plain = len(sides) == 2 or (len(sides) == 3 and sides[2] in (1, 3, 4))
        if not (plain and pixels.size and kind in "iu" and pixels.min() >= 0 and pixels.max() <= 255):
            raise UserError(
                f"{self.spec.id} draws {pixels.dtype} of {list(sides)}, and no picture of height, width and 3 colours "
                f"from 0 to 255: mend its render, or give --pixels false."
            )
        return pixels.astype(np.uint8, copy=False)

    def _bytes(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        highest = 1 if _up_to(self._own(self.space), 1) else 255
        if pixels.dtype == np.uint8 and highest == 255:
            return pixels
        least, most = float(pixels.min(initial=0)), float(pixels.max(initial=0))
        dark = highest == 255 and pixels.dtype.kind == "f" and 0 < most <= 1 and bool((pixels != np.rint(pixels)).any())
        if dark or not (least / highest >= -ROUNDING and most / highest <= 1 + ROUNDING):
            raise UserError(
                f"{self.spec.id} gives pictures of numbers from {least:.3g} to {most:.3g}, where its observation space "
                f"says 0 to {highest}: mend one of them."
            )
        return np.rint(np.clip(pixels.astype(np.float32) / highest, 0, 1) * 255).astype(np.uint8)


def sight_of(space: Any, spec: Specification) -> Sight:
    """How observations of a space are seen; drawn where pictures are wanted and there is none among them.

    Raises UserError where that is open, or where there is no way to see them.
    """
    leaf = _leaf(space, spec)
    own = space if leaf is None else space[leaf]
    if not spec.pixels and not (isinstance(own, spaces.Space) and own.is_np_flattenable):
        raise UserError(f"{spec.id} gives observations of the kind {type(own).__name__}: wrap them into a Box.")
    return Sight(spec, space, leaf, spec.pixels and not _is_picture(own))


def _numbers(space: Any, seen: Any) -> NDArray[np.float32]:
    if isinstance(space, spaces.Box):
        return np.array(seen, np.float32).reshape(-1)
    if isinstance(space, spaces.Dict):
        return np.concatenate([_numbers(space[name], seen[name]) for name in sorted(space)])
    if isinstance(space, spaces.Tuple):
        return np.concatenate([_numbers(part, own) for part, own in zip(space, seen, strict=True)])
    return np.asarray(spaces.flatten(space, seen), np.float32)


def _up_to(space: Any, highest: float) -> bool:
    return bool(np.all(space.high == highest))


def _is_picture(space: Any) -> bool:
    if not isinstance(space, spaces.Box) or len(space.shape) not in (2, 3):
        return False
    bounded = bool(np.all(space.low == 0)) and (_up_to(space, 1) or _up_to(space, 255))
    return bounded or space.dtype in (np.uint8, np.bool_)


def _leaf(space: Any, spec: Specification) -> str | None:
    """The part of a Dict of observations that counts: the one that is named, or the only picture."""
    parts = dict(space.items()) if isinstance(space, spaces.Dict) else {}
    pictures = [name for name, part in parts.items() if _is_picture(part)]
    if spec.observation is not None:
        if spec.observation not in (pictures if spec.pixels else parts):
            raise UserError(
                f"{spec.id} has no observation {spec.observation}{' that is a picture' if spec.pixels else ''}; it has "
                f"{', '.join(pictures if spec.pixels else parts) or 'none by name'}."
                f"{nearest(spec.observation, parts)}"
            )
        return spec.observation
    if spec.pixels and len(pictures) > 1:
        raise UserError(
            f"{spec.id} gives several pictures, {', '.join(pictures)}: say by --observation which one counts."
        )
    return pictures[0] if spec.pixels and pictures else None
