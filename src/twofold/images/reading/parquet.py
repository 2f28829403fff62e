"""Images in parquet files: encoded bytes in a column, or the {"bytes", "path"} struct of the `datasets` library."""

from __future__ import annotations

import json
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from twofold.errors import UserError, clause, nearest
from twofold.images.reading.places import Place
from twofold.images.reading.resources import free_memory
from twofold.images.reading.source import DecodeError, Source, digest, labels_from_values

IMAGE_COLUMNS = (
    "image",
    "img",
    "images",
    "jpg",
    "jpeg",
    "png",
    "webp",
    "picture",
    "photo",
    "bytes",
    "image_bytes",
    "content",
)
LABEL_COLUMNS = ("label", "labels", "class")
NAME_COLUMNS = ("name", "file_name", "filename", "path", "image_path", "file", "__key__", "key")
METADATA = b"twofold"  # JSON in the schema: {"classes": [...]} where we wrote the file
SHARE = 0.25  # of the free memory may hold encoded row groups


class Parquet(Source):
    """Rows of one or more parquet files of the same columns. Row groups are read when first asked for and kept, within
    a budget (the least recently used go first), so that small sets are read once and large ones never fill the
    memory."""

    def __init__(self, path: str, places: Sequence[Place], image_column: str | None, label_column: str | None) -> None:
        self.path = path
        self.places = places
        self.skipped = {}
        self._metadata: list[Any] = [None] * len(places)
        schema = None
        for f, where in enumerate(places):
            with self._file(f) as file:
                self._metadata[f], theirs = file.metadata, file.schema_arrow
            schema = schema or theirs
            if theirs.names != schema.names:
                raise UserError(f"{where} has other columns ({_listed(theirs)}) than {places[0]} ({_listed(schema)}).")
        self.column = _image_column(path, schema, image_column)
        counts = [m.row_group(g).num_rows for m in self._metadata for g in range(m.num_row_groups)]
        self._groups = [(f, g) for f, m in enumerate(self._metadata) for g in range(m.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(counts)]).tolist()
        if not self._starts[-1]:
            raise UserError(f"{path} has no rows.")
        self.names = self._read_names(schema)
        self.labels, self.classes = self._read_labels(schema, label_column)
        self._kept: OrderedDict[int, Any] = OrderedDict()
        self._kept_bytes = 0
        self._budget = max(1 << 28, int(SHARE * free_memory()))
        self._lock = threading.Lock()
        self._reading = [threading.Lock() for _ in places]  # so that two threads do not read the same group

    def read(self, i: int) -> bytes:
        """The encoded bytes of row `i`."""
        group = bisect_right(self._starts, i) - 1
        value = self._group(group)[i - self._starts[group]].as_py()
        if value is None:
            raise DecodeError("the row holds no image bytes")
        return value

    def _group(self, group: int) -> Any:
        with self._lock:
            if group in self._kept:
                self._kept.move_to_end(group)
                return self._kept[group]
        file, row_group = self._groups[group]
        with self._reading[file]:
            with self._lock:
                if group in self._kept:  # another thread was faster
                    return self._kept[group]
            try:
                with self._file(file) as opened:
                    column = opened.read_row_group(row_group, columns=[self.column]).column(0).combine_chunks()
            except Exception as error:  # whatever is broken in this row group
                raise DecodeError(
                    f"row group {row_group} of {self.places[file]} cannot be read ({clause(error)})"
                ) from error
            column = column.field("bytes") if column.type.num_fields else column
            with self._lock:
                self._kept[group] = column
                self._kept_bytes += column.nbytes
                while self._kept_bytes > self._budget and len(self._kept) > 1:
                    self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return column

    def _column(self, name: str) -> list[Any]:
        values: list[Any] = []
        for f in range(len(self.places)):
            with self._file(f) as file:
                values += file.read(columns=[name]).column(0).to_pylist()
        return values

    def _file(self, f: int) -> Any:
        """The file, opened for a moment: there may be more of them than a process may hold open."""
        return _opened(self.places[f], self._metadata[f])

    def _read_names(self, schema: Any) -> Sequence[str]:
        for name in NAME_COLUMNS:
            if name in schema.names and str(schema.field(name).type) in ("string", "large_string"):
                return [str(v) for v in self._column(name)]
        kind = schema.field(self.column).type
        if any(kind.field(k).name == "path" for k in range(kind.num_fields)):
            paths = [value and value["path"] for value in self._column(f"{self.column}.path")]
            if all(paths):
                return paths
        bounds = np.cumsum([0] + [m.num_rows for m in self._metadata]).tolist()
        return RowNames([where.name for where in self.places], bounds)

    def _read_labels(self, schema: Any, wanted: str | None) -> tuple[np.ndarray | None, list[str] | None]:
        import pyarrow.types as types

        if wanted and wanted not in schema.names:
            raise UserError(
                f"{self.path} has no column {wanted} (it has {_listed(schema)}).{nearest(wanted, schema.names)}"
            )
        for name in [wanted] if wanted else [c for c in LABEL_COLUMNS if c in schema.names]:
            kind = schema.field(name).type
            kind = kind.value_type if types.is_dictionary(kind) else kind
            if types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind) or types.is_boolean(kind):
                labels, numbers = labels_from_values(self._column(name))
                return labels, self._class_names(schema, name, numbers) if types.is_integer(kind) else numbers
            if wanted:
                raise UserError(f"{self.path}: column {wanted} holds {kind}; labels are integers or strings.")
        return None, None

    def _class_names(self, schema: Any, column: str, numbers: list[str] | None) -> list[str] | None:
        """Names for integer classes: from the file's own metadata, else from a classes.txt beside it (line = class)."""
        metadata = schema.metadata or {}
        names: list[str] | None = None
        try:
            if METADATA in metadata:
                names = json.loads(metadata[METADATA])["classes"]
            elif b"huggingface" in metadata:
                names = json.loads(metadata[b"huggingface"])["info"]["features"][column]["names"]
            else:
                lines = self.places[0].parent().join("classes.txt").read().decode().splitlines()
                names = [line.rpartition("\t")[2].strip() for line in lines if line.strip()]
        except (OSError, ValueError, KeyError, TypeError, DecodeError):
            return numbers
        return [str(n) for n in names] if numbers and names and len(names) >= len(numbers) else numbers

    def fingerprint(self) -> str:
        """A digest of the files' names, sizes and times of change, and of the column."""
        return digest([self.column, *(part for where in self.places for part in (where.name, *where.stamp()))])

    def describe(self) -> str:
        """One line: the files, rows, column and classes."""
        files = f" in {len(self.places)} files" if len(self.places) > 1 else ""
        return f"{self.path}: {len(self):,} rows{files}, images in column {self.column}{self.tally()}"


class RowNames(Sequence[str]):
    """Names of the form file[row], made when asked for."""

    def __init__(self, files: list[str], bounds: list[int]) -> None:
        self.files, self.bounds = files, bounds

    def __len__(self) -> int:
        return self.bounds[-1]

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        i = range(len(self))[i]
        file = bisect_right(self.bounds, i) - 1
        return f"{self.files[file]}[{i - self.bounds[file]}]"


def byte_columns(where: Place) -> list[str]:
    """The columns of a parquet file that may hold encoded images. Raises UserError where it is none."""
    with _opened(where) as file:
        return [field.name for field in file.schema_arrow if _holds_bytes(field.type)]


def _opened(where: Place, metadata: Any = None) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(where.path if where.fs is None else where.open(), metadata=metadata)
    except pa.ArrowInvalid as error:
        raise UserError(f"{where} is not a whole parquet file ({clause(error)}); write or fetch it again.") from error
    except OSError as error:
        raise UserError(f"{where} cannot be read ({clause(error)}).") from error


def _image_column(path: str, schema: Any, wanted: str | None) -> str:
    fitting = [f.name for f in schema if _holds_bytes(f.type)]
    if wanted:
        if wanted not in schema.names:
            raise UserError(f"{path} has no column {wanted} (it has {_listed(schema)}).{nearest(wanted, schema.names)}")
        if wanted not in fitting:
            raise UserError(f"{path}: column {wanted} holds {schema.field(wanted).type}, not encoded image bytes.")
        return wanted
    named = [name for name in IMAGE_COLUMNS if name in fitting]
    if named or len(fitting) == 1:
        return (named or fitting)[0]
    if fitting:
        raise UserError(f"{path} has several columns of bytes ({', '.join(fitting)}); name one with image_column.")
    raise UserError(f"{path} has no column of encoded images (it has {_listed(schema)}).")


def _holds_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_struct(kind):
        return any(kind.field(k).name == "bytes" and _holds_bytes(kind.field(k).type) for k in range(kind.num_fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _listed(schema: Any) -> str:
    return ", ".join(f"{f.name}: {'struct' if f.type.num_fields else f.type}" for f in schema) or "no columns"
