"""Images that a program holds already: files by name, Pillow's images, arrays, tensors, items of a data set."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from twofold.errors import UserError, clause
from twofold.images.reading.source import Source
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.identity import content_digest
from twofold.pixels.reading.places import MOST_IMAGE, place

IMAGE_KEYS = ("image", "img", "picture", "jpg", "png", "pixel_values")
CHANNELS = (1, 3, 4)


class Objects(Source):
    """Whatever has a length and gives an image, or a tuple or mapping with one, for each number below it.

    A list, an array or tensor (n, ...), a map-style data set of torch, a `datasets.Dataset`. Of a tuple the first thing
    is the image; of a mapping that under a usual name. Names are those of files, else numbers. Raises UserError for
    anything else, and where there is nothing.
    """

    def __init__(self, things: Any) -> None:
        if not hasattr(things, "__getitem__") or not hasattr(things, "__len__"):
            raise UserError(f"Images are a list, an array, a tensor or a map-style data set, not {_called(things)}.")
        if not len(things):
            raise UserError("There are no images: the list or data set is empty.")
        self.things = things
        self.skipped = {}
        self.path = f"{_called(things)} of {len(things):,}"
        plain = isinstance(things, list | tuple)
        self.names = [_name(things[i] if plain else None, i) for i in range(len(things))]
        self._one_at_a_time = threading.Lock()

    def read(self, i: int) -> bytes | np.ndarray:
        """The bytes or the pixels of an image."""
        try:
            with self._one_at_a_time:  # others' data sets are seldom made for threads
                thing = self.things[i]
        except Exception as error:  # it is the user's own code
            raise DecodeError(f"the data set gives none ({type(error).__name__}: {clause(error)})") from error
        return pixels_of(thing)

    def fingerprint(self) -> str:
        """A digest of the number of images and of pieces of some."""

        def piece(i: int, start: int, size: int) -> bytes:
            found = self.read(i)
            return (found.tobytes() if isinstance(found, np.ndarray) else found)[start : start + size]

        return content_digest(self.names, [0] * len(self), piece)

    def describe(self) -> str:
        """One line: what it is, and of how many."""
        return f"{self.path} images"


def pixels_of(thing: Any) -> bytes | np.ndarray:
    """The encoded bytes of an image, or its pixels (H, W) or (H, W, C): see `decode.decode`.

    thing: a path or URL, bytes, an image of Pillow's, an array or tensor (H, W), (H, W, C) or (C, H, W) with C 1, 3 or
    4; or a tuple or mapping with one. Raises DecodeError for anything else.
    """
    if isinstance(thing, str | os.PathLike):
        return place(os.path.expanduser(os.fspath(thing))).read(MOST_IMAGE)
    if isinstance(thing, bytes | bytearray | memoryview):
        return bytes(thing)
    if isinstance(thing, Image.Image):
        return _of_pillow(thing)
    if isinstance(thing, tuple | list) and len(thing):
        return pixels_of(thing[0])
    if isinstance(thing, Mapping):
        return _of_mapping(thing)
    if hasattr(thing, "detach"):
        thing = thing.detach().cpu().float().numpy() if thing.is_floating_point() else thing.detach().cpu().numpy()
    if isinstance(thing, np.ndarray):
        first = thing.ndim == 3 and thing.shape[2] not in CHANNELS and thing.shape[0] in CHANNELS
        return thing.transpose(1, 2, 0) if first else thing
    raise DecodeError(f"{_called(thing)} is no image")


def _of_pillow(image: Image.Image) -> np.ndarray:
    image = ImageOps.exif_transpose(image)
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBa", "La"):
        image = image.convert("RGBA")
    if image.mode in ("L", "RGB", "RGBA", "F") or image.mode.startswith("I"):
        return np.asarray(image)
    return np.asarray(image.convert("RGB"))


def _of_mapping(item: Mapping[Any, Any]) -> bytes | np.ndarray:
    if item.get("bytes") is not None:  # as `datasets` keeps what it has not decoded
        return bytes(item["bytes"])
    found = next((item[key] for key in (*IMAGE_KEYS, "path") if item.get(key) is not None), None)
    if found is None:
        raise DecodeError(f"a mapping without {IMAGE_KEYS[0]} among its keys ({', '.join(map(str, item))[:80]})")
    return pixels_of(found)


def _name(thing: Any, i: int) -> str:
    return os.fspath(thing) if isinstance(thing, str | os.PathLike) else str(i)


def _called(thing: Any) -> str:
    """'a list'."""
    name = type(thing).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
