"""Pictures of labelled data: their sizes and EXIF turns from the headers, their pixels upright or as stored."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

import numpy as np
import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.images.labels.findings import Notes
from twofold.images.reading.decode import decode, explain, open_header, orientation
from twofold.images.reading.looking import settle_pixels
from twofold.images.reading.source import Source
from twofold.pixels.reading.failure import DecodeError
from twofold.resources import usable_cores

T = TypeVar("T")
SWAPS = (5, 6, 7, 8)  # EXIF turns by which height and width change places
BACK = {6: 8, 8: 6}  # the other turns are their own way back
TASK = 16  # pictures a task of the pool
PNG_START = 8  # bytes before the first chunk
PNG_TEXT = (b"eXIf", b"iTXt", b"zTXt", b"tEXt")
MOST_CHUNKS = 10_000


@dataclass(frozen=True)
class Frame:
    """Height and width in pixels as stored, and the EXIF orientation, 1 to 8."""

    height: int
    width: int
    turn: int = 1

    @property
    def stored(self) -> tuple[int, int]:
        """(height, width) as stored."""
        return self.height, self.width

    @property
    def upright(self) -> tuple[int, int]:
        """(height, width) once turned."""
        return (self.width, self.height) if self.turn in SWAPS else (self.height, self.width)


def frame_of(source: Source, i: int) -> Frame:
    """The frame of a picture, from its header. Raises DecodeError."""
    try:
        file = source.open(i)
    except OSError as error:
        raise DecodeError(f"cannot be read ({error.strerror or error})") from error
    if isinstance(file, np.ndarray):
        return Frame(*file.shape[:2])
    with file:
        head = file.read(16)
        file.seek(0)
        try:
            image = open_header(file)
            width, height = image.size
            turn = orientation(image) if image.format != "PNG" or _may_turn(file) else 1
        except Exception as error:  # Pillow's plugins raise nearly everything on broken files
            raise DecodeError(explain(error, head)) from error
    if image.format == "TIFF" and turn in SWAPS:  # the one format whose header gives the turned size
        height, width = width, height
    return Frame(height, width, turn)


def _may_turn(file: BinaryIO) -> bool:
    """Whether a PNG has a chunk that may hold EXIF, before its pixels or behind; without one it has no turn."""
    at = PNG_START
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head[4:] in PNG_TEXT:
            return len(head) == 8
        at += 12 + int.from_bytes(head[:4], "big")
    return True


def turned_back(x: Tensor, turn: int) -> Tensor:
    """(..., H, W) upright -> as stored, before the EXIF turn."""
    turn = BACK.get(turn, turn)
    if turn in SWAPS:
        x = x.transpose(-1, -2)
    if turn in (2, 3, 6, 7):
        x = x.flip(-1)
    if turn in (3, 4, 7, 8):
        x = x.flip(-2)
    return x


def settle_rule(source: Source, notes: Notes) -> None:
    """Find the rule by which the pixels of the pictures are read, and note what is to be said of it."""
    for line in settle_pixels(source, channels="rgb"):
        notes.say(f"{source.path}: {line}.")


def read_picture(source: Source, i: int, turn: int, short_side: int | None = None) -> Tensor:
    """uint8 (3, H, W) RGB; `turn`: the EXIF turn to take back, 1 for none. Raises UserError."""
    try:
        return turned_back(decode(source.fetch(i), short_side, source.pixels), turn).contiguous()
    except DecodeError as error:
        raise UserError(
            f"{source.names[i]} of {source.path} cannot be read ({error.reason}): mend or remove it."
        ) from error


def in_threads(work: Callable[[int], T], rows: Sequence[int]) -> list[T]:
    """`work` of each row, in order, by as many threads as there are usable cores."""
    tasks = [rows[k : k + TASK] for k in range(0, len(rows), TASK)]
    with ThreadPoolExecutor(usable_cores()) as pool:
        return [found for done in pool.map(lambda task: [work(i) for i in task], tasks) for found in done]


def frames_of(source: Source, rows: Sequence[int]) -> list[Frame | str]:
    """The frame of each picture, or the reason why it cannot be read."""

    def look(i: int) -> Frame | str:
        try:
            return frame_of(source, i)
        except DecodeError as error:
            return error.reason

    return in_threads(look, rows)


def whereabouts(source: Source, rows: Sequence[int]) -> list[str]:
    """Where each picture lies: the whole path of its file, or of its table with its name there."""
    top = source.path if "://" in source.path else os.path.realpath(source.path)
    return [os.path.normpath(os.path.join(top, source.names[row])) for row in rows]


def nearest_rows(x: Tensor, height: int, width: int) -> Tensor:
    """(..., h, w) resized to (..., height, width) by the nearest value: for masks."""
    h, w = x.shape[-2:]
    if (h, w) == (height, width):
        return x
    rows = ((torch.arange(height) + 0.5) * h / height).long().clamp_(max=h - 1)
    columns = ((torch.arange(width) + 0.5) * w / width).long().clamp_(max=w - 1)
    return x[..., rows, :][..., columns]
