"""One video: any frames by their numbers, exactly as a decode from the beginning gives them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, TypeVar

import numpy as np

from twofold.pixels.reading.failure import DecodeError
from twofold.videos.container import Opened
from twofold.videos.motion.following import Following
from twofold.videos.motion.painting import Grids
from twofold.videos.pictures import Pictures
from twofold.videos.reading.decoding import Decoding
from twofold.videos.reading.sieve import sieved, sound_table
from twofold.videos.reading.table import FrameTable, table_by_decoding

Found = TypeVar("Found")

LIMIT = 120.0  # seconds of decoding for one frame, past which a file is given up


class _Unsound(Exception):
    """The decoder gave other frames than the table says."""


class Video:
    """A video that stays open. file: a path, or a seekable binary file. table, size: where they are known already.
    vectors: it can give its motion, too. interlaced: one of the frames given so far says that it is.

    Not for several threads at once. Raises DecodeError where there is no video, or no frame.
    """

    def __init__(
        self,
        file: str | BinaryIO,
        table: FrameTable | None = None,
        size: tuple[int, int] | None = None,
        *,
        vectors: bool = False,
    ) -> None:
        self.file = file
        self._size = size
        self.interlaced = False
        self.table = table or sound_table(file)
        self._claimed = len(self.table)
        self._recounts = 0
        self._given_up: str | None = None
        self._decoding = Decoding(file, vectors)
        self._coming: Iterator[tuple[int, Any]] | None = None
        self._next = 0
        self._pictures = Pictures()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def opened(self) -> Opened:
        """The open file."""
        return self._decoding.opened

    @property
    def taken(self) -> int:
        """Bytes of its packets that were read so far to decode frames."""
        return self._decoding.taken

    @property
    def lost(self) -> int:
        """Frames that were found not to come, of a damaged file."""
        return max(self._claimed - len(self), 0)

    def first(self) -> Any:
        """The first frame as the decoder gives it. Raises DecodeError where there is none."""
        return self._again(lambda: self._frame(0))

    def size(self) -> tuple[int, int]:
        """Height and width of its pictures: those of the first frame."""
        if self._size is None:
            self._size = self.shown_size(self.first())
        return self._size

    def picture(self, frame: Any, height: int, width: int) -> np.ndarray:
        """A decoded frame as shown, uint8 (height, width, 3)."""
        return self._pictures(frame, height, width)

    def walk(self, take: Callable[[int, Any], None]) -> None:
        """Give every frame with its number to `take`, as the decoder gives it; from number 0 anew where a damaged file
        turns out to have other frames than was thought."""
        self._again(lambda: self._walk(take))

    def shown_size(self, frame: Any) -> tuple[int, int]:
        """Height and width of a decoded frame as it is shown, in square pixels."""
        return self._pictures.size(frame, self.opened.stream)

    def read(self, numbers: Sequence[int], short_side: int | None = None) -> np.ndarray:
        """The frames of these numbers, in this order, uint8 (T, H, W, 3) in RGB: turned, mirrored and stretched as the
        file asks for, all of the size of the video's first frame.

        Frames that the decoder does not give, of damaged files, are found out here; the table is then without them, and
        numbers are those of the frames that are left. short_side: pixels that larger frames are shrunk to. Raises
        DecodeError where a frame cannot be decoded, and IndexError for numbers that there never were.
        """
        wanted = [int(number) for number in numbers]
        if not wanted or min(wanted) < 0 or max(wanted) >= max(self._claimed, len(self)):
            raise IndexError(f"frames {wanted} of {len(self)}")
        return self._again(lambda: self._read(wanted, short_side))

    def whole(self, short_side: int | None = None) -> np.ndarray:
        """All frames, as `read` gives them."""
        return self._again(lambda: self._read(range(len(self)), short_side))

    def motion(self, numbers: Sequence[int]) -> Grids:
        """The motion of the frames of these numbers, in this order, as `read` counts them; keyframes have none.

        Raises DecodeError where a frame cannot be decoded, or where several are asked for and none has vectors;
        IndexError for numbers that there never were.
        """
        if not len(numbers) or min(numbers) < 0 or max(numbers) >= max(self._claimed, len(self)):
            raise IndexError(f"frames {list(numbers)} of {len(self)}")
        return self._again(lambda: self._motion(numbers))

    def close(self) -> None:
        """Let go of the file; it is opened again where more is read."""
        self._coming = None
        self._decoding.close()

    def _read(self, wanted: Sequence[int], short_side: int | None) -> np.ndarray:
        high, wide = shrunk(*self.size(), short_side)
        if max(wanted) >= len(self):
            raise DecodeError(f"only {len(self):,} of {self._claimed:,} frames can be decoded")
        places: dict[int, list[int]] = {}
        for place, number in enumerate(wanted):
            places.setdefault(number, []).append(place)
        out = np.empty((len(wanted), high, wide, 3), np.uint8)
        for number in sorted(places):
            first, *others = places[number]
            out[first] = self._pictures(self._frame(number), high, wide)
            out[others] = out[first]
        return out

    def _walk(self, take: Callable[[int, Any], None]) -> bool:
        for number in range(len(self)):
            take(number, self._frame(number))
        return True

    def _motion(self, numbers: Sequence[int]) -> Grids:
        if max(numbers) >= len(self):
            raise DecodeError(f"only {len(self):,} of {self._claimed:,} frames can be decoded")
        order, following = sorted(set(numbers)), Following()
        for number in order:
            following.add(self._frame(number))
        if len(order) > 1 and not following.moves:
            raise DecodeError(f"{self.opened.codec.name} tells no motion vectors of it")
        return following.grids().frames(np.searchsorted(order, numbers).tolist())

    def _again(self, read: Callable[[], Found]) -> Found:
        """What is read; once more by a new table where the decoder disagrees with the one there is."""
        while self._given_up is None:
            try:
                return read()
            except _Unsound:
                try:
                    self._recount()
                except DecodeError as error:
                    self._given_up = error.reason
        raise DecodeError(self._given_up)

    def _recount(self) -> None:
        """A table of what the decoder gives: first without the frames that are missing, then by counting alone."""
        self.close()
        self._size = None
        self._recounts += 1
        if self._recounts > 2 or self.table.stamps is None:
            raise DecodeError("its frames differ from one decoding to the next")
        self.table = sieved(self.file, self.table) if self._recounts == 1 else table_by_decoding(self.file)

    def _frame(self, number: int) -> Any:
        start = self.table.start_for(number)
        if self._coming is None or not start.frame <= self._next <= number:
            self._coming, self._next = self._decoding.frames(self.table, start), start.frame
        ends = time.monotonic() + LIMIT
        for found, frame in self._coming:
            self._next = found + 1
            if found == number:
                self.interlaced = self.interlaced or bool(frame.interlaced_frame)
                return frame
            if found > number:
                break
            if time.monotonic() > ends:
                raise DecodeError(f"decoding a frame takes longer than {LIMIT:.0f} s")
        self._coming = None
        raise _Unsound


def shrunk(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """The size at which the short side is at most so many pixels, in proportion."""
    if short_side is None or min(height, width) <= short_side:
        return height, width
    share = short_side / min(height, width)
    return max(1, round(height * share)), max(1, round(width * share))
