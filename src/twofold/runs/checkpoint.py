"""A checkpoint: everything that a run needs to go on to the same numbers."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.files import write_atomically
from twofold.runs.schema import finite, wrong_in

FORMAT = 4  # 2, 3: other rules for the hash of the settings
_RENAMED = {"optimiser": "optimizer", "images": "count"}  # format 1 -> 2


class Damaged(Exception):
    """A file beside a checkpoint, which its data needs, is missing or damaged: a clause that names it. The checkpoint
    before may do without."""


@dataclass
class Checkpoint:
    """State after `step` optimizer steps of `steps`.

    method: state dict (weights, EMA twins, queues and their pointers). count: of things in the data. seconds: time
    spent so far. meter: the open interval of the metrics. row: the numbers last logged. config: a hash of the settings,
    or "" where it is not known. Random numbers and the place in the data are functions of the step, so nothing of them
    is kept. versions: of packages, and the numbers of threads and processes, on which the bits depend, too. enough: a
    monitor has ended the run here. watch: what the collapse watch has seen. unmeasured: the row of metrics of this step
    where it is not written yet, for what its monitors measure is still to be added. data: of data that changes by being
    learned from. shards: where weights and the optimizer's state are shared out among processes, in how many files the
    shares lie beside; a checkpoint that has been read is whole. asked: the settings that may grow. open_ended: nothing
    so far depended on how long the run was to be.
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
    watch: dict[str, Any] = field(default_factory=dict)
    unmeasured: dict[str, float] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    shards: int = 0
    asked: dict[str, Any] = field(default_factory=dict)
    open_ended: bool = False

    def write(self, file: Path) -> None:
        """Write to a file, whole or not at all."""
        content = {"format": FORMAT, **{f.name: getattr(self, f.name) for f in fields(self)}}
        write_atomically(file, lambda handle: torch.save(content, handle))

    @classmethod
    def read(cls, file: Path) -> Checkpoint:
        """Read a file, also of an earlier format; nothing in it is executed.

        Raises UserError where it is no checkpoint.
        """
        try:
            check_stored(file)
            content = torch.load(file, map_location="cpu", weights_only=True)
            if isinstance(content, dict) and content.get("shards"):
                _join(content, [_read_shard(file.parent, content, i) for i in range(content["shards"])])
        except Exception as error:  # a damaged pickle can do anything but run
            raise UserError(
                f"{file} cannot be read as a checkpoint: remove it to begin again, or restore it."
            ) from error
        version = content.pop("format", None) if isinstance(content, dict) else None
        if version in (1, 2, 3):
            # Their hash followed other rules; the settings in config.yaml are compared anyway.
            content = {_RENAMED.get(name, name): value for name, value in content.items()} | {"config": ""}
        if version not in (1, 2, 3, FORMAT) or not set(content) <= set(cls.__dataclass_fields__):
            raise UserError(f"{file} is not a checkpoint of this version: remove it to begin again.")
        wrong = wrong_in(cls, content)
        numbers = [name for name in ("step", "steps", "count", "seconds") if name in content]
        wrong = wrong or next((name for name in numbers if not finite(content[name])), "")
        if wrong:
            raise UserError(
                f"{file} is damaged (its {wrong} cannot be meant): remove it to begin again, or restore it."
            )
        return cls(**content)

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return (self.step >= self.steps or self.enough) and not self.unmeasured


def shard_file(folder: Path, step: int, number: int, count: int) -> Path:
    """Where the shares of a process, by its number from 0, lie."""
    return folder / f"step-{step}-shard-{number + 1}-of-{count}.ckpt"


def _read_shard(folder: Path, content: Mapping[str, Any], number: int) -> dict[str, Any]:
    file = shard_file(folder, int(content["step"]), number, int(content["shards"]))
    check_stored(file)
    found: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return found


def _join(whole: dict[Any, Any], shares: list[dict[Any, Any]]) -> None:
    """Put into a state dict what its shares, of the same form, make together along the first dimension."""
    for name, first in shares[0].items():
        same = [share[name] for share in shares]
        if isinstance(first, Tensor):
            whole[name] = torch.cat(same)
        else:
            _join(whole.setdefault(name, {}), same)


def check_stored(file: Path) -> None:
    """Refuse a file that torch.save has not written, that unpacks to more than it holds, or of which a bit is not as it
    was written, by a ValueError."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise ValueError("it is no regular file")
    with zipfile.ZipFile(file) as members:
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.infolist()):
            raise ValueError("it is compressed")
        if sum(info.file_size for info in members.infolist()) > file.stat().st_size:
            raise ValueError("it claims more than it holds")
        if members.testzip() is not None:  # torch does not look
            raise ValueError("its content is not what was written")


def all_finite(tensors: Mapping[str, Any]) -> bool:
    """Whether every floating-point tensor of a state dict is finite, with one wait for the device."""
    floating = [t.detach() for t in tensors.values() if isinstance(t, Tensor) and t.is_floating_point() and t.numel()]
    by_kind: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for tensor in floating:
        by_kind.setdefault((tensor.device, tensor.dtype), []).append(tensor)
    return all(bool(torch.isfinite(torch.stack(torch._foreach_norm(same, ord=1))).all()) for same in by_kind.values())
