"""One file opened by PyAV, and the video stream in it that is meant."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from twofold.errors import UserError, clause
from twofold.pixels.reading.failure import DecodeError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream


MOST_PIXELS = 1 << 26  # of a frame; a small file can ask for a large one
LISTS = {"concat", "concatf", "dash", "hls", "imf"}  # what libavformat takes for films and only names other files


def av() -> Any:
    """The module PyAV. Raises UserError, with how to install it, where it is missing or too old.

    Of PyAV 14 (FFmpeg 7.1.0) the HEVC decoder can lock up for ever.
    """
    try:
        import av as found
    except ImportError as error:
        raise UserError("Videos need the extra: pip install 'twofold[video]'.") from error
    if int(found.__version__.partition(".")[0]) < 15:
        raise UserError(f"PyAV {found.__version__} can hang on HEVC: pip install 'av>=15'.")
    found.logging.set_level(None)
    return found


def failures() -> tuple[type[Exception], ...]:
    """What PyAV raises of a file that is damaged or breaks off."""
    return (av().FFmpegError, OSError, ValueError, EOFError)


class Opened(NamedTuple):
    """An open file and the stream in it that is the video. others: further streams of films, cover pictures not."""

    container: InputContainer
    stream: VideoStream
    others: int

    @property
    def codec(self) -> Any:
        """The decoder of the stream."""
        return self.stream.codec_context


def open_container(file: str | BinaryIO) -> Opened:
    """Open a file from its beginning, with one decoding thread; to be closed by the caller.

    Several threads of libavcodec give wrong motion vectors, and with one process a core there is nothing to gain.
    Raises DecodeError where it cannot be opened, holds no video, or one of frames of more than MOST_PIXELS.
    """
    module = av()
    try:
        if not isinstance(file, str):
            file.seek(0)
        # FFmpeg takes what stands before a colon for a protocol, such as pipe:, but not in a path with a slash.
        path = os.path.join(os.curdir, file) if isinstance(file, str) else file
        container = module.open(path, metadata_errors="ignore")
    except FileNotFoundError as error:
        raise DecodeError("the file does not exist") from error
    except failures() as error:
        empty = isinstance(file, str) and os.path.isfile(file) and not os.path.getsize(file)
        raise DecodeError("the file is empty" if empty else f"no video that can be opened ({_said(error)})") from error
    try:
        if container.format.name in LISTS:
            raise DecodeError("a list of other files and no video")
        stream, others = _meant(container)
        if stream.codec_context is None:
            raise DecodeError("a codec that is not known")
        if stream.codec_context.width * stream.codec_context.height > MOST_PIXELS:
            height, width = stream.codec_context.height, stream.codec_context.width
            raise DecodeError(f"frames of {width:,} x {height:,} pixels, too large to read")
        stream.codec_context.options = {"max_pixels": str(2 * MOST_PIXELS)}  # decoders count their padding, too
        stream.codec_context.thread_count = 1
        stream.codec_context.thread_type = "NONE"
    except DecodeError:
        container.close()
        raise
    return Opened(container, stream, others)


@contextmanager
def opened(file: str | BinaryIO) -> Iterator[Opened]:
    """`open_container` for a block, at whose end it is closed."""
    found = open_container(file)
    try:
        yield found
    finally:
        found.container.close()


def packets_of(container: InputContainer, stream: VideoStream) -> Iterator[Any]:
    """The packets of a stream that hold something, to where the file ends or breaks off."""
    failing = failures()  # looked up here: at the end of the program modules are gone
    while True:
        try:
            for packet in container.demux(stream):
                if packet.size:
                    yield packet
            return
        except IndexError:  # PyAV, of another stream that begins here
            continue
        except failing:
            return


def frames_of(codec: Any, packet: Any) -> list[Any]:
    """The frames that a packet completes, none where it is damaged; of None, those that the decoder still holds."""
    try:
        return list(codec.decode(packet))
    except failures():
        return []


def side_data(frame: Any) -> Any:
    """What a decoder tells of a frame beside its pixels, by name.

    `frame.side_data` is the same, but then the frame and it hold each other: its pixels stay in memory until Python
    looks for such circles, which is hundreds of frames later.
    """
    from av.sidedata.sidedata import SideDataContainer

    return SideDataContainer(frame)  # type: ignore[call-arg]  # not told by PyAV's stubs


def _said(error: Exception) -> str:
    """What the library says, without the path that PyAV puts to it, so that files of one fault are counted together."""
    return (getattr(error, "strerror", None) or clause(error)).lower()


def _meant(container: InputContainer) -> tuple[VideoStream, int]:
    """The default one of the streams that are films and not cover pictures, else the first; and how many others."""
    module = sys.modules["av"]
    films = [s for s in container.streams.video if not s.disposition & module.stream.Disposition.attached_pic]
    if not films:
        raise DecodeError("a cover picture and no video" if container.streams.video else "no video in it")
    default = (s for s in films if s.disposition & module.stream.Disposition.default)
    return next(default, films[0]), len(films) - 1
