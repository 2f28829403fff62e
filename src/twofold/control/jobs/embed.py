"""`embed` for control: a vector for every step of logged episodes, with the return that followed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from twofold.control.episode import Episode
from twofold.control.evaluation.returns import targets_of
from twofold.control.jobs.evaluate import open_encoder
from twofold.control.jobs.foretelling import check_fits, features_of
from twofold.control.jobs.logs import opened, say_notes
from twofold.control.nets.saved import StatesToFeatures
from twofold.control.options import Embed
from twofold.page.words import Noun
from twofold.pixels.embedded import Embedded, free_place, parquet_path, schema_of, write_tables
from twofold.printable import say, storable
from twofold.runs.screen import OnProgress, progress_bar


def run(model: str, data: str, options: Embed) -> Path:
    """Write the parquet file and say where; see `api.embed`.

    A row for each step: episode (string), step (int64), reward and return_to_go (float32; empty where the episode was
    cut off and too little followed), embedding.
    """
    encoder, _, folder = open_encoder(model)
    log = opened(data, options)
    if not options.quiet:
        say_notes(log)
    check_fits(encoder, log.episodes[0], data)
    out = parquet_path(options.out) if options.out else free_place(folder or Path(), data, log.fingerprint)
    columns = _columns()
    about = {"encoder": encoder.blueprint(), "gamma": options.gamma, "data": log.fingerprint}
    schema = schema_of(columns, encoder.width, about)
    with progress_bar("embedding", options.quiet) as on_progress:
        count = write_tables(out, schema, _tables(encoder, log.episodes, schema, options, on_progress), "step", data)
    say(Embedded(out, count, encoder.width, dict(log.unreadable), Noun("file", "files")).describe())
    return out


def _columns() -> list[tuple[str, Any]]:
    import pyarrow as pa

    kinds = {"episode": pa.string(), "step": pa.int64(), "reward": pa.float32(), "return_to_go": pa.float32()}
    return list(kinds.items())


def _tables(
    encoder: StatesToFeatures, episodes: Sequence[Episode], schema: Any, options: Embed, on_progress: OnProgress
) -> Iterator[Any]:
    import pyarrow as pa

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    moved = encoder.to(device)
    for number, episode in enumerate(episodes):
        found = features_of(moved, episode, options.batch_size, device)
        values, known, _ = targets_of([episode], options.gamma)
        yield pa.table(
            {
                "episode": [storable(episode.name)] * len(episode),
                "step": np.arange(len(episode)),
                "reward": episode.rewards,
                "return_to_go": pa.array(values, pa.float32(), mask=~known),
                "embedding": pa.FixedSizeListArray.from_arrays(pa.array(found.ravel()), encoder.width),
            },
            schema=schema,
        )
        on_progress(number + 1, len(episodes))
