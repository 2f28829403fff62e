"""A parquet file opened, and its columns of bytes."""

from __future__ import annotations

from typing import Any

from twofold.errors import UserError, clause
from twofold.images.reading.columns import holds_bytes
from twofold.pixels.reading.places import Place
from twofold.printable import is_text

POINTER = b"version https://git-lfs"


def open_parquet(where: Place, metadata: Any = None) -> Any:
    """The file, opened for reading. metadata: as read before. Raises UserError where it is no whole parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        plain = where.fs is None and is_text(where.path)
        return pq.ParquetFile(where.path if plain else where.open(), metadata=metadata)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:  # names of columns, too
        if where.read_range(0, len(POINTER)) == POINTER:
            raise UserError(f"{where} is a pointer of Git LFS, not the file: run `git lfs pull` there.") from error
        raise UserError(f"{where} is not a whole parquet file ({clause(error)}); write or fetch it again.") from error
    except OSError as error:
        raise UserError(f"{where} cannot be read ({clause(error)}).") from error


def byte_columns(where: Place) -> list[str]:
    """The columns of a parquet file that may hold encoded images. Raises UserError where it is none."""
    with open_parquet(where) as file:
        return [field.name for field in file.schema_arrow if holds_bytes(field.type)]
