"""recommendation_latency.py PAIRS: milliseconds until a recommender in memory has answered for one user.

k 20, one user at a time: of `twofold.load` of a run of one epoch of lightgcn on the pairs, and of invented embeddings
(64 numbers) of 20,000 users and 100,000 items; the same for a new user who is folded in, for `similar`, and by eight
threads at once. Writes benchmarks/results/recommendation_latency.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

import twofold
from twofold.interactions.jobs.load import LoadedRecommender
from twofold.interactions.jobs.store import Embeddings, Recommender
from twofold.interactions.ragged import Ragged

ASKED, K = 500, 20
USERS, ITEMS = 20_000, 100_000


def main() -> None:
    """Train, ask, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as folder:
        run = twofold.pretrain("lightgcn", pairs, out=f"{folder}/run", epochs=1, report=False, quiet=True)
        began = time.perf_counter()
        model = twofold.load(run)
        print(f"loading {1e3 * (time.perf_counter() - began):.0f} ms")
    rows = [*measured(f"{len(model.item_ids):,} items", model), *measured(f"{ITEMS:,} items", invented())]
    for row in rows:
        print(
            f"{row['data']:16} {row['what']:24} median {row['median_ms']:6.2f} ms, 99 % below {row['p99_ms']:6.2f} ms"
        )
    out = Path(__file__).parent / "results" / "recommendation_latency.json"
    out.write_text(json.dumps({"k": K, "asked": ASKED, "rows": rows}, indent=1) + "\n")


def invented() -> LoadedRecommender:
    """Random embeddings of many items."""
    drawn = np.random.default_rng(0)
    pairs = np.stack([drawn.integers(0, USERS, 500_000), drawn.integers(0, ITEMS, 500_000)], 1)
    degree = torch.bincount(torch.from_numpy(pairs[:, 1]), minlength=ITEMS)
    ids = [pa.array([f"{side}{i}" for i in range(count)]) for side, count in (("u", USERS), ("i", ITEMS))]
    left_out = pa.table({side: pa.array([], pa.string()) for side in ("user", "item")})
    ranker = Embeddings(torch.randn(USERS, 64), torch.randn(ITEMS, 64), degree)
    seen = Ragged.of(pairs, USERS)
    return LoadedRecommender(Recommender("invented", ranker, *ids, seen, pairs, pairs[:0], left_out))


def measured(name: str, model: LoadedRecommender) -> list[dict[str, Any]]:
    """The latencies of a recommender."""
    drawn = np.random.default_rng(1)
    users = drawn.choice(model.user_ids, ASKED).tolist()
    items = drawn.choice(model.item_ids, (ASKED, 10)).tolist()
    jobs: dict[str, Callable[[int], Any]] = {
        "a known user": lambda i: model.recommend(users[i], K),
        "a new user, 10 items": lambda i: model.recommend(model.fold_in(items[i]), K),
        "similar items": lambda i: model.similar(items[i][0], K),
    }
    rows = []
    for what, job in jobs.items():
        job(0)
        rows.append(summary(name, what, [timed(job, i) for i in range(ASKED)]))
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda i: timed(jobs["a known user"], i), range(ASKED)))
    return [*rows, summary(name, "a known user, 8 threads", found)]


def timed(job: Callable[[int], Any], i: int) -> float:
    """Seconds until a job has answered."""
    began = time.perf_counter()
    job(i)
    return time.perf_counter() - began


def summary(name: str, what: str, seconds: list[float]) -> dict[str, Any]:
    """Median and 99th percentile in milliseconds."""
    ms = [1e3 * value for value in seconds]
    return {
        "data": name,
        "what": what,
        "median_ms": statistics.median(ms),
        "p99_ms": statistics.quantiles(ms, n=100)[98],
    }


if __name__ == "__main__":
    main()
