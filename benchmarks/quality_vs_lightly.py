"""quality_vs_lightly.py SET TRAIN TEST: accuracy of methods by our settings and by lightly's, at one budget.

Both sides train the same network (`convnet`) on the same JPEGs for the same epochs of the same batches, on one core;
weights of both are asked by the same functions (kNN, 5-NN and linear on TEST). CPU seconds are those of the training
process. Each (side, method, seed) is one JSON in benchmarks/results/quality-vs-lightly/SET, so the command can be
stopped, repeated and shared among processes. TRAIN, TEST: parquet with columns image and label, interleaved over the
classes, of which the first --images and --test-images rows are taken. Check: `make peers`, then
`.venv/bin/python benchmarks/quality_vs_lightly.py cifar10-5000 TRAIN TEST`, nothing else running.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from pathlib import Path
from typing import Any

import measure
import pyarrow.parquet as pq
import torch

import twofold
from twofold.images.backbones import build_backbone
from twofold.pixels.backbones.export import save_backbone
from twofold.pixels.views.augmentations import statistics_named

METHODS = ("simclr", "moco", "byol", "simsiam", "barlow", "vicreg", "dino", "swav")
PROTOCOLS = "knn,5nn,linear"
ALONE = ("env", "OMP_NUM_THREADS=1")


def main() -> None:
    """Run what is not there yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", help="what results are filed under")
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--sides", nargs="+", choices=["twofold", "lightly"], default=["twofold", "lightly"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--test-images", type=int, default=2000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--recipe", default="auto", help="of ours")
    asked = parser.parse_args()
    out = measure.RESULTS / "quality-vs-lightly" / asked.set
    out.mkdir(parents=True, exist_ok=True)
    train = written(asked.train, asked.images, measure.ROOT / measure.WORK / f"{asked.set}-train")
    test = written(asked.test, asked.test_images, measure.ROOT / measure.WORK / f"{asked.set}-test")
    for seed in asked.seeds:
        for method in asked.methods:
            for side in asked.sides:
                file = out / f"{side}-{method}-{seed}.json"
                if not file.exists():
                    found = one(side, method, seed, train, test, asked)
                    file.write_text(json.dumps(found, indent=1) + "\n")
                    print(f"{file.relative_to(measure.ROOT)}: {found['accuracy']}", flush=True)
    print(table(out))


def written(parquet: Path, rows: int, folder: Path) -> Path:
    """The first rows of a table as files in folders by class, made where they are missing."""
    if not folder.exists():
        part = folder.with_name(folder.name + ".part")
        table = pq.read_table(parquet, columns=["image", "label"]).slice(0, rows)
        for i, row in enumerate(table.to_pylist()):
            data = row["image"]["bytes"] if isinstance(row["image"], dict) else row["image"]
            file = part / str(row["label"]) / f"{i:06}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        part.rename(folder)
    return folder


def one(side: str, method: str, seed: int, train: Path, test: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Train by one side, and measure what came of it."""
    place = measure.ROOT / measure.fresh(f"quality-{os.getpid()}")
    if side == "lightly":
        weights = place.with_suffix(".pt")
        command = [*ALONE, str(measure.PEERS), "benchmarks/lightly_quality.py", method, str(train), str(weights)]
        command += ["--size", asked.size, "--epochs", asked.epochs, "--batch", asked.batch, "--seed", seed]
        os.environ["PYTHONPATH"] = str(measure.ROOT / "src")
        cost = measure.must(list(map(str, command)), timeout=7200)
        model: str | Path = as_file(weights, asked.size, method)
    else:
        command = [*ALONE, str(measure.TWOFOLD), "pretrain", method, str(train), "--out", str(place)]
        command += ["--backbone", "convnet"]
        command += ["--image-size", asked.size, "--epochs", asked.epochs, "--batch-size", asked.batch, "--seed", seed]
        command += ["--recipe", asked.recipe, "--knn-every", 0, "--correspondence-every", 0, "--no-report", "--quiet"]
        cost = measure.must(list(map(str, command)), timeout=7200)
        model = place
    rows = twofold.evaluate(
        str(model), str(train), test=str(test), protocols=PROTOCOLS, seed=seed, floors=False, quiet=True
    )
    accuracy = {row["protocol"]: round(row["value"], 4) for row in rows if row["metric"] == "top1"}
    settings = {k: v for k, v in vars(asked).items() if k in ("images", "size", "epochs", "batch", "recipe")}
    return {
        "side": side,
        "method": method,
        "seed": seed,
        "accuracy": accuracy,
        "cpu_seconds": round(cost.cpu_s, 1),
        "others": round(cost.others, 2),
        **settings,
    }


def as_file(weights: Path, size: int, method: str) -> Path:
    """lightly's weights as a backbone of ours, with the normalisation of its transforms."""
    backbone = build_backbone("convnet", image_size=size)
    backbone.network.load_state_dict(torch.load(weights, weights_only=True))
    mean, std = statistics_named("imagenet")
    return save_backbone(backbone, weights.with_suffix(".safetensors"), mean=mean, std=std, method=method)


def table(folder: Path) -> str:
    """kNN and CPU seconds of both sides, mean and standard deviation over the seeds."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for file in sorted(folder.glob("*.json")):
        one = json.loads(file.read_text())
        found.setdefault((one["method"], one["side"]), []).append(one)
    lines = ["| | kNN | 5-NN | linear | CPU s | seeds |", "|---|---|---|---|---|---|"]
    for (method, side), runs in sorted(found.items()):
        cells = [spread([100 * run["accuracy"][protocol] for run in runs]) for protocol in PROTOCOLS.split(",")]
        seconds = spread([run["cpu_seconds"] for run in runs], 0)
        lines.append(f"| `{method}`, {side} | {' | '.join(cells)} | {seconds} | {len(runs)} |")
    return "\n".join(lines)


def spread(values: list[float], digits: int = 1) -> str:
    """Mean and standard deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {deviation:.{digits}f}"


if __name__ == "__main__":
    main()
