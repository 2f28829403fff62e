"""Features for measuring that several processes share out: each writes parts of parquet data sets, and whoever finds
all parts there measures."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from twofold.bounded import ArrayError, check_parquet
from twofold.errors import UserError, clause
from twofold.launcher import all_arrived, by_the_first
from twofold.pixels.embedded import METADATA, schema_of, write_tables
from twofold.pixels.reading.unreadable import Replacement
from twofold.pixels.sharding import Parts, Shard, shard_named, take_device
from twofold.printable import say, storable
from twofold.runs.folder import data_name
from twofold.runs.screen import OnProgress, progress_bar

T = TypeVar("T")


class Things(Protocol):
    """Images or videos, of which some turn out to be unreadable."""

    replaced: dict[int, int]

    @property
    def source(self) -> Any:
        """Where they come from, which has the `names` of all."""
        ...

    def replacements(self, indices: Tensor) -> list[Replacement]:
        """Those of some that could not be read."""
        ...

    def replace(self, found: Iterable[Replacement]) -> None:
        """Know which could not be read elsewhere."""
        ...


@dataclass(frozen=True)
class Extraction:
    """Features of some labelled things.

    name: what they are of, such as "model-train". about: all that they follow from. things: of the whole data. indices,
    labels: of those that are wanted, int64 (n,). together: how many go through a network at once. rows: (indices (b,),
    on_progress) -> float32 (b, ...), the features.
    """

    name: str
    about: Callable[[], str]
    things: Things
    indices: Tensor
    labels: Tensor
    together: int
    rows: Callable[[Tensor, OnProgress], Tensor]

    def parts(self, folder: Path) -> Parts:
        """Where they are written."""
        about = digest(f"{self.about()} {self.together}", self.indices)
        return Parts(folder / f"{self.name}-{about[:8]}", len(self.indices), about, self.together)

    def made(self, on_progress: OnProgress) -> tuple[Tensor, Tensor]:
        """(features, labels) of those that can be read, made here."""
        found, keep = self.rows(self.indices, on_progress), _without(self.indices, self.things.replaced)
        return found[keep], self.labels[keep]

    def read(self, folder: Path) -> tuple[Tensor, Tensor]:
        """The same from the parts, of which all are there."""
        parts = self.parts(folder)
        found = [_read(parts.file(n), self.indices[list(parts.rows(n))]) for n in range(len(parts))]
        replaced = [one for _, part in found for one in part]
        self.things.replace(replaced)
        keep = _without(self.indices, {one.number for one in replaced})
        return torch.cat([values for values, _ in found]), self.labels[keep]

    def write(self, file: Path, rows: range, on_progress: OnProgress) -> None:
        """Make a part."""
        import pyarrow as pa

        own = self.indices[list(rows)]
        values, replaced = self.rows(own, on_progress), self.things.replacements(own)
        keep = _without(own, self.things.replaced)
        shape = tuple(values.shape[1:])
        columns = [("index", pa.int64()), ("name", pa.string()), ("label", pa.int64())]
        about = {"features": self.name, "shape": shape, "unreadable": replaced}
        arrays = [
            pa.array(own[keep].numpy()),
            pa.array([storable(self.things.source.names[i]) for i in own[keep].tolist()], pa.string()),
            pa.array(self.labels[list(rows)][keep].numpy()),
            pa.FixedSizeListArray.from_arrays(pa.array(values[keep].flatten().numpy()), math.prod(shape)),
        ]
        schema = schema_of(columns, math.prod(shape), about)
        write_tables(file, schema, [pa.table(arrays, schema=schema)], self.name, self.name, may_be_empty=True)


Pair: TypeAlias = tuple[Extraction, Extraction]  # to learn from, and to test on
Sides: TypeAlias = dict[str, tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]]  # (features, labels) of both


class Part(Protocol):
    """Labelled things to learn from, or to test on."""

    @property
    def indices(self) -> Tensor:
        """Numbers in the whole data, int64 (n,)."""
        ...

    @property
    def labels(self) -> Tensor:
        """A label for each, int64 (n,)."""
        ...


S = TypeVar("S", bound=Part)


def paired(
    name: str,
    splits: tuple[S, S],
    things: Callable[[S], Things],
    about: Callable[[S], str],
    rows: Callable[[S, Tensor, OnProgress], Tensor],
    together: int,
) -> Pair:
    """The features of things to learn from and of those to test on; see `Extraction` for the rest, which is asked of
    each of both."""
    bank, asked = (
        Extraction(
            f"{name}-{part}",
            partial(about, split),
            things(split),
            split.indices,
            split.labels,
            together,
            partial(rows, split),
        )
        for part, split in zip(("train", "test"), splits, strict=True)
    )
    return bank, asked


def digest(words: str, indices: Tensor) -> str:
    """Of words and of numbers of things."""
    return hashlib.blake2b(words.encode() + indices.numpy().tobytes(), digest_size=16).hexdigest()


def made_here(wanted: Mapping[str, Pair], on_progress: OnProgress) -> Sides:
    """(features, labels) of each side, to learn from and to test on, made in this process."""
    return {name: (bank.made(on_progress), asked.made(on_progress)) for name, (bank, asked) in wanted.items()}


def measured_together(
    shard: Shard, folder: Path, wanted: Mapping[str, Pair], measure: Callable[[Sides], list[T]], *, quiet: bool
) -> list[T]:
    """Make what is missing of a shard; where all parts of all shards are there then, what `measure` makes of the sides,
    else an empty list. Of processes that were started together the first measures, once all have come so far."""
    sets = [(one, one.parts(folder)) for pair in wanted.values() for one in pair]
    begin = 0
    with progress_bar(f"extracting, shard {shard.number} of {shard.count}", quiet) as on_progress:
        for one, parts in sets:
            parts.claim()
            own = [n for n in range(len(parts)) if (begin + n) % shard.count == shard.number - 1]
            begin += len(parts)
            for number in parts.missing(own):
                one.write(parts.file(number), parts.rows(number), on_progress)
    all_arrived(f"features in {folder}")

    def measure_all() -> list[T]:
        there = sum(parts.there() for _, parts in sets)
        if there == begin:
            return measure({name: (bank.read(folder), asked.read(folder)) for name, (bank, asked) in wanted.items()})
        say(f"{folder}: {there:,} of {begin:,} parts are there; the process that finds all of them measures.")
        return []

    return by_the_first(f"measuring by {folder}", measure_all)


def begin_shard(shard: str, protocols: Iterable[str], able: Collection[str]) -> None:
    """Take a device for a shard. Refuse one that there is not, and protocols beside those that features are enough
    for."""
    shard_named(shard)
    take_device()
    for name in protocols:
        if name not in able:
            known = ", ".join(able)
            raise UserError(f"--shard shares out features, for {known}; measure {name} without it.")


def features_folder(run: Path | None, data: str) -> Path:
    """Where the features of some data go: into the run folder, or here."""
    return (run or Path()) / f"{data_name(data)}-features"


def _without(indices: Tensor, replaced: Collection[int]) -> Tensor:
    return torch.tensor([i not in replaced for i in indices.tolist()], dtype=torch.bool)


def _read(file: Path, indices: Tensor) -> tuple[Tensor, list[Replacement]]:
    """The features of a part, of which those that could not be read have none."""
    import pyarrow.parquet as parquet

    try:
        with parquet.ParquetFile(file) as opened:
            check_parquet(opened.metadata, file.stat().st_size, ["index", "embedding"])
            table = opened.read(["index", "embedding"])
            about = json.loads(opened.schema_arrow.metadata[METADATA])
        replaced = [Replacement(int(i), int(j), str(reason)) for i, j, reason in about["unreadable"]]
        shape = [int(size) for size in about["shape"]]
        flat = table["embedding"].combine_chunks().flatten().to_numpy()
        values = torch.from_numpy(np.array(flat, np.float32)).reshape(len(table), *shape)
        wanted = indices[_without(indices, {one.number for one in replaced})]
        whole = table["index"].to_pylist() == wanted.tolist()
    except (OSError, ArrayError, ValueError, LookupError, TypeError) as error:  # of arrow's own errors, too
        raise UserError(f"{file} cannot be read ({clause(error)}): remove it, and give the same command.") from error
    if not whole:
        raise UserError(f"{file} holds features of other things than it should: remove it, and give the same command.")
    return values, replaced
