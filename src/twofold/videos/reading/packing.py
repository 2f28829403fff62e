"""One video written as prepared ones are, in one decode; and a copy of it whose frames tell their motion."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from twofold.files import write_atomically
from twofold.pixels.reading.failure import DecodeError
from twofold.videos.container import av
from twofold.videos.motion.following import Following
from twofold.videos.motion.painting import REFERENCE
from twofold.videos.reading.keeping import Keeping, Kept, walk_kept
from twofold.videos.reading.packed import CHUNK, MAGIC, Index, jpeg_of
from twofold.videos.reading.table import FrameTable
from twofold.videos.reading.video import Video, shrunk

GROUP, RATE = 12, 25  # frames from one keyframe of a copy to the next; frames a second in its header alone
OFFSET = 8  # bytes that say where the index begins


def write_packed(
    path: Path,
    video: Video,
    *,
    short_side: int | None,
    quality: int,
    key: str,
    motion: Video | None = None,
    keeping: Keeping | None = None,
) -> bool:
    """Write a video at `path`; whether its pictures were deinterlaced.

    motion: the video whose motion is kept, frame by frame: the same, or its copy in another codec. keeping: which
    frames are kept; all of them where the motion is the video's own. Raises DecodeError where a frame cannot be
    decoded.
    """
    keeping, deinterlaced = keeping or Keeping(), False

    def write(handle: IO[bytes]) -> None:
        nonlocal deinterlaced
        writer = _Writer(handle, video, short_side, quality)
        kept = walk_kept(video, keeping, writer.take_picture, writer.take_motion if motion is video else None)
        if motion is not None and motion is not video:
            motion.walk(writer.take_motion)
            if len(motion) != len(kept):
                raise DecodeError("its frames differ from one decoding to the next")
        keys = _keys(video.table, kept) if motion is None or motion is video else _starts(motion.table)
        writer.finish(key, kept, keys)
        deinterlaced = kept.deinterlaced

    write_atomically(path, write)
    return deinterlaced


def _starts(table: FrameTable) -> np.ndarray:
    """bool (n,): the frames from which decoding may start."""
    keys = np.zeros(len(table), bool)
    keys[[start.frame for start in table.starts]] = True
    return keys


def _keys(table: FrameTable, kept: Kept) -> np.ndarray:
    """bool (m,): the kept frames that are keyframes of their video, once each."""
    return _starts(table)[kept.numbers] & (np.diff(kept.numbers, prepend=-1) > 0)


class _Motion:
    """Grids of frames, packed as they come."""

    def __init__(self) -> None:
        self.packed: list[bytes] = []
        self.size = (0, 0)
        self._following = Following()

    def add(self, frame: Any) -> None:
        """The next frame."""
        self._following.add(frame)
        if len(self._following) == CHUNK:
            self.close()

    def close(self) -> None:
        """Pack what has come since the last chunk."""
        if len(self._following):
            grids = self._following.grids()
            self.size = (grids.height, grids.width)
            self.packed.append(zlib.compress(grids.cells.tobytes(), 6))


class _Writer:
    """Fills a file with one video. A walk that begins anew, as of damaged videos, begins the file anew."""

    def __init__(self, handle: IO[bytes], video: Video, short_side: int | None, quality: int) -> None:
        self.handle, self.video, self.short_side, self.quality = handle, video, short_side, quality
        self.size, self.lengths = (0, 0), list[int]()
        self.motion = _Motion()

    def take_picture(self, number: int, frame: Any) -> None:
        """The picture of the next frame, in the size of the first."""
        if number == 0:
            self.handle.seek(0)
            self.handle.truncate()
            self.handle.write(MAGIC)
            self.size, self.lengths = shrunk(*self.video.shown_size(frame), self.short_side), []
        self.lengths.append(self.handle.write(jpeg_of(self.video.picture(frame, *self.size), self.quality)))

    def take_motion(self, number: int, frame: Any) -> None:
        """The motion of the next frame."""
        if number == 0:
            self.motion = _Motion()
        self.motion.add(frame)

    def finish(self, key: str, kept: Kept, keys: np.ndarray) -> None:
        """The grids and the index. keys: bool (m,), which of the kept frames are keyframes."""
        self.motion.close()
        ends = np.cumsum([len(MAGIC), *self.lengths])
        self.handle.writelines(self.motion.packed)
        motion = np.cumsum([ends[-1], *map(len, self.motion.packed)])
        index = Index(
            key=key,
            height=self.size[0],
            width=self.size[1],
            stored=self.motion.size,
            claimed=self.video.table.claimed,
            deinterlaced=kept.deinterlaced,
            times=kept.times,
            keys=keys,
            begins=kept.begins,
            ends=ends,
            motion=motion,
        )
        self.handle.write(index.written() + int(motion[-1]).to_bytes(OFFSET, "little"))


def copy_with_motion(video: Video, path: Path, keeping: Keeping | None = None) -> Video:
    """A copy of a video in H.264, as shown, of at most 256 pixels on its short side, a keyframe every 12 frames, no
    B-frames and one reference: its frames are those of the video that are kept, and tell their motion."""
    with av().open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "bf": "0", "refs": "1"})
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = GROUP

        def take(number: int, frame: Any) -> None:
            if number == 0:
                if stream.codec_context.is_open:
                    raise DecodeError("its frames differ from one decoding to the next")
                high, wide = shrunk(*video.shown_size(frame), REFERENCE)
                stream.height, stream.width = high + high % 2, wide + wide % 2
            picture = video.picture(frame, stream.height, stream.width)
            shown = av().VideoFrame.from_ndarray(picture).reformat(format="yuv420p")
            shown.pts = number
            container.mux(stream.encode(shown))

        kept = walk_kept(video, keeping or Keeping(), take)
        container.mux(stream.encode())
    copied = Video(str(path), vectors=True)
    if len(copied) != len(kept):
        raise DecodeError(f"its copy in H.264 has {len(copied):,} frames of {len(kept):,}")
    return copied
