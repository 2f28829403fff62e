"""Pixels of every mode, as files and arrays hold them, as 8-bit grey or RGB by one rule."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from PIL import Image

from twofold.images.reading.deep import cut, deep_strips, has_fourth, is_deep_colour, says_white, strips
from twofold.images.reading.layout import COLOURS, channels_last
from twofold.images.reading.pixels import WHOLE, PixelRule
from twofold.pixels.reading.failure import DecodeError


def of_image(image: Image.Image, data: bytes, rule: PixelRule) -> np.ndarray:
    """An image that was opened from `data`, as uint8 (H, W) or (H, W, 3). Loads it. Raises whatever Pillow raises."""
    if is_deep_colour(image) and rule.white is not None and rule.white < WHOLE:
        low = Image.open(io.BytesIO(data), formats=[image.format or ""])
        return _without_fourth(_joined((rule.to_bytes(strip) for strip in deep_strips(image, low)), image.height), rule)
    fourth, rule = has_fourth(image), replace(rule, white=WHOLE) if says_white(image) else rule
    image.load()
    if image.mode in ("RGB", "L") and "transparency" not in image.info:
        return np.asarray(image)
    if image.mode.startswith("I") or image.mode == "F":
        return _joined((rule.to_bytes(strip) for strip in strips(image)), image.height)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        pieces = (np.asarray(piece.convert("RGBA")) for piece in cut(image))
        return _joined((_without_fourth(p, rule) if fourth else _over_white(p) for p in pieces), image.height)
    return np.asarray(image.convert("RGB"))


def of_array(pixels: np.ndarray, rule: PixelRule) -> np.ndarray:
    """An array (H, W), (H, W, C) or (C, H, W), with C 1, 3 or 4, of any integers or floats, as uint8 (H, W) or
    (H, W, 3)."""
    pixels = rule.to_bytes(colours_last(pixels))
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        return pixels[..., 0]
    return _without_fourth(pixels, rule) if pixels.ndim == 3 and pixels.shape[2] == 4 else pixels


def colours_last(pixels: np.ndarray) -> np.ndarray:
    """An array (H, W), (H, W, C) or (C, H, W) as (H, W) or (H, W, C). Raises DecodeError where it is none of 1, 3 or 4
    channels."""
    if pixels.dtype.kind not in "iuf" or not pixels.size or pixels.ndim not in (2, 3):
        raise DecodeError(f"an array of {pixels.dtype} and shape {list(pixels.shape)} is no image")
    found = channels_last(pixels, None)
    if found is None or (found.ndim == 3 and found.shape[2] not in COLOURS):
        raise DecodeError(f"an array of shape {list(pixels.shape)} is no image")
    return found


def _joined(parts: Iterable[np.ndarray], height: int) -> np.ndarray:
    """Parts of some rows as one array of `height` rows, none of them being held twice."""
    parts, top = iter(parts), 0
    first = next(parts)
    whole = np.empty((height, *first.shape[1:]), first.dtype)
    for part in itertools.chain([first], parts):
        whole[top : top + len(part)] = part
        top += len(part)
    return whole


def _without_fourth(pixels: np.ndarray, rule: PixelRule) -> np.ndarray:
    """uint8 (H, W, 3) of (H, W, 3 or 4)."""
    return pixels[..., :3] if rule.fourth == "drop" or pixels.shape[2] == 3 else _over_white(pixels)


def _over_white(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:].astype(np.uint16)
    if alpha.min() == 255:
        return rgba[..., :3]
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
