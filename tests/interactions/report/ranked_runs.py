"""Makes folders of runs on interactions as training would write them."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

LOGGED = "step,epoch,seconds,loss,lr,triples_per_second,wait_share,loss/bpr,loss/l2"
COLUMNS = f"{LOGGED},recall@20,ndcg@20,hit@20,novelty,best_epoch"
FLOORS = {"popularity": 0.3, "graph filter": 0.9}  # Times the run's value; the graph filter wins at K = 50.


def write_metrics(folder: Path, *, best: int = 6, epochs: int = 9) -> None:
    lines = [COLUMNS]
    for epoch in range(1, epochs + 1):
        recall = 0.25 - 0.02 * abs(best - epoch)
        cells = [epoch * 10, epoch, epoch * 1.5, 1 / epoch, 0.005, 20_000 + epoch, 0, 0.5 / epoch, epoch, recall]
        lines.append(",".join(map(str, [*cells, recall / 2, 2 * recall, 0.1, min(epoch, best)])))
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")


def entries(recall: float, data: str, name: str = "run") -> list[dict[str, object]]:
    """What `evaluate` keeps: ranking at 20 and 50, and three groups that sum to Recall@20."""
    said = []
    for side, factor in {name: 1.0, **FLOORS}.items():
        known = {"name": side, "floor": side != name, "settings": "all items ranked", "seed": 0, "data": data}
        rows = {"recall@20": recall * factor, "recall@50": 1.5 * recall * (1.1 if factor == 0.9 else factor)}
        rows |= {"ndcg@20": recall / 2 * factor}
        said += [known | {"protocol": "ranking", "metric": m, "value": v} for m, v in rows.items()]
        tail = {f"group {g}": recall * factor * g / 55 for g in range(1, 11)}
        said += [known | {"protocol": "long tail", "metric": m, "value": v} for m, v in tail.items()]
    return said


def make_ranked_run(
    folder: Path, *, recall: float = 0.25, evil: str = "", data: str = "plays.csv", **config: object
) -> Path:
    """A whole run folder, finished; `evil` is put into every name that comes from the data."""
    folder.mkdir(parents=True)
    settings = {"method": "sgl", "data": data, "epochs": 1000, "batch_size": 2048, "patience": 3, "select_on": "valid"}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings | config, sort_keys=False))
    (folder / "environment.json").write_text(json.dumps({"pairs": 37829, "started": "2026-02-03T10:21:05"}))
    write_metrics(folder)
    (folder / "evaluation.json").write_text(json.dumps(entries(recall, data, folder.name)))
    learned = [{"item": f"i{i}", "title": f"Song {i} {evil}"} for i in range(8)]
    found = [{"item": f"n{i}", "title": f"New {i} {evil}", "score": 0.5 - i / 100} for i in range(10)]
    users = [{"user": f"ann {n} {evil}", "count": 12, "learned": learned, "recommended": found} for n in range(8)]
    (folder / "samples.json").write_text(json.dumps({"users": users}))
    (folder / "log.txt").write_text("2026-02-03 10:22:05 Nothing more is gained: ended after step 90 of 10,000.\n")
    (folder / "model.safetensors").write_bytes(b"")
    return folder
