"""Motion vectors and keyframes as the decoder meets them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, BinaryIO

import numpy as np

from twofold.errors import UserError
from twofold.pixels.reading.failure import DecodeError
from twofold.videos.container import av, frames_of, opened, packets_of, side_data
from twofold.videos.orientation import Orientation, display_matrix, orientation_of
from twofold.videos.pictures import Pictures

WITHOUT = 64  # frames without vectors, after which a file is known to tell none
LOOKED_AT = 250  # frames of which `still_share` looks at the vectors
ROW = np.dtype(
    [
        ("source", "i4"),
        ("w", "u1"),
        ("h", "u1"),
        ("src_x", "i2"),
        ("src_y", "i2"),
        ("dst_x", "i2"),
        ("dst_y", "i2"),
        ("flags", "u8"),
        ("motion_x", "i4"),
        ("motion_y", "i4"),
        ("motion_scale", "u2"),
    ],
    align=True,
)  # AVMotionVector
EMPTY = np.zeros(0, ROW)


@dataclass(frozen=True)
class MotionFrame:
    """One frame in the order of showing.

    number: from 0. time: seconds by its stamp, or None. key: whether it is a keyframe, which has no vectors. height,
    width: stored pixels. orientation: how it is turned to be shown (`Orientation.vectors` turns grids). interlaced: its
    vectors mix two times. rows: FFmpeg's vectors, a structured array (source, w, h, src_x, src_y, dst_x, dst_y,
    motion_x, motion_y, motion_scale); a block's centre is dst, its content comes from src. picture: of keyframes, where
    they are asked for, uint8 (H, W, 3), as shown.
    """

    number: int
    time: float | None
    key: bool
    height: int
    width: int
    orientation: Orientation
    interlaced: bool
    rows: np.ndarray
    picture: np.ndarray | None = None


@dataclass(frozen=True)
class Keyframe:
    """number: among the keyframes, from 0. time: seconds by its stamp, or None. picture: uint8 (H, W, 3), as shown."""

    number: int
    time: float | None
    picture: np.ndarray


def motion_vectors(file: str | BinaryIO, *, pictures: bool = False) -> Iterator[MotionFrame]:
    """Every frame of a video with its motion vectors, in one decode by one thread: with several, vectors are wrong.
    pictures: with the pictures of keyframes.

    Vectors are in H.264, MPEG-4 part 2 and MPEG-2. Whether a file has some is told by its frames, not by its codec, and
    before the first of them is given: up to 64 frames are held back until one has vectors.
    Raises UserError where none but keyframes come, or frames without vectors; DecodeError where it cannot be opened or
    no frame can be decoded.
    """
    held: list[tuple[MotionFrame, Any]] = []
    told = False
    with opened(file) as (container, stream, _):
        codec, pictures_of = stream.codec_context, Pictures()
        export_vectors(codec)
        # Vectors do not depend on the deblocking filter, which takes up to a quarter of the time. Keyframes do, and
        # those of open groups are none to "nokey".
        codec.options = {**codec.options, "skip_loop_filter": "nointra" if pictures else "all"}
        for number, frame in enumerate(_decoded(container, stream)):
            held.append((_motion(number, frame, stream), frame if pictures and frame.key_frame else None))
            told = told or len(held[-1][0].rows) > 0
            if not told and len(held) > WITHOUT:
                break
            if told:
                for moved, keyframe in held:
                    yield (moved if keyframe is None else replace(moved, picture=pictures_of.whole(keyframe, stream)))
                held.clear()
        if not told:
            raise _without(file, codec.name, [frame for frame, _ in held])


def export_vectors(codec: Any) -> None:
    """Let the frames of a decoder carry their motion vectors."""
    codec.flags2 |= av().codec.context.Flags2.export_mvs


def rows_of(frame: Any) -> np.ndarray:
    """FFmpeg's vectors of a decoded frame, (N,) of `ROW`; copied, since a view would keep the frame's pixels."""
    found = side_data(frame).get("MOTION_VECTORS")
    return EMPTY if found is None else np.frombuffer(bytes(found), ROW)


def _motion(number: int, frame: Any, stream: Any) -> MotionFrame:
    turn = orientation_of(display_matrix(frame))
    key, mixed = bool(frame.key_frame), bool(frame.interlaced_frame)
    return MotionFrame(number, _time(frame, stream), key, frame.height, frame.width, turn, mixed, rows_of(frame))


def _time(frame: Any, stream: Any) -> float | None:
    """Seconds by its stamp; PyAV gives frames that a decoder held back until the end without a unit."""
    unit = stream.time_base
    return None if frame.pts is None or not unit else frame.pts * unit.numerator / unit.denominator


def _without(file: str | BinaryIO, codec: str, frames: Sequence[MotionFrame]) -> Exception:
    """Why a file gives no vectors, by its first frames."""
    if not frames:
        return DecodeError("no frame that can be decoded")
    keys = all(frame.key for frame in frames)
    why = "begins with keyframes alone" if len(frames) > WITHOUT else "holds keyframes alone"
    why = why if keys else f"is {codec}, of which the decoder tells no motion vectors"
    return UserError(
        f"{file if isinstance(file, str) else 'The video'} {why}: turn it into H.264 first, by twofold prepare "
        "--motion, or with ffmpeg -i IN -c:v libx264 -bf 0 -refs 1 -g 12 OUT.mp4."
    )


def past(rows: np.ndarray) -> np.ndarray:
    """One vector a block, from the frame before: those of list 0, and, of blocks that have one from the future alone,
    its negative."""
    if not len(rows) or (rows["source"] < 0).all():
        return rows
    before, after = rows[rows["source"] < 0], rows[rows["source"] >= 0].copy()
    place = [r["dst_y"].astype(np.int64) << 16 | r["dst_x"].astype(np.int64) for r in (before, after)]
    after = after[~np.isin(place[1], place[0])]
    for axis in "xy":
        after[f"src_{axis}"] = 2 * after[f"dst_{axis}"] - after[f"src_{axis}"]
        after[f"motion_{axis}"] = -after[f"motion_{axis}"]
    after["source"] = -1
    return np.concatenate([before, after])


def keyframes(file: str | BinaryIO) -> Iterator[Keyframe]:
    """The keyframes of a video; the frames between them are not decoded."""
    with opened(file) as (container, stream, _):
        pictures_of = Pictures()
        stream.codec_context.skip_frame = "NONKEY"
        for number, frame in enumerate(_decoded(container, stream)):
            yield Keyframe(number, _time(frame, stream), pictures_of.whole(frame, stream))


def still_share(file: str | BinaryIO) -> float:
    """The share of frames with vectors, of the first 250 frames, in which nothing moves: repeated frames, mostly.
    Frames without vectors tell nothing of it: they are drawn anew, or the last of an MPEG-2 file."""
    frames = (frame for frame in islice(motion_vectors(file), LOOKED_AT) if len(frame.rows))
    still = [not (frame.rows["motion_x"].any() or frame.rows["motion_y"].any()) for frame in frames]
    return float(np.mean(still)) if still else 0.0


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """The frames of a stream, over damaged packets and up to where the file breaks off."""
    for packet in packets_of(container, stream):
        yield from frames_of(stream.codec_context, packet)
    yield from frames_of(stream.codec_context, None)
