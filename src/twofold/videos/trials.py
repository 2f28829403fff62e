"""What videos need of the machine, for `twofold doctor`."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np

from twofold.catalog.trials import Trial, try_out, version_of


def trials() -> Iterator[Trial]:
    """Decoding, with motion vectors."""
    yield try_out("videos: decoding, motion vectors", "av", 'pip install "twofold[video]"', _decode)


def _decode() -> str:
    from twofold.videos.container import av, opened
    from twofold.videos.motion.vectors import motion_vectors

    held = io.BytesIO()
    ramp = np.arange(0, 256, 4, dtype=np.uint8).repeat(3).reshape(1, 64, 3).repeat(64, 0)
    with av().open(held, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for shift in range(8):
            frame = av().VideoFrame.from_ndarray(np.roll(ramp, 4 * shift, 1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with opened(held) as (container, stream, _):
        frames = sum(1 for _ in container.decode(stream))
    told = sum(len(frame.rows) for frame in motion_vectors(held))
    return f"{frames} frames of H.264 with {told} motion vectors by PyAV {version_of('av')}"
