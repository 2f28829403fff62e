"""A vector for every video, or for every clip of it, in one parquet file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twofold.errors import UserError
from twofold.files import beside
from twofold.printable import storable
from twofold.runs.screen import OnProgress
from twofold.videos.backbones import Backbone
from twofold.videos.evaluation.features import InputSettings, readable, stream_features
from twofold.videos.reading.clips import Clips, even

ROWS = 4096
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
            text += f"; left out {len(self.left_out):,} unreadable videos: {first}"
        return text


def embed(
    backbone: Backbone,
    clips: Clips,
    out: str | Path,
    inputs: InputSettings,
    *,
    each_clip: bool = False,
    on_progress: OnProgress | None = None,
) -> Embedded:
    """Write `out`, a parquet file with the columns name (string), label (int64), class and source (string) where the
    data have them, and embedding (fixed-size list of float32): the backbone's pooled features, the mean over the clips
    of a video. each_clip: a row for each clip instead, with clip, first_frame and last_frame (int64).

    Rows come in the order of the data; videos that cannot be read have none and are listed in the result. The file's
    metadata hold, under "twofold", JSON with the backbone's blueprint, how clips are cut, and the data's fingerprint.
    The file appears whole or not at all. Raises UserError for a name without .parquet, or where no video can be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    out = Path(out)
    if out.suffix != ".parquet":
        raise UserError(f"Vectors go to a .parquet file, which {out} is not; name it {out.name}.parquet.")
    schema, count, done = _schema(backbone, clips, inputs, each_clip), 0, 0
    with beside(out) as part:
        with part.open("wb") as handle, parquet.ParquetWriter(handle, schema, compression="zstd") as writer:
            rows: list[dict[str, Any]] = []
            for indices, features in stream_features(backbone, clips, inputs):
                keep = readable(clips, indices)
                for i, found in zip(indices[keep].tolist(), features[keep].numpy(), strict=True):
                    rows += _rows(clips, inputs, i, found, each_clip)
                done += len(indices)
                if on_progress:
                    on_progress(done, len(clips))
                if len(rows) >= ROWS or done == len(clips):
                    count += len(rows)
                    writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                    rows = []
        if not count:
            raise UserError(f"No video of {clips.source.path} can be read, so there are no vectors to write.")
    return Embedded(out, count, backbone.width, clips.unreadable)


def fingerprint_in(file: Path) -> str:
    """Of which data the vectors in a file are, by their fingerprint; "" where it does not say."""
    import pyarrow.parquet as parquet

    try:
        about = json.loads((parquet.read_schema(file).metadata or {})[METADATA])
    except (OSError, ValueError, KeyError):  # of arrow's own errors, too
        return ""
    return str(about.get("data", "")) if isinstance(about, dict) else ""


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


def _schema(backbone: Backbone, clips: Clips, inputs: InputSettings, each_clip: bool) -> Any:
    import pyarrow as pa

    source = clips.source
    fields = [("name", pa.string())]
    fields += [("label", pa.int64())] if source.class_count() else []
    fields += [("class", pa.string())] if source.class_count() and source.classes else []
    fields += [("source", pa.string())] if any(item.group for item in source.items) else []
    fields += [(name, pa.int64()) for name in ("clip", "first_frame", "last_frame")] if each_clip else []
    fields += [("embedding", pa.list_(pa.float32(), backbone.width))]
    about = {"backbone": backbone.blueprint(), "image_size": inputs.size, "mean": inputs.mean, "std": inputs.std}
    about |= {"frames": inputs.frames, "stride": inputs.stride, "fps": inputs.fps, "clips": inputs.clips}
    about |= {"precision": inputs.precision, "data": source.fingerprint()}
    return pa.schema(fields, metadata={METADATA: json.dumps(about)})
