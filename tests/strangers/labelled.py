"""Labelled data sets of each form, one file of which is damaged and all of which is read."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from tests.images.labels.samples import coco, image, mask, masks, photo, thing, voc, voc_object
from twofold.images.labels import form_of, near_copies, open_labelled, open_pair

RING = [[10.0, 5, 30, 5, 30, 35, 10, 35]]
RUNS = {"size": [40, 60], "counts": [300, 40, 2060]}
QUARTERS = np.repeat(np.repeat(np.array([[0, 1], [2, 3]], np.uint8), 20, 0), 30, 1)


def sets(root: Path) -> list[Path]:
    """A whole set of each form."""
    for k in range(2):
        photo(root / "coco" / "images" / f"{k}.jpg", turn=1 + 5 * k, seed=k)
        photo(root / "voc" / f"{k}.jpg", seed=k)
        part = "<part><name>ear</name></part><difficult>1</difficult>"
        voc(root / "voc" / f"{k}.xml", voc_object("dog", 5, 5, 20.5, 30, extra=part), filename=f"{k}.jpg")
        photo(root / "yolo" / "images" / f"{k}.png", seed=k)
        (root / "yolo" / "labels").mkdir(exist_ok=True)
        lines = "0 0.5 0.25 0.5 0.5\n1 0.1 0.1 0.9 0.1 0.9 0.9\n"
        (root / "yolo" / "labels" / f"{k}.txt").write_text(lines)
    things = [thing(0, [10, 5, 20, 30], segmentation=RING), thing(1, [5, 5, 3, 3], 2, segmentation=RUNS, iscrowd=1)]
    kinds = ({"id": 1, "name": "red", "supercategory": "cell"}, {"id": 2, "name": "white"})
    coco(root / "coco" / "labels.json", [image(0, "images/0.jpg"), image(1, "1.jpg", 40, 60)], things, kinds)
    (root / "yolo" / "data.yaml").write_text("path: ../yolo\ntrain: images\nval: images\nnames: {0: bad, 1: good}\n")
    masks(root / "masks", QUARTERS, QUARTERS.T.copy(), palette=[0, 0, 0, 128, 0, 0, 0, 128, 0, 9, 9, 9])
    colours = "none:0,0,0::\nred:128,0,0::\ngreen:0,128,0::\ngrey:9,9,9::\n"
    (root / "masks" / "labelmap.txt").write_text(colours)
    column = [(root / "masks" / "masks" / f"{k}.png").read_bytes() for k in range(2)]
    pictures = [(root / "masks" / "images" / f"{k}.jpg").read_bytes() for k in range(2)]
    (root / "table").mkdir()
    parquet.write_table(pa.table({"image": pictures, "mask": column}), root / "table" / "a.parquet")
    (root / "table" / "classes.txt").write_text("a\nb\nc\nvoid\n")
    mask(root / "masks" / "masks" / "1.png", QUARTERS.T.copy(), [0, 0, 0, 128, 0, 0, 0, 128, 0, 9, 9, 9])
    return sorted(root.iterdir())


def damage(folder: Path, draw: random.Random, mutate: Callable[..., bytes], odd: Callable[..., Any]) -> str:
    """Change one file of a set. Returns its name."""
    file = draw.choice(sorted(p for p in folder.rglob("*") if p.is_file()))
    data = file.read_bytes()
    if file.suffix == ".json" and draw.random() < 0.8:
        file.write_text(json.dumps(odd(json.loads(data), draw)))
    elif file.suffix == ".yaml" and draw.random() < 0.6:
        import yaml

        file.write_text(yaml.safe_dump(odd(yaml.safe_load(data), draw)))
    else:
        file.write_bytes(mutate(data, draw))
    return f"{folder.name}/{file.name}"


def read(folder: Path) -> None:
    """Whatever jobs do with labelled data."""
    path = str(next(folder.glob("*.parquet"), folder))
    form_of(path)
    data, _ = open_pair(path, path)
    data = open_labelled(path) if len(data) == 0 else data
    for i in range(len(data)):
        height, width = data.picture(i).shape[1:]
        if data.has_masks:
            assert data.mask(i).shape == (height, width) and data.for_segmentation().mask(i).max() < 300
        if data.has_boxes:
            found = data.instances(i)
            assert len(found.boxes) == len(found.crowd) == len(found.difficult) == len(found)
            assert found.masks is None or found.masks.shape == (len(found), height, width)
            assert (
                (found.boxes >= 0).all() and (found.boxes[:, 2] <= width).all() and (found.boxes[:, 3] <= height).all()
            )
            assert (found.classes >= 0).all() and (found.classes < len(data.classes)).all()
    for sentence in data.findings:
        assert "\n" not in sentence and sentence.endswith("."), sentence
    near_copies(data, data)
