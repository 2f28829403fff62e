"""Images of a given number of channels, each as it is: no colours are made of them."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from twofold.images.reading.deep import deep_strips, is_deep_colour, strips
from twofold.images.reading.layout import channels_last
from twofold.images.reading.stacks import Stack, read_channels
from twofold.pixels.reading.failure import DecodeError


def with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """An array (H, W), (H, W, C) or (C, H, W) of integers or floats as (H, W, channels). Raises DecodeError where it
    has another number of channels."""
    if pixels.dtype.kind not in "iuf" or not pixels.size or pixels.ndim not in (2, 3):
        raise DecodeError(f"an array of {pixels.dtype} and shape {list(pixels.shape)} is no image")
    found = channels_last(pixels, channels)
    if found is None or (found.ndim == 2 and channels != 1):
        raise DecodeError(f"an array of shape {list(pixels.shape)}, without an axis of {channels} channels")
    return found.reshape(*found.shape[:2], channels)


def of_stack(stack: Stack, data: bytes, channels: int) -> np.ndarray:
    """The values of a TIFF of several bands or pages, (H, W, channels), not turned. Raises DecodeError where it has
    another number of channels."""
    found = stack.channels(channels)
    if found != channels:
        pages = f" on each of {stack.depth} pages" if stack.depth > 1 else ""
        raise DecodeError(f"a TIFF of {found} channels{pages}, not of {channels}")
    return with_channels(read_channels(data, stack, channels), channels)


def native(image: Image.Image, data: bytes) -> np.ndarray:
    """The values of an image that was opened from `data`, (H, W) or (H, W, C), as the file has them; of a palette its
    colours."""
    if is_deep_colour(image):
        low = Image.open(io.BytesIO(data), formats=[image.format or ""])
        return np.concatenate(list(deep_strips(image, low)))
    image.load()
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
    return np.concatenate(list(strips(image.convert("L") if image.mode == "1" else image)))
