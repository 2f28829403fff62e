"""A vector for every image, in one parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twofold.images.backbones import Backbone
from twofold.images.evaluation.features import InputSettings, readable, stream_features
from twofold.images.evaluation.transform import facts
from twofold.images.reading import Images
from twofold.page.words import Noun
from twofold.pixels.embedded import Embedded, parquet_path, schema_of, write_tables
from twofold.printable import storable
from twofold.runs.screen import OnProgress

ROW_GROUP = 8192
IMAGE = Noun("image", "images")


def embed(
    backbone: Backbone,
    images: Images,
    out: str | Path,
    inputs: InputSettings,
    *,
    rows: range | None = None,
    on_progress: OnProgress | None = None,
) -> Embedded:
    """Write `out`, a parquet file with the columns name (string), label (int64) and class (string) where the data have
    them, and embedding (fixed-size list of float32, the backbone's pooled features, not normalised).

    Names that are no UTF-8 are spelled out: see `printable.storable`. Rows come in the order of the data; images that
    cannot be read have none and are listed in the result. The file's metadata hold, under "twofold", JSON with the
    backbone's blueprint, mean, std, image_size, white, fourth_channel, precision, the data's fingerprint, and under
    "transform" the lines of Python that make an image file the backbone's input (see `transform_lines`). The file
    appears whole or not at all. Raises UserError for a name without .parquet, where it cannot be written, or where no
    image can be read. rows: of some images alone, of which none need be readable.
    """
    out = parquet_path(out)
    schema = schema_for(backbone, images, inputs)
    tables = _tables(backbone, images, inputs, schema, rows or range(len(images)), on_progress)
    count = write_tables(out, schema, tables, "image", images.source.path, may_be_empty=rows is not None)
    return Embedded(out, count, backbone.width, images.unreadable, IMAGE)


def _tables(
    backbone: Backbone, images: Images, inputs: InputSettings, schema: Any, rows: range, on_progress: OnProgress | None
) -> Iterator[Any]:
    kept: list[tuple[Tensor, Tensor]] = []
    done = 0
    for indices, features in stream_features(backbone, images, inputs, torch.tensor(rows)):
        good = readable(images, indices)
        kept.append((indices[good], features[good]))
        done += len(indices)
        if sum(len(i) for i, _ in kept) >= ROW_GROUP or done == len(rows):
            yield _table(schema, images, kept)
            kept = []
        if on_progress:
            on_progress(done, len(rows))


def schema_for(backbone: Backbone, images: Images, inputs: InputSettings) -> Any:
    """The columns of such a file, and what its metadata say."""
    import pyarrow as pa

    columns = [("name", pa.string())]
    columns += [("label", pa.int64())] if images.source.labels is not None else []
    columns += [("class", pa.string())] if _named(images) else []
    about = {"backbone": backbone.blueprint(), "image_size": inputs.size, "mean": inputs.mean, "std": inputs.std}
    about |= {"data": images.source.fingerprint()} | facts(inputs, images.source.pixels)
    return schema_of(columns, backbone.width, about)


def _named(images: Images) -> bool:
    return images.source.labels is not None and images.source.classes is not None


def _table(schema: Any, images: Images, kept: list[tuple[Tensor, Tensor]]) -> Any:
    import pyarrow as pa

    rows = [i for indices, _ in kept for i in indices.tolist()]
    values = np.concatenate([features.numpy() for _, features in kept]).astype(np.float32, copy=False)
    source = images.source
    columns: list[Any] = [pa.array([storable(source.names[i]) for i in rows], pa.string())]
    if source.labels is not None:
        labels = [int(source.labels[i]) if source.labels[i] >= 0 else None for i in rows]
        columns.append(pa.array(labels, pa.int64()))
        if source.classes is not None:
            columns.append(pa.array([None if v is None else storable(source.classes[v]) for v in labels], pa.string()))
    columns.append(pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1]))
    return pa.table(columns, schema=schema)
