"""Vectors in one parquet file, and what the file says of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.errors import UserError
from twofold.files import beside
from twofold.page.words import Noun
from twofold.printable import say
from twofold.runs.folder import data_name

METADATA = b"twofold"


@dataclass(frozen=True)
class Embedded:
    """path: the file. count, width: its rows and the length of each vector. left_out: name -> why it was not read.
    thing: what was embedded."""

    path: Path
    count: int
    width: int
    left_out: dict[str, str]
    thing: Noun

    def describe(self) -> str:
        """One line for the terminal."""
        text = f"{self.count:,} vectors of {self.width} numbers in {self.path}"
        if self.left_out:
            first = ", ".join(list(self.left_out)[:5]) + (", ..." if len(self.left_out) > 5 else "")
            text += f"; left out {len(self.left_out):,} unreadable {self.thing.many}: {first}"
        return text


def parquet_path(out: str | Path) -> Path:
    """Where vectors go. Raises UserError for a name without .parquet."""
    out = Path(out)
    if out.suffix != ".parquet":
        raise UserError(f"Vectors go to a .parquet file, which {out} is not; name it {out.name}.parquet.")
    return out


def schema_of(columns: Sequence[tuple[str, Any]], width: int, about: Mapping[str, Any]) -> Any:
    """The schema of such a file: the columns (name, arrow type), then embedding, float32 (width). about: its metadata,
    of JSON's kinds."""
    import pyarrow as pa

    fields = [*columns, ("embedding", pa.list_(pa.float32(), width))]
    return pa.schema(fields, metadata={METADATA: json.dumps(about)})


def write_tables(
    out: Path, schema: Any, tables: Iterable[Any], thing: str, source: str, *, may_be_empty: bool = False
) -> int:
    """Write arrow tables to a file that appears whole or not at all; how many rows. Raises UserError where there are
    none, unless that may be. thing, source: of what and of which data the vectors are."""
    import pyarrow.parquet as parquet

    count = 0
    with beside(out) as part:
        with part.open("wb") as handle, parquet.ParquetWriter(handle, schema, compression="zstd") as writer:
            for table in tables:
                count += len(table)
                if len(table):
                    writer.write_table(table)
        if not count and not may_be_empty:
            raise UserError(f"No {thing} of {source} can be read, so there are no vectors to write.")
    return count


def fingerprint_in(file: Path) -> str:
    """Of which data the vectors in a file are, by their fingerprint; "" where it does not say."""
    import pyarrow.parquet as parquet

    try:
        about = json.loads((parquet.read_schema(file).metadata or {})[METADATA])
    except (OSError, ValueError, KeyError):  # of arrow's own errors, too
        return ""
    return str(about.get("data", "")) if isinstance(about, dict) else ""


def free_place(folder: Path, data: str, fingerprint: str) -> Path:
    """Where the vectors of some data go: a file of no other data."""
    usual = folder / f"{data_name(data)}-embeddings.parquet"
    if not usual.exists() or fingerprint_in(usual) == fingerprint:
        return usual
    own = folder / f"{data_name(data)}-{fingerprint[:8]}-embeddings.parquet"
    say(f"{usual} is not known to be of the same data and stays: these vectors go to {own}.")
    return own
