"""small_images.py TRAIN TEST OUT: methods on a subset of small images, beside floors and a supervised ceiling.

Every (method, seed) is one run and one JSON file in OUT, so the command can be stopped, repeated, and shared between
processes (--seeds 0 in one, --seeds 1 in another; OMP_NUM_THREADS=1 then). The last lines are the table of all that
OUT holds. The subset is the first --images rows of TRAIN, which must be interleaved over the classes. METHOD@SYSTEM is
METHOD with the views and the optimizer of SYSTEM's recipe; METHOD[NAME=VALUE,...] has settings of its own.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import twofold
from twofold.evaluation.intervals import mean_interval
from twofold.images.systems import RECIPES

PROTOCOLS = "knn,5nn,linear"
CEILING = "supervised"
# method: (its baseline under the same recipe, the published difference, quoted with where it stands)
AGAINST = {
    "moco": ("moco-v1", "+6.9 linear, ImageNet, 200 epochs (MoCo repository)"),
    "wmse": ("simclr@wmse", "on par in linear, ahead in 5-NN (paper)"),
    "wmse4": ("simclr@wmse", "a little ahead of two views (paper)"),
    "simsiam+mixsiam": ("simsiam", "an improvement, its size not seen (abstract)"),
    "moco+mochi": ("moco", "at most +1.0 linear, ImageNet-100 (summaries)"),
    "moco+co2": ("moco", "+2.9 linear on MoCo v1, ImageNet (abstract); +0.3 kNN, CIFAR-10 (third party)"),
    "simclr+co2[co2.temperature=1,co2.weight=1]": ("simclr", "+0.6 kNN, CIFAR-10, 200 epochs (third party)"),
    "simclr+co2[co2.weight=0.3,co2.temperature=0.05]": ("simclr", "not with these settings"),
    "moco-symmetric+unmix": ("moco-symmetric", "+1.8 kNN, CIFAR-10, 1000 epochs (repository)"),
    "moco+tkc": ("moco", "an improvement, its size not seen (abstract)"),
    "byol+tkc": ("byol", "an improvement, its size not seen (abstract)"),
    "moco+unmix": ("moco", "+2.2 kNN, CIFAR-10, 1000 epochs (repository)"),
    "simclr+unmix": ("simclr", "about +0.4 linear, CIFAR-10, 1000 epochs (read off a curve)"),
    "byol+unmix": ("byol", "about +1.8 linear, CIFAR-10, 1000 epochs; behind until epoch 150 (read off curves)"),
}
KEPT = (
    "loss/co2",
    "uniformity",
    "negatives_with_mass",
    "spread",
    "effective_rank",
    "temporal_consistency",
    "tkc_entropy",
)


def subset(path: Path, rows: int, out: Path) -> Path:
    """The first rows of a parquet file as another, with the class names beside it."""
    target = out / f"{path.stem}-{rows}.parquet"
    if not target.exists():
        pq.write_table(pq.read_table(path, columns=["image", "label"]).slice(0, rows), target)
    return target


def one(method: str, seed: int, train: Path, test: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Pretrain and evaluate; the ceiling is the same network, trained with all labels for as many epochs."""
    began = time.monotonic()
    shape = {"backbone": options.backbone, "image_size": options.image_size}
    rows: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        if method == CEILING:
            results = twofold.evaluate(
                f"random:{options.backbone}", str(train), test=str(test), protocols="finetune", epochs=options.epochs,
                image_size=options.image_size, floors=False, seed=seed, quiet=True,
            )  # fmt: skip
        else:
            name, chosen = read(method, options.epochs)
            run = twofold.pretrain(
                name, str(train), out=f"{folder}/run", epochs=options.epochs, batch_size=options.batch_size,
                seed=seed, knn_every=0, correspondence_every=0, report=False, quiet=True, **shape, **chosen,
            )  # fmt: skip
            with (run / "metrics.csv").open(newline="") as handle:
                rows = list(csv.DictReader(handle))
            results = twofold.evaluate(
                str(run), str(train), test=str(test), protocols=PROTOCOLS, seed=seed, quiet=True,
                floors=options.floors,
            )  # fmt: skip
    return {
        "method": method,
        "seed": seed,
        "seconds": round(time.monotonic() - began, 1),
        "date": datetime.date.today().isoformat(),
        "machine": platform.platform(),
        "settings": {k: str(v) for k, v in vars(options).items() if k not in ("methods", "seeds")},
        "last": {k: rows[-1][k] for k in KEPT if rows and rows[-1].get(k)},
        "temporal_consistency": [float(v) for row in rows if (v := row.get("temporal_consistency"))],
        "results": [{k: row[k] for k in ("protocol", "metric", "name", "value", "floor")} for row in results],
    }


def read(method: str, epochs: int) -> tuple[str, dict[str, Any]]:
    """What `moco`, `simclr@wmse` or `moco+co2[weight=1]` asks of pretrain."""
    method, _, settings = method.partition("[")
    method, _, system = method.partition("@")
    chosen: dict[str, Any] = {}
    if system:
        recipe = RECIPES[system]["cifar"]
        names = ("optimizer", "base_lr", "scaling", "weight_decay", "schedule", "drop")
        chosen = {"views": recipe.views, **{name: recipe.plan[name] for name in names if name in recipe.plan}}
        if "milestones" in recipe.plan:
            chosen["milestones"] = [round(share * epochs) for share in recipe.plan["milestones"]]
    if settings:
        chosen["method_options"] = dict(pair.split("=") for pair in settings.rstrip("]").split(","))
    return method, chosen


def table(folder: Path) -> str:
    """Mean and standard deviation over seeds, in percent, a row a method or floor."""
    values: dict[str, dict[str, list[float]]] = {}
    for file in sorted(folder.glob("*.json")):
        stored = json.loads(file.read_text())
        for row in stored["results"]:
            name = f"({row['name']})" if row["floor"] else stored["method"]
            values.setdefault(name, {}).setdefault(f"{row['protocol']} {row['metric']}", []).append(100 * row["value"])
    columns = sorted({column for row in values.values() for column in row if column.endswith("top1")})
    lines = ["| | " + " | ".join(columns) + " | seeds |", "|" + "---|" * (len(columns) + 2)]
    for name, row in values.items():
        cells = [
            f"{statistics.mean(v):.1f} ± {statistics.stdev(v) if len(v) > 1 else 0:.1f}" if (v := row.get(c)) else "-"
            for c in columns
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {max(map(len, row.values()))} |")
    return "\n".join(lines)


def differences(folder: Path) -> str:
    """Each method less its baseline, seed by seed, in points with the 95 % t-interval, beside the published one."""
    values = {}
    for file in sorted(folder.glob("*.json")):
        stored = json.loads(file.read_text())
        for row in stored["results"]:
            if not row["floor"] and row["metric"] == "top1":
                values[stored["method"], row["protocol"], stored["seed"]] = 100 * row["value"]
    protocols = PROTOCOLS.split(",")
    lines = ["| method | against | " + " | ".join(protocols) + " | seeds | published |", "|" + "---|" * 7]
    for method, (baseline, published) in AGAINST.items():
        cells, seeds = [], 0
        for protocol in protocols:
            both = [s for m, p, s in values if (m, p) == (method, protocol) and (baseline, p, s) in values]
            gaps = [values[method, protocol, seed] - values[baseline, protocol, seed] for seed in both]
            seeds = len(gaps)
            if gaps:
                mean, half = mean_interval(gaps)
                cells.append(f"{mean:+.1f}" + (f" ± {half:.1f}" if half is not None else ""))
        if cells:
            lines.append(f"| `{method}` | `{baseline}` | " + " | ".join(cells) + f" | {seeds} | {published} |")
    return "\n".join(lines)


def main() -> None:
    """Run what is not there yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--methods", nargs="+", default=["simclr", "moco", "simsiam", "byol", CEILING])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--test-images", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--backbone", default="convnet")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--floors", action="store_true", help="measure the floors beside every run")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        train = subset(options.train, options.images, Path(folder))
        test = subset(options.test, options.test_images, Path(folder))
        for seed in options.seeds:
            for method in options.methods:
                file = options.out / f"{method}-{seed}.json"
                if not file.exists():
                    file.write_text(json.dumps(one(method, seed, train, test, options), indent=1) + "\n")
                    print(f"{file}: done", flush=True)
    print(table(options.out))
    print()
    print(differences(options.out))


if __name__ == "__main__":
    main()
