"""`embed` on interactions: the propagated embedding of every user or item, by original id, as parquet."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from twofold.catalog.options import Embed
from twofold.errors import UserError, nearest
from twofold.files import write_atomically
from twofold.interactions.jobs.store import read_model
from twofold.printable import say

SIDES = ("users", "items")


def run(run: str, side: str, options: Embed) -> Path:
    """Write id and embedding (float32, fixed length) of all users or items; see `api.embed`. Returns the file."""
    if side not in SIDES:
        raise UserError(f'Of a run on interactions users or items can be embedded, not "{side}".{nearest(side, SIDES)}')
    model = read_model(run)
    embeddings = model.embeddings
    ids, rows = (model.user_ids, embeddings.user) if side == "users" else (model.item_ids, embeddings.item)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.numpy().ravel()), rows.shape[1])
    table = pa.table({"id": ids, "embedding": vectors})
    out = Path(options.out or Path(run) / f"{side}-embeddings.parquet")
    write_atomically(out, lambda handle: pq.write_table(table, handle))
    say(f"{table.num_rows:,} {side} of {rows.shape[1]} numbers: {out}")
    return out
