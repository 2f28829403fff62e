"""Clips in batches, decoded ahead by threads: libavcodec lets go of the interpreter while it decodes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.unreadable import Replacement, Unreadable, stand_ins
from twofold.printable import printable
from twofold.resources import usable_cores
from twofold.seam import Stream
from twofold.videos.batch import ClipBatch
from twofold.videos.motion.painting import Grids
from twofold.videos.reading.source import VideoSource
from twofold.videos.reading.store import VideoStore
from twofold.videos.reading.table import FrameTable
from twofold.videos.rule import Sampling
from twofold.videos.sampling import Chosen, Film, choose_clips, even_clips, timeline

AHEAD = 3  # batches under way at once: one in use, two being read
MOST_WORKERS = 16
READ = "kilobytes_per_clip"  # the column of the log
DAMAGED = "damaged videos"

# (number of the video, its table, epoch) -> what is read of it
Choose = Callable[[int, FrameTable, int], Chosen]


@dataclass(frozen=True)
class Read:
    """What was read of a video: uint8 pictures (T, H, W, 3) of each clip, by what was chosen; frames in all; the motion
    that was asked for; bytes of the file."""

    pictures: list[np.ndarray]
    chosen: Chosen
    count: int
    motion: Grids | None
    taken: int


class Clips(Stream[ClipBatch]):
    """The videos of a store as batches of clips.

    choose: what is read of each video. A video that cannot be read is recorded in `unreadable` (name: reason) and
    another stands in for it, drawn from (seed, index) alone and recorded in `replaced` (index: index); more than
    max_unreadable (share of the set) is a UserError. `waited`: seconds that the consumer has waited for batches.
    """

    def __init__(
        self,
        store: VideoStore,
        choose: Choose,
        *,
        seed: int = 0,
        max_unreadable: float = 0.05,
        workers: int | None = None,
    ) -> None:
        self.store, self.choose, self.seed = store, choose, seed
        self.workers = max(1, min(usable_cores(), MOST_WORKERS) if workers is None else workers)
        self.waited = 0.0
        self._taken = self._given = 0  # bytes and clips of the batches since the numbers were last asked for
        self.replaced: dict[int, int] = {}
        self._unreadable = Unreadable(self.source.path, self.source.names, max_unreadable, "videos")
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="clips")

    @property
    def source(self) -> VideoSource:
        """The videos."""
        return self.store.source

    def __len__(self) -> int:
        return len(self.source)

    @property
    def unreadable(self) -> dict[str, str]:
        """Names of the videos that could not be read so far, with the reason, in the order of the set."""
        return self._unreadable.named()

    def lost(self) -> list[str]:
        """What frames of damaged videos do not come, as far as they were read: a sentence, or none."""
        return damage(self.source.names, self.store.lost)

    def choosing(self, choose: Choose) -> Clips:
        """Other clips of the same videos: unreadable together, and decoded by the same threads."""
        other = copy(self)
        other.choose, other.waited, other._taken, other._given = choose, 0.0, 0, 0
        return other

    def replacements(self, indices: Tensor) -> list[Replacement]:
        """Those of some videos that could not be read, once they have been asked for."""
        return self._unreadable.replacements(indices.tolist(), self.replaced)

    def replace(self, found: Iterable[Replacement]) -> None:
        """Know, from another process, which videos cannot be read. UserError where they are too many."""
        self._unreadable.replace(found, self.replaced)

    def describe(self) -> str:
        """One line: the decoded set, and how many threads decode."""
        return f"{self.store.describe()}; {self.workers} decoding thread{'' if self.workers == 1 else 's'}"

    def stream(self, index_batches: Iterable[Tensor], epochs: Iterable[int] = ()) -> Iterator[ClipBatch]:
        """A batch for each tensor of indices, in order, with the next ones read while the consumer works."""
        coming = zip(index_batches, _endless(epochs), strict=False)
        under_way: deque[tuple[Tensor, list[Future[Read]]]] = deque()
        try:
            while True:
                while len(under_way) < AHEAD and (wanted := next(coming, None)) is not None:
                    under_way.append((wanted[0], self._start(*wanted)))
                if not under_way:
                    return
                index, reads = under_way.popleft()
                began = time.perf_counter()
                found = [read.result() for read in reads]
                self.waited += time.perf_counter() - began
                self._taken += sum(read.taken for read in found)
                self._given += sum(len(read.pictures) for read in found)
                yield _batch(index, found)
        finally:
            for _, reads in under_way:
                for read in reads:
                    read.cancel()

    def numbers(self) -> dict[str, float]:
        """What was read of the files for each clip, of motion with it."""
        found = {READ: self._taken / 1000 / self._given} if self._given else {}
        self._taken = self._given = 0
        return found

    def state_dict(self) -> dict[str, Any]:
        """The videos found to be damaged: clips of them are chosen among the frames that come."""
        return {DAMAGED: sorted(self.store.lost)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Know these as damaged before a clip of them is chosen, as the run did."""
        rows = [int(i) for i in state.get(DAMAGED, ())]
        if any(not 0 <= i < len(self) for i in rows):
            raise ValueError("damaged videos that there are not")
        list(self._threads.map(self.store.look_through, rows))

    def _start(self, index: Tensor, epoch: int) -> list[Future[Read]]:
        return [self._threads.submit(self._read, i, epoch) for i in index.tolist()]

    def _read(self, i: int, epoch: int) -> Read:
        """The clips of video `i`, or of what stands in for it."""
        for j in stand_ins(i, len(self), self.seed):
            if j in self._unreadable:
                continue
            try:
                found = self._chosen(i, j, epoch)
            except DecodeError as error:
                self._unreadable.record(j, error.reason)
                continue
            if j != i:
                self.replaced[i] = j
            return found
        raise self._unreadable.too_many()

    def _chosen(self, i: int, j: int, epoch: int) -> Read:
        """What is chosen of video `j`; chosen anew where its frames turn out to be others than was thought."""
        while True:
            table = self.store.table(j)
            self.store.taken()
            chosen = self.choose(i, table, epoch)
            try:
                frames = self.store.read(j, np.concatenate(chosen.clips).tolist())
                motion = self.store.motion(j, chosen.motion.ravel().tolist()) if chosen.motion.size else None
            except (DecodeError, IndexError):
                if self.store.table(j) is table:
                    raise
                continue
            if self.store.table(j) is table:
                ends = np.cumsum([len(numbers) for numbers in chosen.clips])[:-1]
                return Read(np.split(frames, ends), chosen, len(table), motion, self.store.taken())


def _endless(epochs: Iterable[int]) -> Iterator[int]:
    yield from epochs
    yield from repeat(0)


def _batch(index: Tensor, found: Sequence[Read]) -> ClipBatch:
    """Pictures side by side in blocks, padded right and below."""
    blocks, at = [], []
    for clip in range(len(found[0].pictures)):
        blocks.append(torch.from_numpy(padded([read.pictures[clip] for read in found])).permute(0, 1, 4, 2, 3))
        at.append(torch.from_numpy(np.stack([read.chosen.clips[clip] for read in found])))
    size = torch.tensor([read.pictures[0].shape[1:3] for read in found], dtype=torch.int64)
    batch = ClipBatch(index, blocks, at, size, torch.tensor([read.count for read in found]))
    batch.drawn = torch.tensor([read.chosen.drawn for read in found], dtype=torch.int64)
    grids = [read.motion for read in found if read.motion is not None]
    if grids:
        cells = padded([grid.cells for grid in grids])
        batch.motion = torch.from_numpy(cells).unflatten(1, found[0].chosen.motion.shape)
        batch.stored = torch.tensor([(grid.height, grid.width) for grid in grids])
    return batch


def padded(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays (T, H, W, C) of unlike sizes in one, zeros right and below."""
    height, width = (max(one.shape[axis] for one in pictures) for axis in (1, 2))
    block = np.zeros((len(pictures), len(pictures[0]), height, width, pictures[0].shape[3]), pictures[0].dtype)
    for row, one in enumerate(pictures):
        block[row, :, : one.shape[1], : one.shape[2]] = one
    return block


def damage(names: Sequence[str], lost: Mapping[int, int]) -> list[str]:
    """A sentence about damaged videos, by number how many of their frames do not come; none where there is no such."""
    if not lost:
        return []
    worst = max(sorted(lost), key=lambda i: lost[i])
    total, such = sum(lost.values()), f"{lost[worst]:,} of {printable(names[worst])}"
    return [f"Damaged videos: {len(lost):,}, of which {total:,} frames do not come and are left out (such as {such})."]


def drawn(
    sampling: Sampling,
    *,
    clips: int,
    seed: int,
    fps: float | None = None,
    choose: Callable[[Sampling, Film, int, int, int, int], Chosen] = choose_clips,
) -> Choose:
    """Clips as they are drawn for training. choose: as `sampling.choose_clips`."""
    return partial(_drawn, choose, sampling, clips, seed, fps)


def _drawn(
    choose: Callable[[Sampling, Film, int, int, int, int], Chosen],
    sampling: Sampling,
    clips: int,
    seed: int,
    fps: float | None,
    i: int,
    table: FrameTable,
    epoch: int,
) -> Chosen:
    film = Film(_lines(table, fps), np.array([start.frame for start in table.starts]))
    return choose(sampling, film, i, seed, epoch, clips)


def even(clips: int, frames: int, stride: int, fps: float | None = None) -> Choose:
    """Evenly spaced clips, for evaluation."""
    return partial(_even, clips, frames, stride, fps)


def _even(clips: int, frames: int, stride: int, fps: float | None, i: int, table: FrameTable, epoch: int) -> Chosen:
    return Chosen(even_clips(_lines(table, fps), clips, frames, stride))


def _lines(table: FrameTable, fps: float | None) -> list[np.ndarray]:
    return timeline(table.times, [(first, last) for first, last in table.stretches], fps)
