"""recommendation_implicit.py DATA OUT.json: ALS and BPR-MF of the library implicit, measured as our methods are.

On the training pairs of DATA, ranked for the test part by our evaluator, as floors that a fair report shows: ALS is
a matter of seconds. --select-on test learns from all training pairs, as in recommendation.py. Needs `implicit`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import sys
import time
from pathlib import Path

import implicit
import numpy as np
import scipy.sparse as sp
import torch
from threadpoolctl import threadpool_limits

from twofold.interactions.evaluation.ranking import rank_all
from twofold.interactions.ragged import Ragged
from twofold.interactions.reading.splits import open_interactions

MODELS = {
    "ALS, 64 columns, regularisation 0.1, alpha 10": lambda seed: implicit.als.AlternatingLeastSquares(
        factors=64, regularization=0.1, alpha=10.0, iterations=15, random_state=seed, num_threads=1
    ),
    "ALS, 64 columns, regularisation 0.01, alpha 1": lambda seed: implicit.als.AlternatingLeastSquares(
        factors=64, regularization=0.01, alpha=1.0, iterations=15, random_state=seed, num_threads=1
    ),
    "BPR-MF, 63 columns, rate 0.05, 100 rounds": lambda seed: implicit.bpr.BayesianPersonalizedRanking(
        factors=63, learning_rate=0.05, regularization=0.002, iterations=100, random_state=seed, num_threads=1
    ),
}


def main() -> None:
    """Fit and rank each, print a table, write OUT.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--select-on", default="valid", choices=["valid", "test"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    for seed in options.seeds:
        data = open_interactions(options.data, valid_share=0.0 if options.select_on == "test" else 0.1, seed=seed)
        held = [data.train, *([data.valid] if data.valid is not None else [])]
        seen, relevant = Ragged.of(np.concatenate(held), data.users), Ragged.of(data.test, data.users)
        ones = np.ones(len(data.train), np.float32)
        matrix = sp.csr_matrix((ones, (data.train[:, 0], data.train[:, 1])), shape=(data.users, data.items))
        for name, make in MODELS.items():
            with threadpool_limits(1):
                model, began = make(seed), time.process_time()
                model.fit(matrix, show_progress=False)
            cost = time.process_time() - began
            user, item = torch.from_numpy(model.user_factors), torch.from_numpy(model.item_factors)
            means = rank_all(lambda users, u=user, i=item: u[users] @ i.T, relevant, seen, [20]).mean()
            found.append({"name": name, "seed": seed, "cpu_seconds": round(cost, 1), **means})
            print(
                f"{name}, seed {seed}: {means['recall@20']:.4f} / {means['ndcg@20']:.4f}, {cost:.1f} CPU s", flush=True
            )
    about = {"command": " ".join(sys.argv), "date": datetime.date.today().isoformat(), "machine": platform.platform()}
    options.out.write_text(json.dumps({**about, "implicit": implicit.__version__, "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
