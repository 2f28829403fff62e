"""Small videos that every test of the wing may read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from twofold.videos.container import av


def write_video(
    path: Path,
    frames: np.ndarray,
    rate: int = 25,
    codec: str = "mpeg4",
    gop: int = 12,
    options: dict[str, str] | None = None,
) -> None:
    """Frames uint8 (T, H, W, 3) as a file of a codec."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av().open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.codec_context.gop_size = gop
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av().VideoFrame.from_ndarray(frame).reformat(format="yuv420p")))
        container.mux(stream.encode())


def moving(kind: str, seed: int, frames: int = 14, side: int = 32) -> np.ndarray:
    """A bright square that moves to the right or down over a background of its own."""
    drawn = np.random.default_rng(seed)
    film = np.tile(drawn.integers(0, 120, (1, 1, 1, 3)), (frames, side, side + 8, 1)).astype(np.uint8)
    start = drawn.integers(0, 8)
    for t in range(frames):
        across, down = (start + t, 10) if kind == "right" else (14, start + t)
        film[t, down : down + 8, across : across + 8] = 255
    return film


@pytest.fixture(scope="session")
def album(tmp_path_factory) -> Path:
    """train/ and test/ of two classes, right and down."""
    root = tmp_path_factory.mktemp("album")
    for part, count in (("train", 6), ("test", 3)):
        for kind in ("right", "down"):
            for i in range(count):
                seed = i + 100 * (part == "test") + 1000 * (kind == "down")
                write_video(root / part / kind / f"{i}.mp4", moving(kind, seed))
    return root
