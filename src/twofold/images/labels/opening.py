"""A path of labelled pictures -> `Labelled`: parquet with an image and a mask column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import torch
from PIL import Image
from torch import Tensor

from twofold.errors import UserError
from twofold.images.labels.records import IGNORE, Labelled
from twofold.images.reading.decode import decode


def open_labelled(
    path: str,
    *,
    classes: str | None = None,
    ignore_id: int | None = None,
    boxes: str | None = None,
    images: str | None = None,
) -> Labelled:
    """The labelled pictures of a parquet file. Raises UserError where it has no mask column."""
    if Path(path).suffix != ".parquet":
        raise UserError(f"{path} is no parquet file: give one with an image and a mask column.")
    table = parquet.read_table(path)
    if not {"image", "mask"} <= set(table.column_names):
        raise UserError(f"{path} has no image and mask columns: labelled pictures need both.")
    values = sorted({int(v) for i in range(len(table)) for v in np.unique(_mask(table["mask"][i].as_py()))})
    kept = [value for value in values if value != ignore_id]
    names = Path(classes).read_text().split() if classes else [str(value) for value in range(max(kept) + 1)]

    def mask(i: int) -> Tensor:
        found = torch.from_numpy(_mask(table["mask"][i].as_py())).to(torch.int16)
        return found if ignore_id is None else torch.where(found == ignore_id, IGNORE, found).to(torch.int16)

    return Labelled(
        path,
        tuple(names),
        [str(i) for i in range(len(table))] if "name" not in table.column_names else table["name"].to_pylist(),
        [],
        lambda i: decode(_bytes(table["image"][i].as_py()), None),
        mask,
    )


def _bytes(value: Any) -> bytes:
    return value["bytes"] if isinstance(value, dict) else value


def _mask(value: Any) -> np.ndarray:
    import io

    return np.array(Image.open(io.BytesIO(_bytes(value))))
