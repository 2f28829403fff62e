"""A vector for every video, or for every clip of it, in one parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from twofold.page.words import Noun
from twofold.pixels.embedded import Embedded, parquet_path, schema_of, write_tables
from twofold.printable import storable
from twofold.runs.screen import OnProgress
from twofold.videos.backbones import Backbone
from twofold.videos.evaluation.features import InputSettings, readable, stream_features
from twofold.videos.reading.clips import Clips, even

ROWS = 4096
VIDEO = Noun("video", "videos")


def embed(
    backbone: Backbone,
    clips: Clips,
    out: str | Path,
    inputs: InputSettings,
    *,
    each_clip: bool = False,
    rows: range | None = None,
    on_progress: OnProgress | None = None,
) -> Embedded:
    """Write `out`, a parquet file with the columns name (string), label (int64), class and source (string) where the
    data have them, and embedding (fixed-size list of float32): the backbone's pooled features, the mean over the clips
    of a video. each_clip: a row for each clip instead, with clip, first_frame and last_frame (int64).

    Rows come in the order of the data; videos that cannot be read have none and are listed in the result. The file's
    metadata hold, under "twofold", JSON with the backbone's blueprint, how clips are cut, and the data's fingerprint.
    The file appears whole or not at all. Raises UserError for a name without .parquet, or where no video can be read.
    rows: of some videos alone, of which none need be readable.
    """
    out = parquet_path(out)
    schema = schema_for(backbone, clips, inputs, each_clip)
    tables = _tables(backbone, clips, inputs, schema, each_clip, rows or range(len(clips)), on_progress)
    count = write_tables(out, schema, tables, "video", clips.source.path, may_be_empty=rows is not None)
    return Embedded(out, count, backbone.width, clips.unreadable, VIDEO)


def _tables(
    backbone: Backbone,
    clips: Clips,
    inputs: InputSettings,
    schema: Any,
    each_clip: bool,
    wanted: range,
    on_progress: OnProgress | None,
) -> Iterator[Any]:
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    done = 0
    for indices, features in stream_features(backbone, clips, inputs, torch.tensor(wanted)):
        keep = readable(clips, indices)
        for i, found in zip(indices[keep].tolist(), features[keep].numpy(), strict=True):
            rows += _rows(clips, inputs, i, found, each_clip)
        done += len(indices)
        if on_progress:
            on_progress(done, len(wanted))
        if len(rows) >= ROWS or done == len(wanted):
            yield pa.Table.from_pylist(rows, schema=schema)
            rows = []


def _rows(clips: Clips, inputs: InputSettings, i: int, found: np.ndarray, each_clip: bool) -> list[dict[str, Any]]:
    item, classes = clips.source.items[i], clips.source.classes
    about: dict[str, Any] = {"name": storable(item.name), "source": storable(item.group) or None}
    about["label"] = item.label if item.label >= 0 else None
    about["class"] = storable(classes[item.label]) if classes and item.label >= 0 else None
    if not each_clip:
        return [{**about, "embedding": found.mean(0)}]
    places = even(inputs.clips, inputs.frames, inputs.stride, inputs.fps)(i, clips.store.table(i), 0).clips
    return [
        {**about, "clip": k, "first_frame": int(at[0]), "last_frame": int(at[-1]), "embedding": row}
        for k, (at, row) in enumerate(zip(places, found, strict=True))
    ]


def schema_for(backbone: Backbone, clips: Clips, inputs: InputSettings, each_clip: bool) -> Any:
    """The columns of such a file, and what its metadata say."""
    import pyarrow as pa

    source = clips.source
    columns = [("name", pa.string())]
    columns += [("label", pa.int64())] if source.class_count() else []
    columns += [("class", pa.string())] if source.class_count() and source.classes else []
    columns += [("source", pa.string())] if any(item.group for item in source.items) else []
    columns += [(name, pa.int64()) for name in ("clip", "first_frame", "last_frame")] if each_clip else []
    about = {"backbone": backbone.blueprint(), "image_size": inputs.size, "mean": inputs.mean, "std": inputs.std}
    about |= {"frames": inputs.frames, "stride": inputs.stride, "fps": inputs.fps, "clips": inputs.clips}
    about |= {"precision": inputs.precision, "data": source.fingerprint()}
    return schema_of(columns, backbone.width, about)
