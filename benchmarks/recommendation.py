"""recommendation.py DATA OUT: LightGCN, SGL and floors on a folder of train and test files, several seeds, to the end.

Every (method, seed) is one run and one JSON file in OUT, so the command can be stopped, repeated, and shared between
processes (--seeds 0 in one, --seeds 1 in another; OMP_NUM_THREADS=1 then). METHOD[NAME=VALUE,...] has settings of its
own. --select-on test trains on all training pairs and reports the best epoch on the test part, as papers do; without it
the epoch is chosen on a tenth of each user's training pairs, which are not learned from. The last lines are the table
of all that OUT holds.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import platform
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import twofold
from twofold.evaluation.intervals import mean_interval

SHOWN = ("recall@20", "ndcg@20")


def one(method: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train and measure; with the floors' numbers, the course of the run and what it cost."""
    name, _, settings = method.partition("[")
    chosen = dict(pair.split("=") for pair in settings.rstrip("]").split(",")) if settings else {}
    plan: dict[str, Any] = {key: float(chosen.pop(key)) for key in ("lr", "noise") if key in chosen}
    plan |= {key: int(chosen.pop(key)) for key in ("batch_size", "eval_every") if key in chosen}
    plan |= {"recipe": chosen.pop("recipe")} if "recipe" in chosen else {}
    began, busy = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        run = twofold.pretrain(
            name, str(options.data), out=f"{folder}/run", seed=seed, select_on=options.select_on,
            patience=options.patience, epochs=options.epochs, report=False, quiet=True, method_options=chosen, **plan,
        )  # fmt: skip
        cost = time.process_time() - busy
        rows = json.loads((run / "evaluation.json").read_text())
        history = json.loads((run / "best.json").read_text())
        with (run / "metrics.csv").open(newline="") as handle:
            logged = list(csv.DictReader(handle))
    best = max(history, key=lambda entry: (entry["value"], -entry["epoch"]))
    return {
        "method": method,
        "seed": seed,
        "date": datetime.date.today().isoformat(),
        "machine": platform.platform(),
        "settings": {k: str(v) for k, v in vars(options).items() if k not in ("methods", "seeds", "out")},
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(cost, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "epochs": float(logged[-1]["epoch"]),
        "best_epoch": best["epoch"],
        "history": history,
        "results": [{k: row[k] for k in ("protocol", "metric", "name", "value", "floor")} for row in rows],
    }


def table(folder: Path) -> str:
    """Mean and 95 % interval over seeds, a row a method or floor, and the share of the tail in Recall@20."""
    values: dict[str, dict[str, list[float]]] = {}
    for file in sorted(folder.glob("*.json")):
        stored = json.loads(file.read_text())
        for row in (row for row in stored["results"] if row["protocol"] in ("ranking", "long tail")):
            name = f"({row['name']})" if row["floor"] else stored["method"]
            values.setdefault(name, {}).setdefault(row["metric"], []).append(row["value"])
        values[stored["method"]].setdefault("best epoch", []).append(stored["best_epoch"])
        values[stored["method"]].setdefault("CPU s", []).append(stored["cpu_seconds"])
    columns = [*SHOWN, "most popular group", "best epoch", "CPU s"]
    lines = ["| | " + " | ".join(columns) + " | runs |", "|" + "---|" * (len(columns) + 2)]
    for name, row in values.items():
        shares = [top / max(all_, 1e-12) for top, all_ in zip(row["group 10"], row["recall@20"], strict=True)]
        cells = [_cell(row[metric], 4) for metric in SHOWN] + [f"{100 * sum(shares) / len(shares):.1f} %"]
        cells += [_cell(row[key], 0) if key in row else "-" for key in columns[3:]]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {len(row['recall@20'])} |")
    return "\n".join(lines)


def _cell(values: list[float], digits: int) -> str:
    mean, half = mean_interval(values)
    return f"{mean:.{digits}f}" if half is None or not half else f"{mean:.{digits}f} ± {half:.{digits}f}"


def main() -> None:
    """Run what is not there yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--methods", nargs="+", default=["lightgcn", "sgl", "sgl[augmentation=nd]", "sgl[augmentation=rw]"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--select-on", default="valid", choices=["valid", "test"])
    parser.add_argument("--patience", type=int, default=20)
    parser.add_argument("--epochs", type=int)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        for method in options.methods:
            file = options.out / f"{method}-{seed}.json"
            if not file.exists():
                file.write_text(json.dumps(one(method, seed, options), indent=1) + "\n")
                print(f"{file}: done", flush=True)
    print(table(options.out))


if __name__ == "__main__":
    main()
