"""A vector for every image, in one parquet file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from twofold.errors import UserError
from twofold.files import beside
from twofold.images.backbones import Backbone
from twofold.images.evaluation.features import InputSettings, readable, stream_features
from twofold.images.evaluation.transform import facts
from twofold.images.reading import Images
from twofold.printable import storable
from twofold.runs.screen import OnProgress

ROW_GROUP = 8192
METADATA = b"twofold"


@dataclass(frozen=True)
class Embedded:
    """path: the file. count, width: its rows and the length of each vector. left_out: name -> why it was not read."""

    path: Path
    count: int
    width: int
    left_out: dict[str, str]

    def describe(self) -> str:
        """One line for the terminal."""
        text = f"{self.count:,} vectors of {self.width} numbers in {self.path}"
        if self.left_out:
            first = ", ".join(list(self.left_out)[:5]) + (", ..." if len(self.left_out) > 5 else "")
            text += f"; left out {len(self.left_out):,} unreadable images: {first}"
        return text


def embed(
    backbone: Backbone,
    images: Images,
    out: str | Path,
    inputs: InputSettings,
    *,
    on_progress: OnProgress | None = None,
) -> Embedded:
    """Write `out`, a parquet file with the columns name (string), label (int64) and class (string) where the data have
    them, and embedding (fixed-size list of float32, the backbone's pooled features, not normalised).

    Names that are no UTF-8 are spelled out: see `printable.storable`. Rows come in the order of the data; images that
    cannot be read have none and are listed in the result. The file's metadata hold, under "twofold", JSON with the
    backbone's blueprint, mean, std, image_size, white, fourth_channel, precision, the data's fingerprint, and under
    "transform" the lines of Python that make an image file the backbone's input (see `transform_lines`). The file
    appears whole or not at all. Raises UserError for a name without .parquet, where it cannot be written, or where no
    image can be read.
    """
    import pyarrow.parquet as parquet

    out = Path(out)
    if out.suffix != ".parquet":
        raise UserError(f"Vectors go to a .parquet file, which {out} is not; name it {out.name}.parquet.")
    schema, count, done = _schema(backbone, images, inputs), 0, 0
    with beside(out) as part:
        with part.open("wb") as handle, parquet.ParquetWriter(handle, schema, compression="zstd") as writer:
            kept: list[tuple[Tensor, Tensor]] = []
            for indices, features in stream_features(backbone, images, inputs):
                good = readable(images, indices)
                kept.append((indices[good], features[good]))
                done += len(indices)
                if sum(len(i) for i, _ in kept) >= ROW_GROUP or done == len(images):
                    count += _write(writer, schema, images, kept)
                    kept = []
                if on_progress:
                    on_progress(done, len(images))
        if not count:
            raise UserError(f"No image of {images.source.path} can be read, so there are no vectors to write.")
    return Embedded(out, count, backbone.width, images.unreadable)


def fingerprint_in(file: Path) -> str:
    """Of which data the vectors in a file are, by their fingerprint; "" where it does not say."""
    import pyarrow.parquet as parquet

    try:
        about = json.loads((parquet.read_schema(file).metadata or {})[METADATA])
    except (OSError, ValueError, KeyError):  # of arrow's own errors, too
        return ""
    return str(about.get("data", "")) if isinstance(about, dict) else ""


def _schema(backbone: Backbone, images: Images, inputs: InputSettings) -> Any:
    import pyarrow as pa

    fields = [("name", pa.string())]
    fields += [("label", pa.int64())] if images.source.labels is not None else []
    fields += [("class", pa.string())] if _named(images) else []
    fields += [("embedding", pa.list_(pa.float32(), backbone.width))]
    about = {"backbone": backbone.blueprint(), "image_size": inputs.size, "mean": inputs.mean, "std": inputs.std}
    about |= {"data": images.source.fingerprint()} | facts(inputs, images.source.pixels)
    return pa.schema(fields, metadata={METADATA: json.dumps(about)})


def _named(images: Images) -> bool:
    return images.source.labels is not None and images.source.classes is not None


def _write(writer: Any, schema: Any, images: Images, kept: list[tuple[Tensor, Tensor]]) -> int:
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
    if rows:
        writer.write_table(pa.table(columns, schema=schema))
    return len(rows)
