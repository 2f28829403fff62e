"""lines_of_code.py: the lines that a job takes with paths and files alone, and with objects; both are run.

Each job is written twice, "paths" as it had to be when a verb took and gave paths only, "objects" as docs/python.md has
it. The script makes a few pictures and pairs, runs every one of both in a folder of its own, holds the `result` of one
against that of the other, and prints a table. Lines are counted that are not empty.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

BUDGET = "steps=4, backbone='convnet', image_size=32, batch_size=8, quiet=True"


@dataclass(frozen=True)
class Job:
    """One job, written twice, with one result."""

    title: str
    paths: str
    objects: str


JOBS = (
    Job(
        "train, then read its last loss and its kNN beside the floor",
        """
import csv
import json
from pathlib import Path
import twofold
folder = Path(twofold.pretrain("moco", "photos/", BUDGET))
with open(folder / "metrics.csv") as file:
    rows = list(csv.DictReader(file))
losses = [float(row["loss"]) for row in rows if row["loss"]]
twofold.evaluate(folder, "photos/", protocols="5nn", quiet=True)
found = json.loads((folder / "evaluation.json").read_text())
knn = [(one["value"], one["floor"]) for one in found if one["protocol"] == "5nn"]
result = losses[-1], knn
""",
        """
import twofold
run = twofold.pretrain("moco", "photos/", BUDGET)
run.evaluate("photos/", protocols="5nn", quiet=True)
knn = run.evaluations.to_pandas().query("protocol == '5nn'")
result = run.metrics["loss"][-1].as_py(), list(zip(knn["value"], knn["floor"]))
""",
    ),
    Job(
        "vectors of two pictures in memory",
        """
from pathlib import Path
import numpy as np
import pyarrow.parquet as pq
from PIL import Image
import twofold
folder = twofold.pretrain("moco", "photos/", BUDGET)
pictures = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
Path("asked").mkdir()
for i, picture in enumerate(pictures):
    picture.save(f"asked/{i}.png")
file = twofold.embed(folder, "asked/", quiet=True)
table = pq.read_table(file)
vectors = np.stack(table["embedding"].to_numpy(zero_copy_only=False))
result = vectors.round(3).tolist()
""",
        """
from PIL import Image
import twofold
run = twofold.pretrain("moco", "photos/", BUDGET)
pictures = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
result = run.model.encode(pictures).numpy().round(3).tolist()
""",
    ),
    Job(
        "recommendations for one user, as a service asks for them",
        """
import pyarrow.parquet as pq
import twofold
folder = twofold.pretrain("lightgcn", "plays.csv", epochs=2, quiet=True)
file = twofold.recommend(folder, users="u3", k=5)
rows = pq.read_table(file).to_pylist()
result = [row["item"] for row in rows]
""",
        """
import twofold
recommender = twofold.load(twofold.pretrain("lightgcn", "plays.csv", epochs=2, quiet=True))
result = [one.item for one in recommender.recommend("u3", k=5)]
""",
    ),
    Job(
        "a data set and a network of one's own",
        """
import sys
from pathlib import Path
import torch
from PIL import Image
from torch import nn
import twofold
Path("own").mkdir()
for i in range(24):
    Image.new("RGB", (32, 32), (40 + 120 * (i % 2),) * 3).save(f"own/{i:02}.png")
Path("mynet.py").write_text('''
from torch import nn
from twofold.nets.features import Features
class Net(nn.Module):
    width = map_width = 16
    grid = None
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 16, 3, 2), nn.ReLU())
    def forward(self, x):
        map = self.layers(x)
        return Features(map, map.mean((2, 3)))
def build():
    return Net()
''')
sys.path.insert(0, ".")
folder = twofold.pretrain("simclr", "own/", steps=4, backbone="mynet:build", image_size=32, batch_size=8, quiet=True)
result = Path(folder).is_dir()
""",
        """
import torch
from torch import nn
import twofold
data = torch.full((24, 3, 32, 32), 40, dtype=torch.uint8)
network = nn.Sequential(nn.Conv2d(3, 16, 3, 2), nn.ReLU())
run = twofold.pretrain("simclr", data, steps=4, backbone=network, image_size=32, batch_size=8, quiet=True)
result = run.path.is_dir()
""",
    ),
    Job(
        "MoCo in a loop of one's own",
        """
import torch
import torchvision
from torch import nn
from twofold.methods.moco import MoCo
from twofold.nets.features import Features
from twofold.seam import Progress, Views
class Net(nn.Module):
    width = map_width = 512
    grid = None
    def __init__(self):
        super().__init__()
        self.net = torchvision.models.resnet18()
        self.net.fc = nn.Identity()
    def forward(self, x):
        return Features(None, self.net(x))
method = MoCo(Net(), queue=64)
optimizer = torch.optim.SGD(method.parameters(), 0.03)
for step in range(2):
    tensors = [torch.rand(8, 3, 32, 32) for _ in range(2)]
    progress = Progress(step, steps=2)
    losses = method(Views(tensors, [], torch.arange(8)), progress)
    optimizer.zero_grad()
    losses.total.backward()
    optimizer.step()
    method.after_step(progress)
result = losses.total.isfinite().item()
""",
        """
import torch
import torchvision
from twofold.methods.moco import MoCo
from twofold.seam import Progress
method = MoCo(torchvision.models.resnet18(), queue=64)
optimizer = torch.optim.SGD(method.parameters(), 0.03)
for step in range(2):
    progress = Progress(step, steps=2)
    loss = method.loss([torch.rand(8, 3, 32, 32) for _ in range(2)], progress)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    method.after_step(progress)
result = loss.isfinite().item()
""",
    ),
    Job(
        "one loss of two batches of rows",
        """
import torch
import torch.nn.functional as F
from twofold.objectives.contrastive import nt_xent
torch.manual_seed(0)
a, b = torch.randn(2, 8, 16)
a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
result = nt_xent(a, b, torch.cat([a, b]), 0, 0.5).mean().item()
""",
        """
import torch
from twofold.objectives import nt_xent
torch.manual_seed(0)
a, b = torch.randn(2, 8, 16)
result = nt_xent(a, b, temperature=0.5).item()
""",
    ),
)


def lines_of(code: str) -> int:
    """The lines of a program that hold something."""
    return sum(bool(line.strip()) for line in code.splitlines())


def ran(code: str, folder: Path) -> Any:
    """What a program leaves as `result`, run in a folder with a few pictures and pairs."""
    prepare(folder)
    before, scope = Path.cwd(), {}
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            exec(compile(code.replace("BUDGET", BUDGET), "job", "exec"), scope)
    finally:
        os.chdir(before)
    return scope["result"]


def prepare(folder: Path) -> None:
    """photos/ of two colours, and plays.csv."""
    drawn = np.random.default_rng(0)
    for i in range(24):
        file = folder / "photos" / ("red", "blue")[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn.integers(0, 255, (40, 40, 3), np.uint8)).save(file)
    pairs = [f"u{drawn.integers(20)},i{drawn.integers(30)}" for _ in range(400)]
    (folder / "plays.csv").write_text("\n".join(["user,item", *pairs]) + "\n")


def main() -> None:
    """Run all and print the table."""
    print("| job | lines with paths | lines with objects |\n|---|---|---|")
    for job in JOBS:
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            by_paths, by_objects = ran(job.paths, Path(one)), ran(job.objects, Path(other))
        if by_paths != by_objects:
            raise SystemExit(f"{job.title}: {by_paths} is not {by_objects}.")
        print(f"| {job.title} | {lines_of(job.paths)} | {lines_of(job.objects)} |", flush=True)


if __name__ == "__main__":
    main()
