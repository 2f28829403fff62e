"""Makes run folders as training would write them, with real pictures: the bundled blood cells."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import yaml
from PIL import Image

CELLS = Path(__file__).parents[3] / "examples" / "cells"
CLASSES = ["RBC", "WBC", "Platelets"]
COLUMNS = "step,epoch,seconds,loss,loss/contrast,lr,images_per_second,wait_share,spread,effective_rank,knn,queue_age"


@cache
def cells(count: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Thumbnails (count, 40, 40, 3) uint8 and labels (count,), the classes as they come, shuffled."""
    table = pq.read_table(CELLS / "test.parquet")
    chosen = np.random.default_rng(0).permutation(len(table))[:count]
    pictures = [table["image"][int(i)].as_py()["bytes"] for i in chosen]
    opened = [Image.open(io.BytesIO(data)).convert("RGB").resize((40, 40)) for data in pictures]
    return np.stack([np.asarray(image) for image in opened]), np.array([table["label"][int(i)].as_py() for i in chosen])


def write_gallery(folder: Path, *, labelled: bool = True, **replaced: np.ndarray) -> None:
    thumbnails, labels = cells()
    colours = thumbnails.reshape(len(thumbnails), 25, 64, 3).mean(axis=2).reshape(len(thumbnails), -1) / 255
    arrays = {
        "features": (colours - colours.mean(axis=0)).astype(np.float32),
        "thumbnails": thumbnails,
        "labels": labels if labelled else np.full(len(labels), -1),
        "names": np.array([f"cells/{i:03d}.png" for i in range(len(labels))]),
        "classes": np.array(CLASSES if labelled else [], dtype=str),
    }
    np.savez(folder / "gallery.npz", **(arrays | replaced))


def write_metrics(folder: Path, *, steps: int = 240, labelled: bool = True, spread: float = 0.95) -> None:
    lines = [COLUMNS]
    for step in range(1, steps + 1):
        loss = 5 - 2 * step / steps + 0.1 * np.sin(step)
        watched = [f"{spread:.4f}", "41.5"] if step % 10 == 0 else ["", ""]
        knn = f"{0.8 + 0.15 * step / steps:.4f}" if labelled and step % 40 == 0 else ""
        cells_ = [step, step / 24, step * 0.5, loss, loss, 0.06, 900 + step % 7, 0.02, *watched, knn, 3]
        lines.append(",".join(str(cell) for cell in cells_))
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")


def write_evaluation(folder: Path) -> None:
    def entry(protocol, value, floor, name):
        known = {"metric": "top1", "data": "cells/test", "settings": {"k": 200}}
        return known | {"protocol": protocol, "value": value, "floor": floor, "name": name}

    entries = [
        entry("knn", 0.983, False, "simclr"),
        entry("knn", 0.888, True, "pixels"),
        entry("knn", 0.867, True, "random network"),
        entry("linear", 0.9712, False, "simclr"),
    ]
    (folder / "evaluation.json").write_text(json.dumps(entries))


def write_views(folder: Path) -> None:
    sources = cells()[0][:5]
    views = np.stack([sources[:, ::-1], sources[:, :, ::-1]], axis=1)
    np.savez(folder / "views.npz", sources=sources, views=views, names=np.array([f"cells/{i}.png" for i in range(5)]))


def make_run(folder: Path, *, labelled: bool = True, spread: float = 0.95, **config: object) -> Path:
    """A whole run folder, finished."""
    folder.mkdir(parents=True)
    settings = {"method": "simclr", "data": "cells/train.parquet", "out": str(folder), "backbone": "resnet10"}
    settings |= {"epochs": 10, "batch_size": 128, "image_size": 48, "seed": 0, "optimizer": {"name": "sgd", "lr": 0.06}}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings | config, sort_keys=False))
    environment = {
        "images": 990,
        "versions": {"torch": "2.14.1"},
        "started": "2026-02-03T10:21:05",
        "device": {"name": "cpu", "cores": 2},
    }
    (folder / "environment.json").write_text(json.dumps(environment))
    write_metrics(folder, labelled=labelled, spread=spread)
    write_gallery(folder, labelled=labelled)
    write_views(folder)
    if labelled:
        write_evaluation(folder)
    (folder / "log.txt").write_text("2026-02-03 10:21:05 optimiser: sgd\n")
    (folder / "unreadable.txt").write_text("cells/broken.jpg\ttruncated\ncells/empty.png\tempty file\n")
    (folder / "backbone.safetensors").write_bytes(b"")
    return folder
