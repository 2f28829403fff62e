"""The columns of a parquet file: which hold images, names and labels, and what is written of them in its schema."""

from __future__ import annotations

import json
from typing import Any

from twofold.errors import UserError, nearest

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


def image_column(path: str, schema: Any, wanted: str | None) -> tuple[str, bool]:
    """The column of images, and whether it holds paths of files, not bytes."""
    fitting = [f.name for f in schema if holds_bytes(f.type)]
    paths = [f.name for f in schema if str(f.type) in ("string", "large_string")]
    if wanted:
        if wanted not in schema.names:
            raise UserError(f"{path} has no column {wanted} (it has {listed(schema)}).{nearest(wanted, schema.names)}")
        if wanted not in (*fitting, *paths):
            raise UserError(
                f"{path}: column {wanted} holds {schema.field(wanted).type}, not encoded image bytes or paths of files."
            )
        return wanted, wanted in paths
    named = [name for name in IMAGE_COLUMNS if name in fitting]
    if named or len(fitting) == 1:
        return (named or fitting)[0], False
    if fitting:
        raise UserError(f"{path} has several columns of bytes ({', '.join(fitting)}); name one with image_column.")
    named = [name for name in (*IMAGE_COLUMNS, *NAME_COLUMNS) if name in paths]
    if named:
        return named[0], True
    raise UserError(f"{path} has no column of encoded images, or of their paths (it has {listed(schema)}).")


def features_of(schema: Any) -> dict[str, Any]:
    """What the `datasets` library has written of each column, as {"label": {"names": [...]}}."""
    try:
        found = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: about for name, about in found.items() if isinstance(about, dict)}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def holds_bytes(kind: Any) -> bool:
    """Whether a column of this type may hold encoded images."""
    import pyarrow.types as types

    if types.is_struct(kind):
        fields = {kind.field(k).name: kind.field(k).type for k in range(kind.num_fields)}
        bytes_type = fields.get("bytes")
        return bytes_type is not None and (holds_bytes(bytes_type) or (types.is_null(bytes_type) and "path" in fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def listed(schema: Any) -> str:
    """The columns with their types."""
    return ", ".join(f"{f.name}: {'struct' if f.type.num_fields else f.type}" for f in schema) or "no columns"
