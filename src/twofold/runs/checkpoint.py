"""A checkpoint: everything that a run needs to go on to the same numbers."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.files import write_atomically

FORMAT = 2
_RENAMED = {"optimiser": "optimizer", "images": "count"}  # format 1 -> 2


@dataclass
class Checkpoint:
    """State after `step` optimizer steps of `steps`.

    method: state dict (weights, EMA twins, queues and their pointers). count: of things in the data. seconds: time
    spent so far. meter: the open interval of the metrics. row: the numbers last logged. config: a hash of the settings,
    or "" where it is not known. Random numbers and the place in the data are functions of the step, so nothing of them
    is kept. versions: of packages, and the numbers of threads and processes, on which the bits depend, too. enough: a
    monitor has ended the run here.
    """

    method: dict[str, Any]
    optimizer: dict[str, Any]
    step: int
    steps: int
    count: int
    seconds: float = 0.0
    meter: dict[str, Any] = field(default_factory=dict)
    row: dict[str, float] = field(default_factory=dict)
    config: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    enough: bool = False

    def write(self, file: Path) -> None:
        """Write to a file, whole or not at all."""
        content = {"format": FORMAT, **{f.name: getattr(self, f.name) for f in fields(self)}}
        write_atomically(file, lambda handle: torch.save(content, handle))

    @classmethod
    def read(cls, file: Path) -> Checkpoint:
        """Read a file, also of format 1; nothing in it is executed. Raises UserError where it is no checkpoint."""
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, BadZipFile, EOFError, ValueError, KeyError) as error:
            raise UserError(
                f"{file} cannot be read as a checkpoint: remove it to begin again, or restore it."
            ) from error
        version = content.pop("format", None) if isinstance(content, dict) else None
        if version == 1:
            # Its hash followed another rule; the settings in config.yaml are compared anyway.
            content = {_RENAMED.get(name, name): value for name, value in content.items()} | {"config": ""}
        if version not in (1, FORMAT) or not content.keys() <= cls.__dataclass_fields__.keys():
            raise UserError(f"{file} is not a checkpoint of this version: remove it to begin again.")
        return cls(**content)

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return self.step >= self.steps or self.enough


def all_finite(tensors: Mapping[str, Any]) -> bool:
    """Whether every floating-point tensor of a state dict is finite, with one wait for the device."""
    floating = [t.detach() for t in tensors.values() if isinstance(t, Tensor) and t.is_floating_point() and t.numel()]
    by_kind: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for tensor in floating:
        by_kind.setdefault((tensor.device, tensor.dtype), []).append(tensor)
    return all(bool(torch.isfinite(torch.stack(torch._foreach_norm(same, ord=1))).all()) for same in by_kind.values())
