"""Images as arrays: .npz and .npy of numpy, idx files (the format of MNIST), plain or gzipped."""

from __future__ import annotations

import gzip
import io
import math
import os
import struct
import zlib
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import BinaryIO, Literal, cast

import numpy as np

from twofold.bounded import ArrayError, ArrayFile, Header, check_size, read_header, read_values
from twofold.errors import UserError, clause
from twofold.images.reading.layout import channel_axis, guess_said, is_open
from twofold.images.reading.row_names import RowNames
from twofold.images.reading.source import Source
from twofold.parts import named_among
from twofold.pixels.batch import MOST_CHANNELS
from twofold.pixels.reading.identity import content_digest
from twofold.pixels.reading.labels import labels_from_values
from twofold.pixels.reading.parts import pick, said
from twofold.pixels.reading.places import Place
from twofold.pixels.reading.wanted import UNDIVIDED, Wanted
from twofold.pixels.reading.words import digest

KINDS = "uif"  # of numpy's types
IMAGE_KEYS = ("images", "x_train", "train_images", "X_train", "x", "X", "data", "imgs")


class Arrays(Source):
    """One array (n, H, W), (n, H, W, C) or (n, C, H, W), with C 1 to 16, of uint8, other integers or floats.

    channels: C, where it is known; see `layout.channel_axis`.
    """

    def __init__(
        self,
        path: str,
        where: Place,
        images: np.ndarray,
        labels: np.ndarray | None,
        name: str,
        notes: tuple[str, ...] = (),
        channels: int | None = None,
    ) -> None:
        self.path = path
        self.array = name
        self.where = where
        self.in_parts = bool(notes)
        self.images = _channels_last(path, name, images, channels)
        guessed = channels is None and images.ndim == 4 and is_open(images.shape[1], images.shape[3])
        self.notes = (*notes, *([f"{path}: {guess_said(images.shape[1:])}"] if guessed else []))
        self.names = RowNames([where.name], [0, len(self.images)])
        self.skipped = {}
        if labels is not None:
            self.labels, self.classes = labels_from_values(labels.reshape(-1).tolist())

    def read(self, i: int) -> np.ndarray:
        """The pixels, (H, W) or (H, W, C)."""
        return self.images[i]

    def fingerprint(self) -> str:
        """A digest of the file's name, of the array's shape and of pieces of its pixels, and of the labels."""
        images, labels = self.images, [] if self.labels is None else np.asarray(self.labels).tolist()

        def read(image: int, start: int, size: int) -> bytes:
            return images[image].tobytes()[start : start + size]

        sizes = [images[0].nbytes] * len(images)
        return content_digest([""] * len(images), sizes, read, [self.where.name, self.array, images.shape, labels])

    def stamp(self) -> str:
        """A digest of the file's name, size and time of change."""
        return digest([self.where.name, *self.where.stamp(), *([self.array] if self.in_parts else [])])

    def describe(self) -> str:
        """One line: the array's shape and classes."""
        return f"{self.path}: {len(self):,} arrays of {'x'.join(map(str, self.images.shape[1:]))}{self.tally()}"


def open_npz(path: str, where: Place, wanted: Wanted) -> Arrays:
    """The one array of images in an .npz, and the labels that go with it by name (images/labels, x/y) and length.

    Of arrays in parts, such as x_train and x_test, one is read; others are not read.
    """
    try:
        with where.open() if where.fs is None else io.BytesIO(where.read()) as file:
            found = ArrayFile(file)
            key, notes = _images_in(path, found.headers, wanted)
            other = None if wanted.class_level == 0 else _labels_for(key, found.headers)
            images = found.read(key)
            labels = None if other is None else found.read(other)
    except UserError:
        raise
    except Exception as error:  # zip files and numpy's headers can be wrong in many ways
        raise UserError(f"{path} is not a whole .npz file ({clause(error)}); write or fetch it again.") from error
    return Arrays(path, where, images, labels, key, notes, wanted.channels)


def _images_in(path: str, found: Mapping[str, Header], wanted: Wanted) -> tuple[str, tuple[str, ...]]:
    """The name of the array that holds the images, and what was decided, where there are several in parts."""
    shaped = {k: about.dtype for k, about in found.items() if len(about.shape) in (3, 4)}
    fitting = [k for k, dtype in shaped.items() if dtype == np.uint8] or [
        k for k, dtype in shaped.items() if dtype.kind in KINDS
    ]
    if not fitting:
        listed = ", ".join(f"{k} {about}" for k, about in list(found.items())[:6]) or "nothing readable"
        raise UserError(f"{path} holds no array of images (numbers with 3 or 4 dimensions) but {listed}.")
    parts = {what.part: k for k, what in reversed(named_among(fitting).items())}
    if len(parts) > 1 or wanted.part not in (None, *UNDIVIDED):
        counts = Counter({part: found[k].shape[0] for part, k in parts.items()})
        read = pick(path, counts, replace(wanted, role="train" if wanted.role == "all" else wanted.role), "images")[:1]
        if wanted.part == "all":
            raise UserError(f"{path} has its parts in arrays of their own, of which one is read: name it by part.")
        return parts[read[0]], (said(path, counts, read, wanted, "images"),)
    named = [k for k in IMAGE_KEYS if k in fitting]
    if not named and len(fitting) > 1:
        raise UserError(f"{path} holds several arrays of images ({', '.join(fitting)}); call the right one `images`.")
    return (named or fitting)[0], ()


def open_npy(path: str, where: Place, wanted: Wanted) -> Arrays:
    """The array of an .npy file, mapped from the disk where it is local."""
    try:
        with where.open() if where.fs is None else io.BytesIO(where.read()) as file:
            header = read_header(file)
            stored = file.seek(0, os.SEEK_END) - header.start
            if header.nbytes > stored:
                raise ArrayError(f"cut short: {stored:,} of {header.nbytes:,} bytes")
            if where.fs is None and header.nbytes:
                order: Literal["F", "C"] = "F" if header.fortran else "C"
                array: np.ndarray = np.memmap(where.path, header.dtype, "r", header.start, header.shape, order)
            else:
                file.seek(header.start)
                array = read_values(file, header)
    except (ArrayError, OSError, ValueError, OverflowError) as error:
        raise UserError(f"{path} is not a whole .npy file ({clause(error)}); write or fetch it again.") from error
    return Arrays(path, where, array, None, "array", channels=wanted.channels)


def open_idx(path: str, where: Place, wanted: Wanted) -> Arrays:
    """The images of an idx file, and the labels of the file beside it (images-idx3 -> labels-idx1)."""
    images = _read_idx(path, where)
    other = where.parent().join(where.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1"))
    told = other != where and wanted.class_level != 0 and other.is_file()
    labels = _read_idx(str(other), other) if told else None
    if labels is not None and len(labels) != len(images):
        raise UserError(
            f"{other} holds {len(labels)} labels but {path} {len(images)} images; give files that belong together."
        )
    return Arrays(path, where, images, labels, "array", channels=wanted.channels)


def _read_idx(path: str, where: Place) -> np.ndarray:
    """An idx file:

    two zero bytes, type (8 = uint8), number of dimensions, each as big-endian uint32, then the values.
    """
    try:
        with where.open() if where.fs is None else io.BytesIO(where.read()) as raw:
            size, packed = raw.seek(0, os.SEEK_END), raw.seek(0) == 0 and raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if packed else nullcontext(raw) as opened:
                file = cast(BinaryIO, opened)
                zero, kind, ndim = struct.unpack(">HBB", file.read(4))
                if zero or kind != 8:
                    raise UserError(f"{path} is not an idx file of uint8 values.")
                if not 1 <= ndim <= 4:
                    raise UserError(f"{path} says that it has {ndim} dimensions; images have 3 or 4, labels one.")
                shape = struct.unpack(f">{ndim}I", file.read(4 * ndim))
                header = Header(np.dtype(np.uint8), shape, False, 4 + 4 * ndim)
                check_size(header.nbytes, size if packed else size - header.start, packed)
                return read_values(file, header)
    except (ArrayError, OSError, EOFError, zlib.error, struct.error) as error:
        raise UserError(f"{path} is not a whole idx file ({clause(error)}); write or fetch it again.") from error


def _labels_for(key: str, found: Mapping[str, Header]) -> str | None:
    """The name of the labels that go with some images."""
    n = found[key].shape[0]
    flat = {k for k, h in found.items() if h.dtype.kind in "biufU" and math.prod(h.shape) == n and k != key}
    wanted = [
        key.replace("images", "labels"),
        key.replace("x", "y", 1),
        key.replace("X", "y", 1),
        "labels",
        "label",
        "y",
    ]
    return next((k for k in wanted if k in flat), None)


def _channels_last(path: str, name: str, images: np.ndarray, channels: int | None) -> np.ndarray:
    if images.dtype.kind not in KINDS or images.ndim not in (3, 4) or not images.size:
        raise UserError(
            f"{path}: {name} is {images.dtype}{list(images.shape)}; images are numbers (n, H, W) or (n, H, W, C)."
        )
    if images.ndim == 3 and channels and channels > 1:
        images = images[None]  # one image, for each of several in grey would have but one channel
    axis = channel_axis(images.shape[1], images.shape[3], channels) if images.ndim == 4 else -1
    if axis is None:
        raise UserError(
            f"{path}: {name} has shape {list(images.shape)}, with no axis of {channels or f'1 to {MOST_CHANNELS}'} "
            f"channels: choose the bands that matter and save them as (n, H, W, C)."
        )
    return images if axis else images.transpose(0, 2, 3, 1)
