"""What every kind of source offers, and the rules they share: which files are images, which folders are labels."""

from __future__ import annotations

import hashlib
import io
import posixpath
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import BinaryIO

import numpy as np

from twofold.printable import printable

EXTENSIONS = frozenset(
    f".{e}"
    for e in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "apng", "webp", "avif", "bmp", "dib", "tif", "tiff"),
        *("gif", "ppm", "pgm", "pbm", "pnm", "jp2", "j2k", "tga", "ico"),
    )
)
SPLIT_NAMES = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


class DecodeError(Exception):
    """An image that cannot be read; `reason` is a short clause, without the file's name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Source(ABC):
    """Images by number, not yet decoded.

    names: one a sample, for messages and results. labels: int64 (n,), -1 where a sample has none, or None where no
    sample has one. classes: the label's names, or None. skipped: what was passed over, by extension or by cause,
    counted.
    """

    path: str
    names: Sequence[str]
    labels: np.ndarray | None = None
    classes: list[str] | None = None
    skipped: dict[str, int]

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def read(self, i: int) -> bytes | np.ndarray:
        """Encoded bytes, or pixels as uint8 (H, W) or (H, W, C).

        Raises DecodeError or OSError. Safe to call from threads.
        """

    def fetch(self, i: int) -> bytes | np.ndarray:
        """`read`, with every failure to read as a DecodeError."""
        try:
            return self.read(i)
        except FileNotFoundError as error:
            raise DecodeError("the file does not exist") from error
        except OSError as error:
            raise DecodeError(f"cannot be read ({error.strerror or error})") from error

    def open(self, i: int) -> BinaryIO | np.ndarray:
        """The same as a file to read a header from, without loading the rest where that is possible."""
        data = self.read(i)
        return data if isinstance(data, np.ndarray) else io.BytesIO(data)

    @abstractmethod
    def fingerprint(self) -> str:
        """A digest of the content list: names, sizes and times of change. The pixels are not read."""

    @abstractmethod
    def describe(self) -> str:
        """One line: where, how many, of what kind."""

    def class_count(self) -> int:
        """How many different labels (0 and up) the images have; 0 where there are none."""
        labels = np.asarray([] if self.labels is None else self.labels)
        return len(np.unique(labels[labels >= 0]))

    def tally(self) -> str:
        """The classes and what was passed over, as the end of `describe`."""
        count = self.class_count()
        text = f", {count} class{'' if count == 1 else 'es'}" if count else ""
        if self.skipped:
            text += f"; passed over: {count_list(self.skipped)}"
        return text


def is_image(name: str) -> bool:
    """Whether the extension says image, in any case."""
    return extension(name) in EXTENSIONS


def extension(name: str) -> str:
    """The extension in lower case with its dot, '' where there is none."""
    return posixpath.splitext(name)[1].lower()


def count_list(counts: dict[str, int], most: int = 6) -> str:
    """'.txt 3, hidden 1' with the largest first."""
    ordered = sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))
    rest = sum(n for _, n in ordered[most:])
    return ", ".join(f"{printable(k)} {n:,}" for k, n in ordered[:most]) + (f", others {rest:,}" if rest else "")


def digest(parts: Iterable[object]) -> str:
    """A short hexadecimal digest of a list of plain values."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(str(part).encode("utf-8", "surrogateescape") + b"\0")
    return state.hexdigest()


def labels_from_folders(names: Sequence[str]) -> tuple[np.ndarray | None, list[str] | None]:
    """Labels where images sit in two or more sub-folders of a common one; images beside the sub-folders get -1.

    The folders next to the root count, as in torchvision's ImageFolder, after leading folders that all share (and a
    level that holds only splits, such as train and val) have been left out.
    """
    folders = {name.rpartition("/")[0] for name in names}
    parts = {folder: tuple(folder.split("/")) if folder else () for folder in folders}
    while True:
        firsts = {p[0] for p in parts.values() if p}
        if not firsts:
            return None, None
        shared = len(firsts) == 1 and all(parts.values())
        split = firsts <= SPLIT_NAMES and all(len(p) > 1 for p in parts.values())
        if not (shared or split):
            break
        parts = {folder: p[1:] for folder, p in parts.items()}
    if len(firsts) < 2:
        return None, None
    classes = sorted(firsts)
    number = {name: i for i, name in enumerate(classes)}
    of_folder = {folder: number[p[0]] if p else -1 for folder, p in parts.items()}
    return np.array([of_folder[name.rpartition("/")[0]] for name in names], np.int64), classes


def labels_from_values(values: Sequence[object]) -> tuple[np.ndarray | None, list[str] | None]:
    """Labels from a column: integers stay as they are where they can be class numbers; others are numbered in sorted
    order.

    None and negative integers become -1. Returns (None, None) where nothing is labelled.
    """
    known = {v for v in values if v is not None and not (isinstance(v, (int, np.integer)) and v < 0)}
    if not known:
        return None, None
    numbers = [int(v) for v in known if isinstance(v, (int, np.integer))]
    if len(numbers) == len(known) and max(numbers) < max(
        1000, 20 * len(numbers)
    ):  # beyond that they are codes, not numbers
        labels = np.array([v if v in known else -1 for v in values], np.int64)
        return labels, [str(i) for i in range(max(numbers) + 1)]
    ordered = sorted(known, key=lambda v: (str(type(v)), v))
    number = {v: i for i, v in enumerate(ordered)}
    return np.array([number.get(v, -1) for v in values], np.int64), [str(v) for v in ordered]
