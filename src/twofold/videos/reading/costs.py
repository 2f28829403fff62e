"""What reading costs a run, measured on a few clips that are read as the run reads them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from twofold.pixels.reading.failure import DecodeError
from twofold.resources import bytes_in_words
from twofold.runs.screen import OnProgress, duration
from twofold.videos.reading.clips import Choose
from twofold.videos.reading.packed import PackedVideo, jpeg_of, pictures_of
from twofold.videos.reading.store import VideoStore, opened_video

SECONDS = 2.0  # of measuring, past which no other video is begun
FROM_START = 64  # frames that are read where whole videos are
QUALITY = 90  # of the JPEGs of prepared videos


@dataclass(frozen=True)
class Measured:
    """Of one video. seconds: of one core, to read its clips, or its first frames. prepared: to read the same frames
    from JPEGs, None where that was not measured. clips: the frames of each. size: height and width of a frame."""

    seconds: float
    prepared: float | None
    clips: tuple[int, ...]
    size: tuple[int, int]

    @property
    def frames(self) -> int:
        """That were read."""
        return sum(self.clips)


@dataclass(frozen=True)
class Cost:
    """Of a run that reads `videos` an epoch, of `frames` frames in all. found: what was measured. whole: every video is
    decoded once and kept. motion: motion vectors are read, too."""

    found: tuple[Measured, ...]
    videos: int
    frames: int
    whole: bool
    motion: bool

    @property
    def clips(self) -> int:
        """Clips an epoch."""
        return self.videos * len(self.found[0].clips)

    @property
    def seconds(self) -> float:
        """Of one core: an epoch's, or those of decoding everything once."""
        return self._all([one.seconds for one in self.found])

    @property
    def prepared(self) -> float | None:
        """The seconds of an epoch where the videos are prepared, None where they are or were not measured so."""
        known = [one.prepared for one in self.found if one.prepared is not None]
        return self._all(known) if len(known) == len(self.found) else None

    def _all(self, seconds: list[float]) -> float:
        share = self.frames / sum(one.frames for one in self.found) if self.whole else self.videos / len(self.found)
        return float(sum(seconds)) * share

    def lines(self) -> Iterator[str]:
        """What it comes to, a sentence each."""
        shown = self.found[len(self.found) // 2]
        if self.whole:
            measured = f"measured on {sum(one.frames for one in self.found):,} frames of {len(self.found)} videos"
            yield (
                f"All frames fit into memory and are decoded once, about {self.frames:,} of them, in about "
                f"{_about(self.seconds)} of one core ({measured})."
            )
            return
        few, many = min(shown.clips), max(shown.clips)
        each, count = f"{many}" if few == many else f"{few} to {many}", sum(len(one.clips) for one in self.found)
        high, wide = shown.size
        size = bytes_in_words(3 * many * high * wide)
        what = "decoding and motion" if self.motion else "decoding"
        text = (
            f"An epoch reads {self.clips:,} clips of {each} frames (up to {size}, at {wide} x {high}) and costs about "
            f"{_about(self.seconds)} of one core for {what} (measured on {count} clips of {len(self.found)} videos)"
        )
        if self.prepared is not None and self.prepared < self.seconds:
            text += f"; twofold prepare --short-side {min(high, wide)} would make that about {_about(self.prepared)}"
        yield f"{text}."


def measure(store: VideoStore, reads: Choose, videos: int, on_progress: OnProgress) -> Cost | None:
    """Read clips of the videos that the store has looked at, spread over the set, until SECONDS have gone. None where
    none of them can be read.

    reads: what a run reads of a video. videos: that it reads in an epoch.
    """
    found, lengths, ends = list[Measured](), list[int](), time.monotonic() + SECONDS
    looked_at = np.random.default_rng(0).permutation(sorted(store.tables)).tolist()
    for done, i in enumerate(looked_at):
        on_progress(done, len(looked_at))
        lengths.append(len(store.tables[i]))
        if time.monotonic() > ends and found:
            continue
        try:
            found.append(_measured(store, i, reads))
        except (DecodeError, IndexError):  # of a damaged file, whose table has changed
            continue
    if not found:
        return None
    frames = round(float(np.mean(lengths)) * len(store))
    return Cost(tuple(found), videos, frames, store.kept_whole, store.vectors)


def _measured(store: VideoStore, i: int, reads: Choose) -> Measured:
    video = opened_video(store.source, i, store.tables[i], store.sizes.get(i), vectors=store.vectors)
    try:
        chosen = reads(i, video.table, 0)
        clips = [np.arange(min(FROM_START, len(video)))] if store.kept_whole else chosen.clips
        began = time.thread_time()
        pictures = video.read(np.concatenate(clips).tolist(), store.short_side)
        if store.vectors and chosen.motion.size:
            video.motion(clips[0].tolist() if store.kept_whole else chosen.motion.ravel().tolist())
        seconds = time.thread_time() - began
    finally:
        video.close()
    size = pictures.shape[1:3]
    prepared = None
    if not (isinstance(video, PackedVideo) or store.kept_whole or store.vectors):
        jpegs = [jpeg_of(picture, QUALITY) for picture in pictures]
        began = time.thread_time()
        pictures_of(jpegs, (size[0], size[1]))
        prepared = time.thread_time() - began
    return Measured(seconds, prepared, tuple(map(len, clips)), (size[0], size[1]))


def _about(seconds: float) -> str:
    return duration(seconds) if seconds >= 10 else f"{seconds:.2g} s"
