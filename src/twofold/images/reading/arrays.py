"""Images as arrays: .npz and .npy of numpy, idx files (the format of MNIST), plain or gzipped."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib

import numpy as np

from twofold.errors import UserError, clause
from twofold.images.reading.parquet import RowNames
from twofold.images.reading.places import Place
from twofold.images.reading.source import Source, digest, labels_from_values

IMAGE_KEYS = ("images", "x_train", "train_images", "X_train", "x", "X", "data", "imgs")


class Arrays(Source):
    """One uint8 array (n, H, W), (n, H, W, C) or (n, C, H, W), with C 1, 3 or 4."""

    def __init__(self, path: str, where: Place, images: np.ndarray, labels: np.ndarray | None, name: str) -> None:
        self.path = path
        self.where = where
        self.images = _channels_last(path, name, images)
        self.names = RowNames([where.name], [0, len(images)])
        self.skipped = {}
        if labels is not None:
            self.labels, self.classes = labels_from_values(labels.reshape(-1).tolist())

    def read(self, i: int) -> np.ndarray:
        """The pixels, uint8 (H, W) or (H, W, C)."""
        return self.images[i]

    def fingerprint(self) -> str:
        """A digest of the file's name, size and time of change."""
        return digest([self.where.name, *self.where.stamp()])

    def describe(self) -> str:
        """One line: the array's shape and classes."""
        return f"{self.path}: {len(self):,} arrays of {'x'.join(map(str, self.images.shape[1:]))}{self.tally()}"


def open_npz(path: str, where: Place) -> Arrays:
    """The one array of images in an .npz, and the labels that go with it by name (images/labels, x/y) and length."""
    try:
        with np.load(io.BytesIO(where.read()) if where.fs else where.path, allow_pickle=False) as file:
            arrays = {}
            for name in file.files:
                try:
                    arrays[name] = file[name]
                except ValueError as error:  # an array of Python objects: would need unpickling
                    if "pickle" not in str(error).lower():
                        raise
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UserError(f"{path} is not a whole .npz file ({clause(error)}); write or fetch it again.") from error
    fitting = [k for k, a in arrays.items() if a.dtype == np.uint8 and a.ndim in (3, 4)]
    named = [k for k in IMAGE_KEYS if k in fitting]
    if not fitting:
        found = ", ".join(f"{k} {a.dtype}{list(a.shape)}" for k, a in arrays.items()) or "nothing readable"
        raise UserError(f"{path} holds no uint8 array of images with 3 or 4 dimensions but {found}.")
    if not named and len(fitting) > 1:
        raise UserError(f"{path} holds several arrays of images ({', '.join(fitting)}); call the right one `images`.")
    key = (named or fitting)[0]
    return Arrays(path, where, arrays[key], _labels_for(key, arrays), key)


def open_npy(path: str, where: Place) -> Arrays:
    """The array of an .npy file, mapped from the disk where it is local."""
    try:
        if where.fs is None:
            array = np.load(where.path, mmap_mode="r", allow_pickle=False)
        else:
            array = np.load(io.BytesIO(where.read()), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is not a whole .npy file ({clause(error)}); write or fetch it again.") from error
    return Arrays(path, where, array, None, "array")


def open_idx(path: str, where: Place) -> Arrays:
    """The images of an idx file, and the labels of the file beside it (images-idx3 -> labels-idx1)."""
    images = _read_idx(path, where)
    other = where.parent().join(where.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1"))
    labels = _read_idx(str(other), other) if other != where and other.is_file() else None
    if labels is not None and len(labels) != len(images):
        raise UserError(
            f"{other} holds {len(labels)} labels but {path} {len(images)} images; give files that belong together."
        )
    return Arrays(path, where, images, labels, "array")


def _read_idx(path: str, where: Place) -> np.ndarray:
    """An idx file:

    two zero bytes, type (8 = uint8), number of dimensions, each as big-endian uint32, then the values.
    """
    data = where.read()
    try:
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        zero, kind, ndim = struct.unpack_from(">HBB", data)
        if zero or kind != 8:
            raise UserError(f"{path} is not an idx file of uint8 values.")
        shape = struct.unpack_from(f">{ndim}I", data, 4)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise UserError(f"{path} is not a whole idx file ({clause(error)}); write or fetch it again.") from error
    start, count = 4 + 4 * ndim, int(np.prod(shape, dtype=np.int64))
    if len(data) - start < count:
        raise UserError(f"{path} is cut short: {len(data) - start:,} of {count:,} values; fetch it again.")
    return np.frombuffer(data, np.uint8, count, start).reshape(shape)


def _labels_for(key: str, arrays: dict[str, np.ndarray]) -> np.ndarray | None:
    n = len(arrays[key])
    flat = {k: a for k, a in arrays.items() if a.dtype.kind in "iuU" and a.size == n and k != key}
    wanted = [
        key.replace("images", "labels"),
        key.replace("x", "y", 1),
        key.replace("X", "y", 1),
        "labels",
        "label",
        "y",
    ]
    return next((flat[k] for k in wanted if k in flat), None)


def _channels_last(path: str, name: str, images: np.ndarray) -> np.ndarray:
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or not images.size:
        raise UserError(
            f"{path}: {name} is {images.dtype}{list(images.shape)}; images are uint8 (n, H, W) or (n, H, W, C)."
        )
    if images.ndim == 4 and images.shape[-1] not in (1, 3, 4):
        if images.shape[1] not in (1, 3, 4):
            raise UserError(f"{path}: {name} has shape {list(images.shape)}, with no axis of 1, 3 or 4 channels.")
        images = images.transpose(0, 2, 3, 1)
    return images
