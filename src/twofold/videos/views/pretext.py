"""What a pretext task has to say about clips and views: which frames are read, how views are cut, what is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from twofold.pixels.views.draw import Draws
from twofold.seam import Task
from twofold.videos.batch import ClipBatch
from twofold.videos.rule import Sampling
from twofold.videos.sampling import Chosen, Film, choose_clips


@dataclass(frozen=True)
class Exercise:
    """A pretext task over one batch.

    draws: of each view. task: what the method is told. alter: makes of a view's number and its clips (B, T, 3, S, S) in
    0..1, once they are cut and mirrored and before their colours change, what the view shows.
    """

    draws: list[Draws]
    task: Task | None = None
    alter: Callable[[int, Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Pretext:
    """A pretext task's settings; a subclass says only what differs from plain views of plain clips.

    `Method.pretext` holds one. All that it draws is a function of (seed, epoch, index). motion: whether it reads motion
    vectors. boxed: how many of the views, from the first on, it cuts by boxes of its own drawing.
    """

    motion: ClassVar[bool] = False
    boxed: ClassVar[int] = 0

    def choose(self, sampling: Sampling, film: Film, index: int, seed: int, epoch: int, clips: int) -> Chosen:
        """The frames to be read of video `index`: as many clips as the views are cut from."""
        return choose_clips(sampling, film, index, seed, epoch, clips)

    def exercise(self, batch: ClipBatch, draws: list[Draws], side: int, seed: int, epoch: int) -> Exercise:
        """The task over a batch: views of `side` pixels, drawn as they would be without it."""
        return Exercise(draws)

    def remarks(self, sampling: Sampling, lengths: Sequence[int]) -> list[str]:
        """What a user should know before training on videos of so many frames, a sentence each."""
        return []
