"""What every kind of source offers, and the rules they share."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np

from twofold.images.reading.measured import unpacked
from twofold.images.reading.pixels import PixelRule
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.labels import Labels, labels_by_classes
from twofold.pixels.reading.words import SHOWN, count_list, extension, some_of

EXTENSIONS = frozenset(
    f".{e}"
    for e in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "apng", "webp", "avif", "bmp", "dib", "tif", "tiff"),
        *("gif", "ppm", "pgm", "pbm", "pnm", "jp2", "j2k", "tga", "ico", "dcm", "dicom"),
    )
)


class Source(ABC):
    """Images by number, not yet decoded.

    names: one a sample, for messages and results. labels: int64 (n,), -1 where a sample has none, or None where no
    sample has one. classes: the label's names, or None. skipped: what was passed over, by extension or by cause,
    counted. notes: what was guessed about the data, a sentence each. folders: where labels may come from folders, that
    of each sample, None for one in a part without labels; home: the name of the folder that all lie in. pixels: how
    levels beyond 8 bits and fourth channels are read, in all images alike; pixel_notes: what is to be said of that
    (both by `looking.settle_pixels`).
    """

    path: str
    names: Sequence[str]
    labels: np.ndarray | None = None
    classes: list[str] | None = None
    skipped: dict[str, int]
    notes: tuple[str, ...] = ()
    folders: Sequence[str | None] | None = None
    home: str = ""
    pixels: PixelRule = PixelRule()
    pixel_notes: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def read(self, i: int) -> bytes | np.ndarray:
        """Encoded bytes, or pixels (H, W) or (H, W, C) of uint8, other integers or floats.

        Raises DecodeError or OSError. Safe to call from threads.
        """

    def size(self, i: int) -> int | None:
        """Bytes of image `i`, where they are known without reading it."""
        return None

    def fetch(self, i: int) -> bytes | np.ndarray:
        """`read`, with files of numbers as arrays and every failure to read as a DecodeError."""
        try:
            data = self.read(i)
            return data if isinstance(data, np.ndarray) else unpacked(data)
        except FileNotFoundError as error:
            raise DecodeError("the file does not exist") from error
        except OSError as error:
            raise DecodeError(f"cannot be read ({error.strerror or error})") from error

    def open(self, i: int) -> BinaryIO | np.ndarray:
        """The same as a file to read a header from, without loading the rest where that is possible."""
        data = self.fetch(i)
        return data if isinstance(data, np.ndarray) else io.BytesIO(data)

    @abstractmethod
    def fingerprint(self) -> str:
        """A digest of what the data are, wherever they lie: names, sizes and pieces of their bytes."""

    def stamp(self) -> str:
        """A digest of names, sizes and times of change, which a copy has others of; "" where there are no times."""
        return ""

    @abstractmethod
    def describe(self) -> str:
        """One line: where, how many, of what kind."""

    def class_count(self) -> int:
        """How many different labels (0 and up) the images have; 0 where there are none."""
        labels = np.asarray([] if self.labels is None else self.labels)
        return len(np.unique(labels[labels >= 0]))

    def first_classes(self) -> str:
        """The names of the first classes that occur, commas between."""
        labels = np.asarray([] if self.labels is None else self.labels)
        return some_of([(self.classes or [])[k] for k in np.unique(labels[labels >= 0])[: SHOWN + 1]])

    def labels_among(self, classes: Sequence[str]) -> Labels:
        """Labels and class names as they are beside a set of known classes: folders are those of the level where most
        are named so, also where there is one alone."""
        if self.folders is None or (self.classes is not None and set(self.classes) <= set(classes)):
            return self.labels, self.classes
        labels, found = labels_by_classes(self.folders, classes, self.home)
        return (self.labels, self.classes) if labels is None else (labels, found)

    def file_name(self, i: int) -> str:
        """The name of the file that holds sample `i`, "" where none does alone."""
        return ""

    def tally(self) -> str:
        """The classes and what was passed over, as the end of `describe`."""
        count = self.class_count()
        text = f", {count} class{'' if count == 1 else 'es'} ({self.first_classes()})" if count else ""
        if self.skipped:
            text += f"; passed over: {count_list(self.skipped)}"
        return text


def is_image(name: str) -> bool:
    """Whether the extension says image, in any case."""
    return extension(name) in EXTENSIONS
