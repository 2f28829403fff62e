"""Results of dense protocols that are kept as soon as they are known, so that a killed command goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from twofold.errors import UserError
from twofold.files import write_arrays, write_json
from twofold.images.dense.maps import DenseFeatures, Mapper
from twofold.images.finetuning.protocol import digest
from twofold.images.jobs.dense_protocols import Asked, Measured
from twofold.images.jobs.model import Model
from twofold.images.labels.records import Labelled
from twofold.images.options import Evaluate
from twofold.images.reading import Images
from twofold.images.report.dense_samples import FOLDER
from twofold.runs.schema import read_json, wrong_in

# Options that no number of a dense protocol depends on; what the data ones give is in the marks of the data.
HARMLESS = ("protocols", "floors", "workers", "quiet", "out", "test", "trust", "precision")


@dataclass(frozen=True)
class Stored:
    """A `Measured` as its file has it."""

    numbers: dict[str, float]
    settings: str
    floors: dict[str, dict[str, float]]
    more: dict[str, Any]
    note: str


class Kept:
    """The results of one command, each in a file of its own; folder: where, None for nowhere."""

    def __init__(self, folder: Path | None, asked: Asked) -> None:
        self.folder = folder
        self.same = _marks(asked) if folder is not None else ""

    def known(self, protocol: str, label: str, mapper: Mapper) -> Measured | None:
        """A result of the same question; None where there is none, or its file is damaged."""
        file = self._file(protocol, label, mapper)
        try:
            found = read_json(file) if file is not None and file.exists() else None
        except UserError:
            return None
        return None if found is None or wrong_in(Stored, found) else Measured(**{**found, "samples": {}})

    def keep(self, protocol: str, label: str, mapper: Mapper, found: Measured) -> None:
        """Write what is shown of a result, and the result; a folder that cannot be written to keeps nothing."""
        file = self._file(protocol, label, mapper)
        if file is None:
            return
        stored = {name: value for name, value in asdict(found).items() if name != "samples"}
        with contextlib.suppress(UserError):
            if found.samples:
                write_arrays(file.parent / f"{protocol}.npz", found.samples)
            write_json(file, stored)

    def _file(self, protocol: str, label: str, mapper: Mapper) -> Path | None:
        if self.folder is None:
            return None
        key = hashlib.sha256(json.dumps([self.same, protocol, label, _who(mapper)], sort_keys=True).encode())
        plain = "".join(c if c.isalnum() else "-" for c in label)[:40]
        return self.folder / f"{protocol}-{plain}-{key.hexdigest()[:12]}.json"


def folder_of(model: Model, options: Evaluate) -> Path | None:
    """In the run folder, or beside --out."""
    if model.run:
        return model.run / FOLDER
    return Path(f"{options.out}.{FOLDER}") if options.out else None


def _who(mapper: Mapper) -> list[Any]:
    """All that decides the maps."""
    inputs = mapper.inputs
    seen = [inputs.size, list(inputs.mean), list(inputs.std), inputs.precision]
    who: list[Any] = [type(mapper).__name__, mapper.stride, mapper.centre, *seen]
    if isinstance(mapper, DenseFeatures):
        who += [mapper.layers, mapper.backbone.blueprint(), digest(mapper.backbone.state_dict())]
    return who


def _marks(asked: Asked) -> str:
    """All that decides the numbers beside the maps: options, data as far as they are cheap to tell, versions."""
    options = {name: value for name, value in asdict(asked.options).items() if name not in HARMLESS}
    labelled = [part for pair in (asked.masks, asked.boxes) if pair for part in pair]
    pictures = asked.pictures.source.fingerprint() if isinstance(asked.pictures, Images) else None
    pictures = asked.pictures.mark if isinstance(asked.pictures, Labelled) else pictures
    parts: Mapping[str, Any] = {
        "options": options,
        "labelled": [[part.mark, list(part.classes), list(part.names)] for part in labelled],
        "pictures": pictures,
        "pairs": [
            [pair.source, pair.target, *(_stamp(path) for path in (pair.source, pair.target)), pair.target_extent]
            + [points.tolist() for points in (pair.source_points, pair.target_points)]
            for pair in asked.pairs
        ],
        "side": asked.side,
        "versions": [version("twofold"), torch.__version__],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _stamp(path: str) -> list[int]:
    about = os.stat(path)
    return [about.st_size, about.st_mtime_ns]
