"""Images that a program holds already: files by name, Pillow's images, arrays, tensors, items of a data set."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from twofold.errors import UserError, clause
from twofold.images.reading.layout import channels_last, guess_said, is_open
from twofold.images.reading.source import Source
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.labels import labels_from_values
from twofold.pixels.reading.places import MOST_IMAGE, place
from twofold.pixels.reading.words import digest

IMAGE_KEYS = ("image", "img", "picture", "jpg", "png", "pixel_values")
LABEL_KEYS = ("label", "labels", "class", "target", "fine_label")
COMPARED = 16  # images by whose pixels a set is known again


class Objects(Source):
    """Whatever has a length and gives an image, or a tuple or mapping with one, for each number below it.

    things: a list, an array or tensor (n, ...), a map-style data set of torch, a `datasets.Dataset`. Of a tuple the
    first thing is the image; of a mapping that under a usual name. Names are those of files, else numbers. Labels are
    taken where they can be had without reading images: see `labels_told`. label_column: of a `datasets.Dataset`, or the
    key in mappings. channels: of arrays, where that is known; see `layout.channel_axis`. Raises UserError for anything
    else, and where there is nothing.
    """

    def __init__(
        self, things: Any, path: str = "", label_column: str | None = None, channels: int | None = None
    ) -> None:
        if not hasattr(things, "__getitem__") or not hasattr(things, "__len__"):
            raise UserError(f"Images are a list, an array, a tensor or a map-style data set, not {_called(things)}.")
        self.path = path or f"{_called(things)} in Python"
        if not len(things):
            raise UserError(f"{self.path} holds no images: it is empty.")
        if getattr(things, "ndim", None) not in (None, 3, 4):
            raise UserError(f"{self.path} has shape {list(things.shape)}; images are (n, H, W) or (n, H, W, channels).")
        self.things, self.channels = things, channels
        self.skipped = {}
        plain = isinstance(things, list | tuple)
        self.names = [_name(things[i] if plain else None, i) for i in range(len(things))]
        values, classes = labels_told(things, label_column)
        if values is not None:
            self.labels, self.classes = labels_from_values(values, classes)
        elif label_column:
            raise UserError(f"{self.path} tells no labels by the name {label_column}.")
        self._one_at_a_time = threading.Lock()
        self._steady = plain or hasattr(things, "ndim") or self._gives(0) == self._gives(0)
        if not self._steady:
            self.notes = (
                f"{self.path} gives other pixels each time it is asked, as with random transforms: leave these to the "
                "views; a run that is stopped does not go on exactly.",
            )
        shape = [int(side) for side in getattr(things, "shape", ())][1:]
        if channels is None and len(shape) == 3 and is_open(shape[0], shape[2]):
            self.notes += (f"{self.path}: {guess_said(shape)}",)

    def read(self, i: int) -> bytes | np.ndarray:
        """The bytes or the pixels of an image."""
        try:
            with self._one_at_a_time:  # others' data sets are seldom made for threads
                thing = self.things[i]
        except Exception as error:  # it is the user's own code
            raise DecodeError(f"the data set gives none ({type(error).__name__}: {clause(error)})") from error
        return pixels_of(thing, self.channels)

    def fingerprint(self) -> str:
        """A digest of names and labels, and of the pixels of a few images where these are the same each time."""
        rows = np.unique(np.linspace(0, len(self) - 1, COMPARED).astype(int)).tolist() if self._steady else []
        labels = [] if self.labels is None else self.labels.tolist()
        return digest([*self.names, *labels, *(self._gives(i) for i in rows)])

    def describe(self) -> str:
        """One line: what it is, how many, of what classes."""
        return f"{self.path}: {len(self):,} images{self.tally()}"

    def _gives(self, i: int) -> str:
        """A digest of an image."""
        try:
            found = self.fetch(i)
        except DecodeError:
            return ""
        data = found if isinstance(found, bytes) else np.ascontiguousarray(found).tobytes()
        return hashlib.blake2b(data, digest_size=16).hexdigest()


def labels_told(things: Any, column: str | None = None) -> tuple[list[Any] | None, list[str] | None]:
    """(a label for each image, the names of the classes), each None where they are not told.

    Looked for: a column of a `datasets.Dataset`; `targets` or `labels` of a data set, as torchvision's have; the second
    tensor of a TensorDataset; those of what a Subset is part of; the second things of tuples and the usual keys of
    mappings in a list.
    """
    keys = (column,) if column else LABEL_KEYS
    if hasattr(things, "column_names") and hasattr(things, "features"):
        key = next((key for key in keys if key in things.column_names), None)
        if key is None:
            return None, None
        return [_plain(value) for value in things[key]], getattr(things.features[key], "names", None)
    if hasattr(things, "indices") and hasattr(things, "dataset"):
        values, classes = labels_told(things.dataset, column)
        return None if values is None else [values[i] for i in things.indices], classes
    own = [getattr(things, name, None) for name in ("targets", "labels")]
    tensors: Sequence[Any] = getattr(things, "tensors", ())
    for values in (*own, *tensors[1:2]):
        if values is not None and not callable(values) and len(values) == len(things):
            return np.asarray(values).tolist(), _names_of(things)
    if isinstance(things, list | tuple):
        if all(isinstance(one, tuple | list) and len(one) == 2 for one in things):
            return [_plain(one[1]) for one in things], None
        if all(isinstance(one, Mapping) for one in things):
            key = next((key for key in keys if key in things[0]), None)
            return (None, None) if key is None else ([_plain(one.get(key)) for one in things], None)
    return None, None


def _names_of(things: Any) -> list[str] | None:
    classes = getattr(things, "classes", None)
    return [str(one) for one in classes] if isinstance(classes, list | tuple) else None


def _plain(value: Any) -> Any:
    """A label as Python's own number or text."""
    return value.item() if hasattr(value, "item") else value


def pixels_of(thing: Any, channels: int | None = None) -> bytes | np.ndarray:
    """The encoded bytes of an image, or its pixels (H, W) or (H, W, C): see `decode.decode`.

    thing: a path or URL, bytes, an image of Pillow's, an array or tensor (H, W), (H, W, C) or (C, H, W) with C 1 to 16;
    or a tuple or mapping with one. channels: C, where it is known. Raises DecodeError for anything else.
    """
    if isinstance(thing, str | os.PathLike):
        return place(os.path.expanduser(os.fspath(thing))).read(MOST_IMAGE)
    if isinstance(thing, bytes | bytearray | memoryview):
        return bytes(thing)
    if isinstance(thing, Image.Image):
        return _of_pillow(thing)
    if isinstance(thing, tuple | list) and len(thing):
        return pixels_of(thing[0], channels)
    if isinstance(thing, Mapping):
        return _of_mapping(thing, channels)
    if hasattr(thing, "detach"):
        thing = thing.detach().cpu().float().numpy() if thing.is_floating_point() else thing.detach().cpu().numpy()
    if isinstance(thing, np.ndarray) and thing.ndim not in (2, 3):
        raise DecodeError(f"an array of shape {list(thing.shape)} is no image")
    if isinstance(thing, np.ndarray):
        found = channels_last(thing, channels)
        return thing if found is None else found
    raise DecodeError(f"{_called(thing)} is no image")


def _of_pillow(image: Image.Image) -> np.ndarray:
    image = ImageOps.exif_transpose(image)
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBa", "La"):
        image = image.convert("RGBA")
    if image.mode in ("L", "RGB", "RGBA", "F") or image.mode.startswith("I"):
        return np.asarray(image)
    return np.asarray(image.convert("RGB"))


def _of_mapping(item: Mapping[Any, Any], channels: int | None) -> bytes | np.ndarray:
    if item.get("bytes") is not None:  # as `datasets` keeps what it has not decoded
        return bytes(item["bytes"])
    found = next((item[key] for key in (*IMAGE_KEYS, "path") if item.get(key) is not None), None)
    if found is None:
        raise DecodeError(f"a mapping without {IMAGE_KEYS[0]} among its keys ({', '.join(map(str, item))[:80]})")
    return pixels_of(found, channels)


def _name(thing: Any, i: int) -> str:
    return os.fspath(thing) if isinstance(thing, str | os.PathLike) else str(i)


def _called(thing: Any) -> str:
    """'a list'."""
    name = type(thing).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
