"""Frames of many videos by number: few files open at once, decoded videos kept while memory lasts. For threads."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from twofold.errors import UserError, clause
from twofold.pixels.reading.failure import DecodeError
from twofold.resources import bytes_in_words, free_memory, local_ranks
from twofold.videos.motion.painting import Grids
from twofold.videos.reading.packed import ENDING, PackedVideo
from twofold.videos.reading.source import VideoSource
from twofold.videos.reading.table import FrameTable
from twofold.videos.reading.video import Video, shrunk

OPEN = 64  # files at once
SAMPLED = 8  # videos opened to estimate the size of the set
FIRST = 48  # frames of which vectors are looked for
HOST_SHARE = 0.5  # of the free memory may hold decoded videos, all local ranks together


class VideoStore:
    """The videos of a source, shrunk to `short_side` pixels (None: as they are).

    memory_bytes: what decoded videos may take where the whole set is expected to fit, half of the free memory where
    None; else clips are decoded each time. vectors: for `motion`. A process that is forked from this one opens its own
    files, and a copy that is sent to another process begins with none.
    """

    def __init__(
        self, source: VideoSource, short_side: int | None, memory_bytes: int | None = None, *, vectors: bool = False
    ) -> None:
        self.source, self.short_side, self.vectors = source, short_side, vectors
        self.tables: dict[int, FrameTable] = {}
        self.sizes: dict[int, tuple[int, int]] = {}  # height and width of pictures, before they are shrunk
        self.lost: dict[int, int] = {}  # frames that were found not to come, of damaged videos
        self._forget()
        budget = int(HOST_SHARE * free_memory() / local_ranks()) if memory_bytes is None else memory_bytes
        self.expected_bytes = self._expected_bytes()
        self.kept_whole = 0 < self.expected_bytes <= budget

    def __len__(self) -> int:
        return len(self.source)

    def table(self, i: int) -> FrameTable:
        """What frames video `i` has. Raises DecodeError where it cannot be read."""
        if i not in self.tables:
            with self._opened(i) as video:
                self.tables[i] = video.table
        return self.tables[i]

    def read(self, i: int, numbers: Sequence[int]) -> np.ndarray:
        """Frames of video `i`, uint8 (T, H, W, 3). Raises DecodeError where it cannot be read."""
        if not self.kept_whole:
            with self._opened(i) as video:
                try:
                    self.sizes[i] = video.size()
                    return video.read(numbers, self.short_side)
                finally:
                    self._note(i, video)
        if i not in self._decoded:
            with self._opened(i, last=True) as video:
                self._decoded[i] = video.whole(self.short_side)
                self._note(i, video)
        return self._decoded[i][np.asarray(numbers)]

    def motion(self, i: int, numbers: Sequence[int]) -> Grids:
        """The motion of frames of video `i`, of a store that follows it. Raises DecodeError where it cannot be told."""
        if not self.kept_whole:
            with self._opened(i) as video:
                try:
                    return video.motion(numbers)
                finally:
                    self._note(i, video)
        if i not in self._grids:
            with self._opened(i, last=True) as video:
                self._grids[i] = video.motion(range(len(video)))
                self._note(i, video)
        return self._grids[i].frames(numbers)

    def look_through(self, i: int) -> None:
        """Decode all of video `i`, so that its table is that of the frames that come."""
        with suppress(DecodeError), self._opened(i) as video:
            try:
                if isinstance(video, Video):
                    video.walk(lambda number, frame: None)
            finally:
                self._note(i, video)

    def hold_motion(self) -> None:
        """Refuse, with a UserError, a set of which none of a few videos tells any motion."""
        found = ""
        for i in list(self.tables)[:SAMPLED]:
            try:
                with self._opened(i) as video:
                    found = without_motion(video)
            except DecodeError as error:
                found = error.reason
            if not found:
                return
        if found:
            raise UserError(f"{self.source.path}: {found}: make a copy with motion, by twofold prepare --motion.")

    def taken(self) -> int:
        """Bytes that this thread has read from the videos since it last asked."""
        found = getattr(self._own, "taken", 0)
        self._own.taken = 0
        return int(found)

    def count(self, taken: int) -> None:
        """So many more were read by this thread."""
        self._own.taken = getattr(self._own, "taken", 0) + taken

    def describe(self) -> str:
        """One line: how large the decoded set is and whether it is kept."""
        side = "in full size" if self.short_side is None else f"short side {self.short_side} px"
        kept = "kept in memory" if self.kept_whole else "decoded clip by clip"
        return f"{len(self):,} videos, {side}, about {bytes_in_words(self.expected_bytes)} as uint8, {kept}"

    def _note(self, i: int, video: Video | PackedVideo) -> None:
        """Keep the table of a video, which may have changed where it is damaged, and how many frames do not come."""
        self.tables[i] = video.table
        if video.lost:
            self.lost[i] = max(self.lost.get(i, 0), video.lost)

    def _opened(self, i: int, last: bool = False) -> _Held:
        if os.getpid() != self._process:
            self._forget()
        return _Held(self, i, last)

    def _forget(self) -> None:
        self._process = os.getpid()
        self.lock = threading.Lock()
        self._own = threading.local()
        self.videos: OrderedDict[int, tuple[threading.Lock, list[Video | PackedVideo]]] = OrderedDict()
        self._decoded: dict[int, np.ndarray] = {}
        self._grids: dict[int, Grids] = {}

    def _expected_bytes(self) -> int:
        """The size of the decoded set, from a few videos spread over it."""
        chosen = sorted({int(i) for i in np.linspace(0, len(self) - 1, SAMPLED)}) if len(self) else []
        found = []
        for i in chosen:
            try:
                with self._opened(i) as video:
                    self.sizes[i] = video.size()
                    height, width = shrunk(*self.sizes[i], self.short_side)
                    self._note(i, video)
                    found.append(3 * height * width * len(video))
            except DecodeError:
                continue
        return int(np.mean(found) * len(self)) if found else 0

    def __getstate__(self) -> dict[str, Any]:
        kept = ("source", "short_side", "vectors", "tables", "sizes", "lost", "expected_bytes", "kept_whole")
        return {name: self.__dict__[name] for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._forget()


class _Held:
    """A video that this thread has to itself for a block; the longest unused ones are closed. last: close it after."""

    def __init__(self, store: VideoStore, i: int, last: bool) -> None:
        self.store, self.i, self.last = store, i, last

    def __enter__(self) -> Video | PackedVideo:
        store = self.store
        with store.lock:
            own, videos = store.videos.pop(self.i, (threading.Lock(), []))
            store.videos[self.i] = own, videos
            old = [store.videos.popitem(last=False) for _ in range(len(store.videos) - OPEN)]
        for _, (lock, stale) in old:
            with lock:
                for video in stale:
                    video.close()
        self.own = own
        own.acquire()
        try:
            if not videos:
                videos.append(self._open())
        except BaseException:
            own.release()
            raise
        self.video, self.before = videos[0], videos[0].taken
        return self.video

    def __exit__(self, *error: object) -> None:
        self.store.count(self.video.taken - self.before)
        if self.last:
            with self.store.lock:
                _, videos = self.store.videos.pop(self.i, (None, []))
            for video in videos:
                video.close()
        self.own.release()

    def _open(self) -> Video | PackedVideo:
        store, i = self.store, self.i
        return opened_video(store.source, i, store.tables.get(i), store.sizes.get(i), vectors=store.vectors)


def without_motion(video: Video | PackedVideo) -> str:
    """Why the first frames of a video tell no motion, or nothing where they do."""
    try:
        video.motion(range(min(len(video), FIRST)))
    except DecodeError as error:
        return error.reason
    return ""


def opened_video(
    source: VideoSource,
    i: int,
    table: FrameTable | None = None,
    size: tuple[int, int] | None = None,
    *,
    vectors: bool = False,
) -> Video | PackedVideo:
    """Video `i` of a source, prepared or not; table, size: where they are known already.

    Raises DecodeError where it cannot be opened."""
    try:
        if source.names[i].endswith(ENDING):
            return PackedVideo(partial(source.opened, i))
        return Video(source.file(i), table, size, vectors=vectors)
    except FileNotFoundError as error:
        raise DecodeError("the file does not exist") from error
    except OSError as error:
        raise DecodeError(f"cannot be read ({clause(error)})") from error
