"""Decoded frames as 8-bit RGB, by one rule for matrix and range whoever reads them.

What the file says counts. Where it says nothing, the matrix is BT.601 below 720 lines and BT.709 from there, and the
range is that of television, but for formats whose name says full range. HDR (PQ and HLG) goes through one fixed tone
map: linear light over 203 cd/m2 (the white of BT.2408), BT.2020 to BT.709 primaries, x / (1 + x) scaled so that
1,000 cd/m2 is white, sRGB's curve. Alpha is left out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

BT709, BT601, BT2020 = 1, 5, 9  # as swscale counts them
MATRICES = {1: BT709, 4: 4, 5: BT601, 6: BT601, 7: 7, 9: BT2020, 10: BT2020}
UNSAID = (0, 2, 3)
LINES = 720
TELEVISION, FULL = 1, 2
PQ, HLG = 16, 18
WHITE, PEAK = 203.0, 1000.0  # cd/m2
TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)  # BT.2087, linear light


def is_hdr(frame: Any) -> bool:
    """Whether a decoded frame says that it is of high dynamic range."""
    return int(frame.color_trc) in (PQ, HLG)


def matrix_of(frame: Any) -> int:
    """The matrix that turns a frame's luma and chroma into colour, as swscale counts them."""
    said = int(frame.colorspace)
    if said in UNSAID or said not in MATRICES:
        return BT601 if frame.height < LINES else BT709
    return MATRICES[said]


class ToRGB:
    """Converts frames one after another, and keeps swscale's tables between them."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()

    def __call__(self, frame: Any, height: int, width: int) -> np.ndarray:
        """The frame as uint8 (height, width, 3), resized with an antialiased triangle filter where it has another
        size."""
        kind = "rgb48le" if is_hdr(frame) else "rgb24"
        full = int(frame.color_range) == FULL or frame.format.name.startswith("yuvj")
        made = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=kind,
            src_colorspace=matrix_of(frame),
            dst_colorspace=BT709,
            src_color_range=FULL if full else TELEVISION,
            dst_color_range=FULL,
            interpolation="BILINEAR",
            **_one_thread(),
        ).to_ndarray()
        return tone_mapped(made, int(frame.color_trc)) if kind == "rgb48le" else made


@lru_cache(1)
def _one_thread() -> dict[str, int]:
    """swscale takes all cores where it is not told otherwise, by versions of PyAV that can tell it."""
    from av.video.reformatter import VideoReformatter

    return {"threads": 1} if "threads" in (VideoReformatter.reformat.__doc__ or "") else {}


def tone_mapped(levels: np.ndarray, curve: int) -> np.ndarray:
    """uint16 (..., 3) levels of PQ (SMPTE ST 2084) or HLG (ARIB STD-B67), BT.2020 primaries, as sRGB uint8."""
    light = (_pq() if curve == PQ else _hlg())[levels] / WHITE
    light = np.clip(light @ TO_BT709.T, 0, None)
    peak = PEAK / WHITE
    mapped = np.clip(light / (1 + light) * ((1 + peak) / peak), 0, 1)
    curved = np.where(mapped <= 0.0031308, 12.92 * mapped, 1.055 * mapped ** (1 / 2.4) - 0.055)
    return np.round(255 * curved).astype(np.uint8)


@lru_cache(1)
def _pq() -> np.ndarray:
    """cd/m2 of each level (BT.2100, table 4)."""
    e = (np.arange(65536) / 65535) ** (1 / 78.84375)
    return (10_000 * (np.clip(e - 0.8359375, 0, None) / (18.8515625 - 18.6875 * e)) ** (1 / 0.1593017578125)).astype(
        np.float32
    )


@lru_cache(1)
def _hlg() -> np.ndarray:
    """cd/m2 of each level on a display of 1,000 (BT.2100, table 5), the system gamma of 1.2 channel by channel."""
    e = np.arange(65536) / 65535
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(e <= 0.5, e**2 / 3, (np.exp((e - c) / a) + b) / 12)
    return (PEAK * scene**1.2).astype(np.float32)
