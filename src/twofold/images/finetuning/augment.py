"""Random geometry of a labelled picture: one record an object through every step, one filter for all its fields."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.images.finetuning.presets import Detection, Segmentation
from twofold.images.labels.geometry import crop, mirror
from twofold.images.labels.records import IGNORE, Instances
from twofold.randomness import uniforms

FULL = 0.75  # share of a window of which one class is taken for too much, as in mmsegmentation
TRIES = 10


@dataclass(frozen=True)
class Example:
    """A picture with its labels.

    picture: uint8 (3, H, W). objects: for detection. mask: int16 (H, W), for segmentation. lost: objects that geometry
    has cut away.
    """

    picture: Tensor
    objects: Instances | None = None
    mask: Tensor | None = None
    lost: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.picture.shape[1], self.picture.shape[2]


def flipped(example: Example) -> Example:
    """Mirrored left to right."""
    objects, mask = example.objects, example.mask
    return replace(
        example,
        picture=example.picture.flip(2),
        objects=None if objects is None else mirror(objects, example.size[1]),
        mask=None if mask is None else mask.flip(1),
    )


def cropped(example: Example, top: int, left: int, height: int, width: int) -> Example:
    """A window inside the picture; objects of which less than a pixel is left in it go (`geometry.crop`)."""
    rows, columns = slice(top, top + height), slice(left, left + width)
    objects, mask = example.objects, example.mask
    kept = None if objects is None else crop(objects, top, left, height, width)
    lost = 0 if objects is None or kept is None else len(objects) - len(kept)
    return replace(
        example,
        picture=example.picture[:, rows, columns],
        objects=kept,
        mask=None if mask is None else mask[rows, columns],
        lost=example.lost + lost,
    )


def scaled(example: Example, size: tuple[int, int]) -> Example:
    """Picture and mask of a segmentation at another size: bilinear with antialiasing, and by the nearest pixel."""
    picture = F.interpolate(example.picture[None].float(), size, mode="bilinear", antialias=True)[0]
    mask = example.mask
    if mask is not None:
        mask = F.interpolate(mask[None, None].float(), size, mode="nearest-exact")[0, 0].to(mask.dtype)
    return replace(example, picture=picture.round().clamp(0, 255).to(torch.uint8), mask=mask)


def fitted(size: tuple[int, int], scale: tuple[int, int], ratio: float = 1.0) -> tuple[int, int]:
    """The (height, width) at which a picture just fits in (long, short) times the ratio, in its own shape."""
    share = min(scale[0] * ratio / max(size), scale[1] * ratio / min(size))
    return max(round(size[0] * share), 1), max(round(size[1] * share), 1)


def draw_numbers(seed: int, position: int, count: int) -> list[float]:
    """Uniform numbers for a picture, by its position in the whole training: the same in any batch, and after a stop."""
    return uniforms(torch.tensor([position]), count, seed, "fine-tuning views")[0].tolist()


def vary_objects(example: Example, preset: Detection, draws: list[float]) -> Example:
    """For a detector, from 6 draws: mirrored or not; of some presets a window, of 0.6 to 1 of each side, or not."""
    mirror, cut, *window = draws
    if mirror < 0.5:
        example = flipped(example)
    if preset.crop < 1 and cut < 0.5:
        height, width = (
            max(round(side * (preset.crop + (1 - preset.crop) * part)), 1)
            for side, part in zip(example.size, window[:2], strict=True)
        )
        top, left = _corner(example.size, (height, width), window[2:])
        example = cropped(example, top, left, height, width)
    return example


def vary_mask(example: Example, preset: Segmentation, draws: list[float]) -> Example:
    """For a segmenter, from 2 + 2 * TRIES draws: scaled, mirrored or not, a window of crop x crop, padded to that.

    Of up to ten windows the first is taken in which no class fills three quarters; padding is black, and ignored.
    """
    low, high = preset.ratios
    example = scaled(example, fitted(example.size, preset.scale, low + (high - low) * draws[0]))
    if draws[1] < 0.5:
        example = flipped(example)
    size = min(preset.crop, example.size[0]), min(preset.crop, example.size[1])
    for k in range(TRIES):
        top, left = _corner(example.size, size, draws[2 + 2 * k : 4 + 2 * k])
        window = cropped(example, top, left, *size)
        if _is_mixed(window.mask):
            break
    down, right = preset.crop - size[0], preset.crop - size[1]
    assert window.mask is not None
    return replace(
        window,
        picture=F.pad(window.picture, (0, right, 0, down)),
        mask=F.pad(window.mask, (0, right, 0, down), value=IGNORE),
    )


def _corner(size: tuple[int, int], window: tuple[int, int], draws: list[float]) -> tuple[int, int]:
    free = size[0] - window[0] + 1, size[1] - window[1] + 1
    return int(free[0] * draws[0]), int(free[1] * draws[1])


def _is_mixed(mask: Tensor | None) -> bool:
    """Whether a window has several classes, none of which fills three quarters of what counts in it."""
    assert mask is not None
    known = mask[mask >= 0]
    counts = known.to(torch.int64).bincount()
    return len(known) > 0 and int((counts > 0).sum()) > 1 and float(counts.max()) < FULL * len(known)
