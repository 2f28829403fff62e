"""Data sets of Minari that lie in Arrow or parquet files: a folder for each episode, and what is in them beside."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.catalog.looking import HEADER
from twofold.control.reading.arrow import ArrowRows, opened_arrow
from twofold.control.reading.jpeg import decoded, is_jpeg
from twofold.control.reading.stores import Room, Unreadable, check_claim, damage, is_of_pictures, regular

OBSERVATIONS = "observations"
KEPT = (OBSERVATIONS, "actions", "rewards", "terminations", "truncations")


class Minari:
    """The arrays of a data set, as `Arrays`: those of episode 7 are called 7/rewards, 7/observations/image ...

    A file has a row for each observation; in the last one everything else is padding, and left out. What an observation
    is shaped like stands in the metadata of the set.
    """

    def __init__(self, folder: Path, spaces: Mapping[str, Any], room: Room) -> None:
        self.folder, self.spaces, self.room, self.called = folder, spaces, room, str(folder)
        self.skipped: Mapping[str, str] = {}
        self.episodes = {place.name: _file_of(place) for place in sorted(folder.iterdir()) if place.name.isdigit()}
        self.size = sum(file.stat().st_size for file in self.episodes.values() if file.is_file())
        self._heads: dict[str, tuple[Any, int]] = {}
        self._last: tuple[str, Any] = ("", None)

    def names(self) -> list[str]:
        """See `Arrays`."""
        found = list[str]()
        for episode in self.episodes:
            try:
                found += [f"{episode}/{name}" for field in self._head(episode)[0] for name in _leaves(field)]
            except Unreadable:
                found.append(f"{episode}/rewards")  # whoever reads them is told why
        return found

    def rows(self, name: str) -> int:
        """See `Arrays`."""
        count = self._head(name.partition("/")[0])[1]
        return count if _is_seen(name) else max(count - 1, 0)

    def nbytes(self, name: str) -> int:
        """See `Arrays`."""
        schema, count = self._head(name.partition("/")[0])
        _, first, *parts = name.split("/")
        kind = schema.field(first).type
        for part in parts:
            kind = kind.field(part).type
        return count * _width(kind)

    def has_pictures(self, name: str) -> bool:
        """See `Arrays`."""
        dtype = self._dtype(name)
        return self.is_lossy(name) or (dtype is not None and is_of_pictures(dtype, 1 + len(self._shape(name))))

    def is_lossy(self, name: str) -> bool:
        """See `Arrays`."""
        import pyarrow.types as types

        column = self._column(name)
        return types.is_binary(column.type) and len(column) > 0 and is_jpeg(column[0].as_py() or b"")

    def read(self, name: str) -> NDArray[Any]:
        """See `Arrays`."""
        column, rows = self._column(name), self.rows(name)
        with damage():
            if self.is_lossy(name):
                jpegs = [np.frombuffer(row.as_py(), np.uint8) for row in column]
                return decoded(jpegs, f"{self.called}: {name}", self.room)
            if self._dtype(name) is None or column.null_count:
                raise Unreadable(f"{name} is {column.type} or has gaps, which are no numbers")
            self.room.take(self.nbytes(name), f"{self.called}: {name}")
            shape = self._shape(name)
            flat = column.combine_chunks()
            flat = flat.flatten() if shape != () else flat
            found: NDArray[Any] = np.asarray(flat.to_numpy(zero_copy_only=False))
            return found.reshape(len(column), *shape)[:rows]

    def _head(self, episode: str) -> tuple[Any, int]:
        """What the columns of an episode are, and its rows."""
        if episode not in self._heads:
            self._heads[episode] = _head_of(self.episodes[episode])
        return self._heads[episode]

    def _table(self, episode: str) -> Any:
        """The columns of an episode; the last one that was asked for is kept."""
        if self._last[0] != episode:
            self._last = (episode, _table_of(self.episodes[episode], self.room))
        return self._last[1]

    def _column(self, name: str) -> Any:
        import pyarrow.compute as compute

        episode, _, rest = name.partition("/")
        first, *parts = rest.split("/")
        with damage():
            column = self._table(episode).column(first)
            return compute.struct_field(column, parts) if parts else column

    def _dtype(self, name: str) -> np.dtype[Any] | None:
        """Of the numbers; None where there are none."""
        import pyarrow.types as types

        kind = self._column(name).type
        kind = kind.value_type if types.is_fixed_size_list(kind) else kind
        number = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
        return np.dtype(kind.to_pandas_dtype()) if number else None

    def _shape(self, name: str) -> tuple[int, ...]:
        """Of a row: what the metadata say of what is seen, where that is as many numbers as there are."""
        import pyarrow.types as types

        kind = self._column(name).type
        if not types.is_fixed_size_list(kind):
            return ()
        space: Any = self.spaces
        for part in name.split("/")[2:] if _is_seen(name) else ():
            space = space.get("subspaces", {}).get(part, {}) if isinstance(space, dict) else {}
        told = space.get("shape") if _is_seen(name) and isinstance(space, dict) else None
        shape = tuple(told) if isinstance(told, list) and all(type(side) is int for side in told) else ()
        return shape if shape and math.prod(shape) == kind.list_size else (kind.list_size,)


@contextmanager
def opened_minari(file: Path, room: Room) -> Iterator[Minari]:
    """The arrays of the data set whose metadata.json this is. Raises Unreadable where it is damaged."""
    with damage(), regular(file) as handle:
        about = json.loads(handle.read(HEADER))
        spaces = json.loads(about["observation_space"])
    yield Minari(file.parent, spaces if isinstance(spaces, dict) else {}, room)


def _file_of(place: Path) -> Path:
    """The file of an episode's folder; the folder where it has none of its own, or several."""
    files = [file for ending in ("arrow", "parquet") for file in place.glob(f"*.{ending}") if not file.is_symlink()]
    return files[0] if len(files) == 1 and not place.is_symlink() else place


def _head_of(file: Path) -> tuple[Any, int]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    with damage(), regular(file) as handle:
        if file.suffix == ".parquet":
            stored = parquet.ParquetFile(handle)
            schema, rows = stored.schema_arrow, stored.metadata.num_rows
        else:
            found = opened_arrow(file)
            schema, rows = found.schema, found.rows
        return pa.schema([field for field in schema if field.name in KEPT]), rows


def _table_of(file: Path, room: Room) -> Any:
    import pyarrow.parquet as parquet

    schema, rows = _head_of(file)
    size = file.stat().st_size
    with damage(), regular(file) as handle:
        stored = parquet.ParquetFile(handle) if file.suffix == ".parquet" else opened_arrow(file)
        wanted = max(rows * sum(map(_width, schema.types)), getattr(stored, "nbytes", 0))
        check_claim(wanted, size)
        room.check(max(wanted, size), str(file))
        found = stored.table() if isinstance(stored, ArrowRows) else stored.read(schema.names)
        check_claim(found.nbytes, size)
        found = found.select(schema.names)
        found.validate(full=True)
        return found


def _width(kind: Any) -> int:
    """Bytes of a row; of what has no length of its own, where it lies."""
    import pyarrow.types as types

    if types.is_struct(kind):
        return sum(_width(field.type) for field in kind)
    if types.is_fixed_size_list(kind):
        return int(kind.list_size) * _width(kind.value_type)
    try:
        return math.ceil(kind.bit_width / 8)
    except ValueError:
        return 16


def _leaves(field: Any, before: str = "") -> Iterator[str]:
    import pyarrow.types as types

    if not types.is_struct(field.type):
        yield before + field.name
        return
    for own in field.type:
        yield from _leaves(own, f"{before}{field.name}/")


def _is_seen(name: str) -> bool:
    return name.split("/")[1] == OBSERVATIONS
