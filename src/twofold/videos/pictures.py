"""Decoded frames of a stream as the pictures that are shown: in colour, turned, mirrored and stretched."""

from __future__ import annotations

from typing import Any

import numpy as np

from twofold.videos.colour import ToRGB
from twofold.videos.orientation import display_matrix, orientation_of, shown_size


class Pictures:
    """Makes pictures of frames one after another, and keeps swscale's tables between them."""

    def __init__(self) -> None:
        self._to_rgb = ToRGB()

    @staticmethod
    def size(frame: Any, stream: Any) -> tuple[int, int]:
        """Height and width of a frame of a stream as it is shown, in square pixels."""
        aspect = stream.codec_context.sample_aspect_ratio or stream.sample_aspect_ratio
        return shown_size(frame.height, frame.width, aspect, orientation_of(display_matrix(frame)))

    def whole(self, frame: Any, stream: Any) -> np.ndarray:
        """A frame of a stream in the size in which it is shown."""
        return self(frame, *self.size(frame, stream))

    def __call__(self, frame: Any, height: int, width: int) -> np.ndarray:
        """A frame as shown, uint8 (height, width, 3)."""
        turn = orientation_of(display_matrix(frame))
        stored = (width, height) if turn.transpose else (height, width)
        return turn.pictures(self._to_rgb(frame, *stored))
