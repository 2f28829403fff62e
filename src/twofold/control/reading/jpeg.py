"""Pictures that were stored as JPEG, one a row."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.control.reading.stores import Room, Unreadable, damage

BEGINNING = b"\xff\xd8\xff"


def is_jpeg(row: Any) -> bool:
    """Whether a row of bytes begins as a JPEG does."""
    return bytes(row[: len(BEGINNING)]) == BEGINNING


def decoded(rows: Any, name: str, room: Room) -> NDArray[np.uint8]:
    """uint8 (rows, H, W) or (rows, H, W, 3). rows: arrays of bytes. Raises Unreadable for one that is damaged or of
    another size than the first, UserError where there is no room."""
    first = _picture(rows[0], f"picture 0 of {name}")
    room.take(len(rows) * first.nbytes, name)
    frames = np.empty((len(rows), *first.shape), np.uint8)
    for row in range(len(rows)):
        frames[row] = _picture(rows[row], f"picture {row} of {name}", first.shape)
    return frames


def _picture(data: NDArray[np.uint8], called: str, shape: tuple[int, ...] | None = None) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with damage(), Image.open(io.BytesIO(data.tobytes()), formats=["JPEG"]) as picture:
            if shape is not None and (picture.height, picture.width) != shape[:2]:
                raise Unreadable("it has another size than the first")
            pixels = np.asarray(picture)
    except Unreadable as error:
        raise Unreadable(f"{called}: {error}") from error
    if shape is not None and pixels.shape != shape:
        raise Unreadable(f"{called}: it has other channels than the first")
    return pixels
