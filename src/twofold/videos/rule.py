"""How clips are drawn from a video, as a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twofold.errors import UserError, above_zero


@dataclass(frozen=True)
class Sampling:
    """How clips are drawn from a video.

    frames: of a clip. stride: frames from one to the next, or the lowest and highest of strides of which one is drawn a
    video. jitter: each frame is drawn among the `stride` from its place on (CtP). second: where a second clip begins:
    "apart", drawn by itself, or "other", drawn so that it is not the first one again (BE).
    """

    frames: int = 16
    stride: int | tuple[int, int] = 4
    jitter: bool = False
    second: Literal["apart", "other"] = "apart"

    def __post_init__(self) -> None:
        low, high = self.strides
        above_zero(frames=self.frames, stride=low)
        if high < low:
            raise UserError(f"Strides go from {low} to {high}: give the lower one first.")

    @property
    def span(self) -> int:
        """Frames from the first to the last of the shortest clip, both counted."""
        return (self.frames - 1) * self.strides[0] + 1

    def describe(self) -> str:
        """In words."""
        low, high = self.strides
        several = f"stride {low}" if low == high else f"strides {low} to {high}"
        return f"{self.frames} frames, {several}" + (", each moved within its stride" if self.jitter else "")

    @property
    def strides(self) -> tuple[int, int]:
        """The lowest and the highest stride."""
        return (self.stride, self.stride) if isinstance(self.stride, int) else self.stride
