"""The last checkpoint of a run and the one before it: at any moment one of them is whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from twofold.errors import UserError
from twofold.files import write_atomically
from twofold.runs.checkpoint import Checkpoint, shard_file


class Checkpoints:
    """A folder with `last.ckpt`, `previous.ckpt`, and what was found damaged, as `last.ckpt.damaged`."""

    def __init__(self, folder: Path) -> None:
        self.last, self.previous = folder / "last.ckpt", folder / "previous.ckpt"

    def load(self, put_aside: bool = True) -> tuple[Checkpoint | None, str]:
        """The newest that is whole, if any, and a sentence where that is not the last one.

        put_aside: rename a damaged last one, so that it never takes the place of the whole one. Raises UserError where
        there are some and none can be read.
        """
        if not self.last.exists():
            if not self.previous.exists():
                return None, ""
            found = Checkpoint.read(self.previous)
            return found, f"{self.last} is not there; the one before it, of step {found.step:,}, is taken."
        try:
            return Checkpoint.read(self.last), ""
        except UserError:
            if not self.previous.is_file():
                raise
            with contextlib.suppress(UserError):
                return self._instead(Checkpoint.read(self.previous), put_aside)
            raise

    def put_aside(self) -> Path:
        """Rename the last one, so that it never takes the place of the one before. Returns its name then."""
        aside = self.last.with_name(f"{self.last.name}.damaged")
        with contextlib.suppress(OSError):
            self.last.replace(aside)
        return aside

    def _instead(self, taken: Checkpoint, put_aside: bool) -> tuple[Checkpoint, str]:
        aside = self.put_aside() if put_aside else self.last.with_name(f"{self.last.name}.damaged")
        return taken, (
            f"{self.last} is damaged, and kept as {aside.name}; the one before it, of step {taken.step:,}, is taken."
        )

    def save(self, checkpoint: Checkpoint) -> None:
        """Put a checkpoint in the place of the last one, which becomes the previous one.

        The last one is given its second name first, so no more than two take room at any time. After any failure it is
        as it was.
        """
        self._keep()
        try:
            checkpoint.write(self.last)
            self._sweep_shards(checkpoint.step)
        except BaseException:
            if not self.last.exists():
                with contextlib.suppress(OSError):
                    self.previous.replace(self.last)
            raise

    def save_shard(self, state: Mapping[str, Any], step: int, number: int, count: int) -> None:
        """Write what one of several processes holds of a checkpoint, before that is saved."""
        file = shard_file(self.last.parent, step, number, count)
        write_atomically(file, lambda handle: torch.save(state, handle))

    def _sweep_shards(self, step: int) -> None:
        """Remove the shards of neither this step nor the previous checkpoint's."""
        shards = list(self.last.parent.glob("step-*-shard-*.ckpt"))
        kept = {step}
        if shards and self.previous.is_file():
            with contextlib.suppress(Exception):  # a damaged one keeps none
                kept.add(torch.load(self.previous, mmap=True, map_location="cpu", weights_only=True)["step"])
        for file in shards:
            if file.name.split("-")[1] not in map(str, kept):
                with contextlib.suppress(OSError):
                    file.unlink()

    def _keep(self) -> None:
        if not self.last.is_file():
            return
        part = self.previous.with_name(f".previous.{os.getpid()}.part.ckpt")
        try:
            with contextlib.suppress(FileNotFoundError):
                part.unlink()
            os.link(self.last, part)
            part.replace(self.previous)
            with contextlib.suppress(FileNotFoundError):  # of two names of one file, the move leaves both
                part.unlink()
        except OSError:  # a file system without second names
            self.last.replace(self.previous)
