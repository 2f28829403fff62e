"""The frames of a replay on disk: written once each, in pieces, so that a run can go on with all it has seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.bounded import ArrayFile
from twofold.control.experience.replay import Replay
from twofold.files import write_arrays
from twofold.runs.checkpoint import Damaged


class FrameFiles:
    """Pieces `frames-START.npz` of a folder: the rows of the replay from START up to a stop.

    Each frame is kept as its difference (exclusive or) from the one before, which for pictures is mostly nothing, and
    compressed.
    """

    def __init__(self, folder: Path, replay: Replay) -> None:
        self.folder, self.replay = folder, replay
        self.pieces: list[tuple[int, int]] = []
        self.unneeded = 0  # rows that already the last save did not need

    def save(self) -> list[list[int]]:
        """Write what is new, and remove what neither this nor the last save needs. Returns start and stop of each."""
        start, stop = max(self.pieces[-1][1] if self.pieces else 0, self.replay.oldest), self.replay.position
        if stop > start:
            self.folder.mkdir(parents=True, exist_ok=True)
            rows = self.replay.frames[np.arange(start, stop) % self.replay.capacity]
            write_arrays(self._file(start), {"frames": differences(rows)})
            self.pieces.append((start, stop))
        for piece in [piece for piece in self.pieces if piece[1] <= self.unneeded]:
            self._file(piece[0]).unlink(missing_ok=True)
            self.pieces.remove(piece)
        self.unneeded = self.replay.oldest
        return [list(piece) for piece in self.pieces]

    def load(self, pieces: Sequence[Sequence[int]]) -> None:
        """Fill the frames of a replay that knows its position already.

        Pieces of later saves, which were not finished, are removed: they are made again. Raises Damaged where a piece
        is missing, or is not what was written.
        """
        self.pieces, self.unneeded = [(start, stop) for start, stop in pieces], 0
        for start, stop in self.pieces:
            rows = self._read(start, stop)
            kept = np.arange(max(start, self.replay.oldest), stop)
            self.replay.frames[kept % self.replay.capacity] = restored(rows, self.replay.frames.dtype)[kept - start]
        known = {self._file(start) for start, _ in self.pieces}
        for file in set(self.folder.glob("frames-*.npz")) - known:
            file.unlink()

    def remove(self) -> None:
        """Remove all pieces: the run is over."""
        for file in self.folder.glob("frames-*.npz"):
            file.unlink()
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        file = self._file(start)
        try:
            with file.open("rb") as stored:
                rows: NDArray[Any] = ArrayFile(stored).read("frames")
        except Exception as error:  # a damaged zip file can be wrong in many ways
            raise Damaged(f"{file} is missing or damaged") from error
        wanted = np.dtype(np.uint8 if self.replay.shape.pixels else np.uint32)
        if rows.shape != (stop - start, *self.replay.shape.frame) or rows.dtype != wanted:
            raise Damaged(f"{file} holds other frames than it should")
        return rows

    def _file(self, start: int) -> Path:
        return self.folder / f"frames-{start:012d}.npz"


def differences(frames: NDArray[Any]) -> NDArray[Any]:
    """Each frame as the bits in which it differs from the one before: uint8, or uint32 of float32 vectors."""
    bits = frames if frames.dtype == np.uint8 else frames.view(np.uint32)
    return np.concatenate([bits[:1], bits[1:] ^ bits[:-1]])


def restored(bits: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The frames of their differences."""
    return np.bitwise_xor.accumulate(bits, axis=0).view(dtype)
