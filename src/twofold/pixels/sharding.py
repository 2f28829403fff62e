"""A long job in parts that several processes share out: each part a file, there or not, the same whoever writes it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from twofold.errors import UserError
from twofold.files import write_json
from twofold.launcher import here
from twofold.printable import say
from twofold.runs.folder import data_name
from twofold.runs.schema import read_json
from twofold.runs.screen import OnProgress, progress_bar

PART = 16_384  # things in a part, whatever the number of shards
FOLDER_FILE = "_parts.json"  # readers of folders of parquet files pass over such names


@dataclass(frozen=True)
class Shard:
    """The number of this process, from 1, among `count` that share a job out."""

    number: int
    count: int

    def own(self, parts: int) -> range:
        """The numbers of its parts, from 0."""
        return range(self.number - 1, parts, self.count)


def shard_named(text: str) -> Shard:
    """'3/64', the third of 64; or "auto": the processes that were started together, of all jobs of an array of SLURM.

    Raises UserError for anything else.
    """
    if text == "auto":
        (number, count), (job, jobs) = here(), _array()
        return _checked(job * count + number + 1, jobs * count, text)
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if not found:
        raise UserError(f"--shard takes a part such as 3/64, or auto, not {text!r:.40}.")
    return _checked(int(found[1]), int(found[2]), text)


def _array() -> tuple[int, int]:
    """The number of this job in an array of SLURM, from 0, and how many there are."""
    told = [os.environ.get(f"SLURM_ARRAY_TASK_{name}", "") for name in ("ID", "MIN", "COUNT")]
    if not all(word.isdigit() for word in told):
        return 0, 1
    job, first, jobs = map(int, told)
    return job - first, jobs


def _checked(number: int, count: int, text: str) -> Shard:
    if not 1 <= number <= count:
        raise UserError(f"--shard {text}: there is no part {number} of {count}; they are numbered from 1.")
    return Shard(number, count)


@dataclass(frozen=True)
class Parts:
    """Files of a folder for `total` things, about PART in each. about: what they hold, which all processes must agree
    on. together: how many go through a network at once, so that parts end where batches do."""

    folder: Path
    total: int
    about: str
    together: int = 1

    @property
    def size(self) -> int:
        """Things in a part."""
        return max(PART // self.together, 1) * self.together

    def __len__(self) -> int:
        return -(-self.total // self.size)

    def file(self, number: int) -> Path:
        """Where a part lies."""
        return self.folder / f"part-{number:05d}-of-{len(self):05d}.parquet"

    def rows(self, number: int) -> range:
        """The things in a part."""
        return range(number * self.size, min((number + 1) * self.size, self.total))

    def claim(self) -> None:
        """Say in the folder what its parts hold. Raises UserError where they hold something else."""
        self.folder.mkdir(parents=True, exist_ok=True)
        said: dict[str, Any] = {"about": self.about, "things": self.total, "in a part": self.size}
        file = self.folder / FOLDER_FILE
        if not file.exists():
            if any(self.folder.glob("part-*.parquet")):
                raise UserError(f"{self.folder} holds parts of something else: name another folder by --out.")
            write_json(file, said)
        if read_json(file) != said:
            raise UserError(
                f"{self.folder} holds vectors of other data, of another model or in other sizes: name another folder "
                "by --out."
            )

    def there(self) -> int:
        """How many parts are there."""
        return sum(self.file(number).exists() for number in range(len(self)))

    def missing(self, own: Iterable[int]) -> Iterator[int]:
        """Those of some parts that are not there, one after the other, without what a killed process left of them."""
        for number in own:
            if not self.file(number).exists():
                for left in self.folder.glob(f".{self.file(number).stem}.*"):
                    with suppress(OSError):
                        left.unlink()
                yield number


def about_vectors(schema: Any, network: nn.Module | None) -> str:
    """A digest of what vectors are made by and of: what their file says, and the weights, where there are such."""
    state = hashlib.blake2b(
        schema.to_string(show_schema_metadata=True, truncate_metadata=False).encode(), digest_size=16
    )
    for name, value in (network.state_dict() if network else {}).items():
        state.update(name.encode())
        state.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return state.hexdigest()


def take_device() -> None:
    """Of several processes on a machine each takes a GPU of its own, as far as there are so many."""
    if torch.cuda.is_available():
        local = next((os.environ[name] for name in ("LOCAL_RANK", "SLURM_LOCALID") if name in os.environ), "0")
        torch.cuda.set_device(int(local) % torch.cuda.device_count())


def write_shard(shard: Shard, parts: Parts, write: Callable[[Path, range, OnProgress], None], *, quiet: bool) -> None:
    """Write the parts of a shard that are not there, and say how many there are. write: (file, rows, on_progress)."""
    parts.claim()
    with progress_bar(f"embedding, shard {shard.number} of {shard.count}", quiet) as on_progress:
        for number in parts.missing(shard.own(len(parts))):
            write(parts.file(number), parts.rows(number), on_progress)
    own = len(shard.own(len(parts)))
    among = f", the {own:,} of shard {shard.number} of {shard.count} among them" if shard.count > 1 else ""
    say(f"{parts.folder}: {parts.there():,} of {len(parts):,} parts are there{among}")


def usual_folder(run: Path | None, data: str) -> Path:
    """Where the parts of some data go: into the run folder, or here."""
    return (run or Path()) / f"{data_name(data)}-embeddings"
