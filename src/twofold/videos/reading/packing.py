"""One video written as prepared ones are, in one decode; and a copy of it whose frames tell their motion."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from twofold.files import write_atomically
from twofold.pixels.reading.failure import DecodeError
from twofold.videos.container import av
from twofold.videos.motion.painting import REFERENCE, paint_grids
from twofold.videos.motion.vectors import rows_of
from twofold.videos.orientation import display_matrix, orientation_of
from twofold.videos.reading.packed import CHUNK, MAGIC, Index
from twofold.videos.reading.video import Video, shrunk

GROUP, RATE = 12, 25  # frames from one keyframe of a copy to the next; frames a second in its header alone
OFFSET = 8  # bytes that say where the index begins


def write_packed(
    path: Path, video: Video, *, short_side: int | None, quality: int, key: str, motion: Video | None = None
) -> None:
    """Write a video at `path`. motion: the video whose motion is kept, frame by frame: the same, or its copy in another
    codec. Raises DecodeError where a frame cannot be decoded."""

    def write(handle: IO[bytes]) -> None:
        writer = _Writer(handle, video, short_side, quality, _Motion() if motion is not None else None)
        if motion is video or motion is None:
            video.walk(writer.take)
        else:
            video.walk(writer.take_picture)
            motion.walk(writer.take_motion)
        writer.finish(key)

    write_atomically(path, write)


class _Motion:
    """Grids of frames, packed as they come."""

    def __init__(self) -> None:
        self.packed: list[bytes] = []
        self.size = (0, 0)
        self._rows: list[np.ndarray] = []

    def add(self, frame: Any) -> None:
        """The next frame."""
        turn = orientation_of(display_matrix(frame))
        size = (frame.width, frame.height) if turn.transpose else (frame.height, frame.width)
        if self.size not in ((0, 0), size):
            raise DecodeError("its frames change in size, and motion is not followed over that")
        self.size, self._turn, self._stored = size, turn, (frame.height, frame.width)
        self._rows.append(rows_of(frame))
        if len(self._rows) == CHUNK:
            self.close()

    def close(self) -> None:
        """Pack what has come since the last chunk."""
        if self._rows:
            grids = self._turn.vectors(paint_grids(self._rows, *self._stored))
            self.packed.append(zlib.compress(np.ascontiguousarray(grids).tobytes(), 6))
            self._rows = []


class _Writer:
    """Fills a file with one video. A walk that begins anew, as of damaged videos, begins the file anew."""

    def __init__(
        self, handle: IO[bytes], video: Video, short_side: int | None, quality: int, motion: _Motion | None
    ) -> None:
        self.handle, self.video, self.short_side, self.quality = handle, video, short_side, quality
        self.motion = motion
        self.size, self.lengths = (0, 0), list[int]()

    def take(self, number: int, frame: Any) -> None:
        """The next frame, with its motion where that is kept."""
        self.take_picture(number, frame)
        if self.motion is not None:
            self.take_motion(number, frame)

    def take_picture(self, number: int, frame: Any) -> None:
        """The picture of the next frame, in the size of the first."""
        if number == 0:
            self.handle.seek(0)
            self.handle.truncate()
            self.handle.write(MAGIC)
            self.size, self.lengths = shrunk(*self.video.shown_size(frame), self.short_side), []
        out = io.BytesIO()
        Image.fromarray(self.video.picture(frame, *self.size)).save(out, "JPEG", quality=self.quality)
        self.lengths.append(self.handle.write(out.getbuffer()))

    def take_motion(self, number: int, frame: Any) -> None:
        """The motion of the next frame."""
        if number == 0:
            self.motion = _Motion()
        assert self.motion is not None
        self.motion.add(frame)

    def finish(self, key: str) -> None:
        """The grids and the index."""
        table, ends = self.video.table, np.cumsum([len(MAGIC), *self.lengths])
        packed, stored = [], (0, 0)
        if self.motion is not None:
            self.motion.close()
            packed, stored = self.motion.packed, self.motion.size
        begins, keys = np.zeros(len(table), bool), np.zeros(len(table), bool)
        begins[[stretch.first for stretch in table.stretches]] = True
        keys[[start.frame for start in table.starts]] = True
        self.handle.writelines(packed)
        motion = np.cumsum([ends[-1], *map(len, packed)])
        index = Index(key, *self.size, stored, table.claimed, table.times, keys, begins, ends, motion)
        self.handle.write(index.written() + int(motion[-1]).to_bytes(OFFSET, "little"))


def copy_with_motion(video: Video, path: Path) -> Video:
    """A copy of a video in H.264, as shown, of at most 256 pixels on its short side, a keyframe every 12 frames, no
    B-frames and one reference: its frames are those of the video, and tell their motion."""
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

        video.walk(take)
        container.mux(stream.encode())
    copied = Video(str(path), vectors=True)
    if len(copied) != len(video):
        raise DecodeError(f"its copy in H.264 has {len(copied):,} frames of {len(video):,}")
    return copied
