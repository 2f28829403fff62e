"""`export` on interactions: the items as a search index for faiss, checked against exact search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from twofold.errors import UserError
from twofold.files import beside, plainly
from twofold.interactions.jobs.store import Embeddings, read_model
from twofold.interactions.options import Export
from twofold.printable import say

ASKED, NEIGHBOURS, CELLS_FROM = 256, 10, 50_000


def run(run: str, options: Export) -> Path:
    """Write item_index.faiss, its rows in the order of item_ids.parquet, and print the lines that use it.

    Exact inner products up to 50,000 items, cells of about the root of their number beyond that. Raises UserError where
    faiss is missing.
    """
    faiss = _faiss()
    model = read_model(run).embeddings
    rows = np.ascontiguousarray(model.item.numpy(), dtype=np.float32)
    cells = round(len(rows) ** 0.5)
    if len(rows) < CELLS_FROM:
        index = faiss.IndexFlatIP(rows.shape[1])
    else:
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(rows.shape[1]), rows.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
        index.train(rows)
        index.nprobe = max(cells // 16, 8)
    index.add(rows)
    out = Path(options.out or Path(run) / "item_index.faiss")
    with beside(out) as part, plainly(part) as plain:
        faiss.write_index(index, plain)
        share = _agreement(faiss.read_index(plain), model)
    say(f"{out}: {len(rows):,} items; of the {NEIGHBOURS} best of {ASKED} users it finds {share:.1%}. Use it with:\n")
    say("\n".join(_lines(Path(run), out)))
    return out


def _agreement(index: Any, model: Embeddings) -> float:
    """The share of exact search's best items that the index finds, for users spread over all."""
    chosen = np.unique(np.linspace(0, len(model.user) - 1, ASKED).astype(int))
    users, k = model.user[chosen], min(NEIGHBOURS, len(model.item))
    exact = (users @ model.item.T).topk(k).indices.numpy()
    found = index.search(np.ascontiguousarray(users.numpy(), dtype=np.float32), k)[1]
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(exact, found, strict=True)]))


def _lines(run: Path, out: Path) -> list[str]:
    return [
        "import faiss, pyarrow.parquet as pq",
        "from safetensors.numpy import load_file",
        f"index = faiss.read_index({str(out)!r})",
        f"items = pq.read_table({str(run / 'item_ids.parquet')!r})['item']",
        f"users = load_file({str(run / 'model.safetensors')!r})['user_embedding']",
        "scores, rows = index.search(users[:1], 10)",
        "best = [items[int(row)].as_py() for row in rows[0]]",
    ]


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise UserError('The index needs faiss, which is not installed: pip install "twofold[ann]".') from error
    return faiss
