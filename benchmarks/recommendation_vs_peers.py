"""recommendation_vs_peers.py DATA OUT.json --peer recbole DIR PYTHON ...: cost of an epoch, and what is reached.

For ours and every peer named, LightGCN and SGL on the same training pairs of DATA (anything twofold reads; what it
holds for validation is learned from), 64 columns, one thread, each in a process of its own and in turn: CPU seconds of
a training epoch, evaluation left out, the first epoch not counted, and the process's greatest memory. With --every N,
Recall@20 and NDCG@20 on the test part after every N epochs, by one evaluator for all; the best epoch is the one given,
as the peers' papers do. DIR is a clone of the peer's repository (for recbole a folder for its files), PYTHON an
interpreter that can import it. LightGCN-PyTorch runs on lastfm alone, whose files it carries, and has no SGL.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


def measure(side: str, kind: str, folder: Path, pairs: Path, plan: dict[str, Any], every: int) -> dict[str, Any]:
    """One training, in this process."""
    import torch
    from recommendation_peers import SIDES, Data, Plan
    from torch import Tensor

    from twofold.interactions.evaluation.ranking import rank_all
    from twofold.interactions.ragged import Ragged

    torch.set_num_threads(1)
    torch.manual_seed(plan.pop("seed"))
    held = np.load(pairs)
    data = Data(held["train"], held["test"], held["user_ids"].tolist(), held["item_ids"].tolist())
    seen, relevant = (Ragged.of(part, len(data.user_ids)) for part in (data.train, data.test))
    spent = {"began": 0.0, "asking": 0.0, "all": 0.0}
    history: list[list[float]] = []

    def each(epoch: int, tables: Callable[[], tuple[Tensor, Tensor]]) -> None:
        now = time.process_time()
        if epoch == 1:
            spent["began"] = now
        spent["all"] = now - spent["began"] - spent["asking"]
        if every and epoch % every == 0:
            with torch.no_grad():
                user, item = tables()
                found = rank_all(lambda users: user[users] @ item.T, relevant, seen, [20]).mean()
            history.append([epoch, found["recall@20"], found["ndcg@20"], round(spent["all"], 1)])
        if epoch > 1:
            spent["asking"] += time.process_time() - now
        else:
            spent["began"] = time.process_time()

    SIDES[side](kind, folder, data, Plan(**plan), each)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_s_an_epoch": spent["all"] / (plan["epochs"] - 1), "peak_mib": round(peak), "history": history}


def write_pairs(data: str, file: Path) -> None:
    """The parts that twofold makes of the data, as arrays that every interpreter reads."""
    from twofold.interactions.reading.splits import open_interactions

    held = open_interactions(data, valid_share=0.0)
    if held.valid is not None:
        raise SystemExit("The data has a validation part, which would be lost: give a folder of train and test.")
    ids = {"user_ids": held.user_ids.to_pylist(), "item_ids": held.item_ids.to_pylist()}
    np.savez(file, train=held.train, test=held.test, **{k: np.array(v, dtype=str) for k, v in ids.items()})


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """Medians over the rounds; ratios are those of the same round."""
    lines = [
        "| | CPU s an epoch | times ours | peak MiB | Recall@20 / NDCG@20, epoch, CPU s |",
        "|---|---|---|---|---|",
    ]
    for job, rounds in found.items():
        own = found[f"twofold:{job.partition(':')[2]}"]
        costs = [each["cpu_s_an_epoch"] for each in rounds]
        ratio = statistics.median(cost / mine["cpu_s_an_epoch"] for cost, mine in zip(costs, own, strict=True))
        best = [max(each["history"], key=lambda entry: entry[1]) for each in rounds if each["history"]]
        cell = "; ".join(f"{r:.4f} / {n:.4f}, {epoch:.0f}, {cpu:.0f}" for epoch, r, n, cpu in best) or "-"
        peak = statistics.median(each["peak_mib"] for each in rounds)
        lines.append(f"| {job} | {statistics.median(costs):.3f} | {ratio:.1f} | {peak:.0f} | {cell} |")
    return "\n".join(lines)


def main() -> None:
    """Measure in rounds, write OUT.json, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("out", type=Path)
    parser.add_argument("--peer", nargs=3, action="append", default=[], metavar=("NAME", "DIR", "PYTHON"))
    parser.add_argument("--kinds", nargs="+", default=["lightgcn", "sgl"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--every", type=int, default=0)
    parser.add_argument("--lr", type=float, default=0.005)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--weight", type=float, default=0.1)
    parser.add_argument("--ratio", type=float, default=0.1)
    parser.add_argument("--temperature", type=float, default=0.2)
    parser.add_argument("--init", default="normal", help="ours; the peers have one of their own")
    parser.add_argument("--negatives", default="batch", help="of our SGL")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = ("epochs", "lr", "batch_size", "layers", "weight", "ratio", "temperature", "init", "negatives")
    plan = {name: getattr(options, name) for name in names}
    if options.one:
        side, kind, folder, seed = options.one
        print(
            json.dumps(
                measure(side, kind, Path(folder), Path(options.data), {**plan, "seed": int(seed)}, options.every)
            )
        )
        return
    sides = {"twofold": (".", sys.executable)} | {name: (folder, python) for name, folder, python in options.peer}
    jobs = [(side, kind) for kind in options.kinds for side in sides if (side, kind) != ("lightgcn-pytorch", "sgl")]
    found: dict[str, list[dict[str, Any]]] = {f"{side}:{kind}": [] for side, kind in jobs}
    with tempfile.TemporaryDirectory() as scratch:
        pairs = Path(scratch) / "pairs.npz"
        write_pairs(options.data, pairs)
        for seed in range(options.rounds):
            for side, kind in jobs:
                folder, python = sides[side]
                shared = [f"--{name.replace('_', '-')}={value}" for name, value in plan.items()]
                command = [python, __file__, str(pairs), str(options.out), *shared, f"--every={options.every}"]
                command += ["--one", side, kind, str(Path(folder).resolve()), str(seed)]
                paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "benchmarks")])
                # One thread everywhere; waiting threads of a library would count as work.
                set_ = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
                done = subprocess.run(command, capture_output=True, text=True, env=set_)
                if done.returncode:
                    sys.exit(f"{side} {kind} failed:\n{done.stderr[-3000:]}")
                found[f"{side}:{kind}"].append(json.loads(done.stdout.splitlines()[-1]))
                print(f"round {seed}, {side} {kind}: done", flush=True)
    about = {"command": " ".join(sys.argv), "date": datetime.date.today().isoformat(), "machine": platform.platform()}
    options.out.write_text(json.dumps({**about, "found": found}, indent=1) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
