"""lightly_bench.py simclr|moco FOLDER --steps N: train as lightly's own examples do, and say what a step costs.

lightly's transforms, heads and loss around torchvision's ResNet-18, plain SGD, float32, DataLoader workers; MoCo with a
queue of 4,096 rows. Ends with one line of JSON: seconds to the first step and, past WARM steps, CPU-ms per image.
"""

from __future__ import annotations

import time

START = time.time()

import argparse
import copy
import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import lightly
import torch
import torchvision
from lightly.data import LightlyDataset
from lightly.loss import NTXentLoss
from lightly.models.modules import MoCoProjectionHead, SimCLRProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from lightly.transforms import MoCoV2Transform, SimCLRTransform
from torch import Tensor, nn

WARM = 2


def cpu_seconds() -> float:
    """CPU seconds of this process, its ended children and its living workers."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    total = own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime
    for child in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
        fields = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def batches(folder: Path, method: str, size: int, batch: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of views, epoch after epoch."""
    transform = (SimCLRTransform if method == "simclr" else MoCoV2Transform)(input_size=size)
    loader = torch.utils.data.DataLoader(
        LightlyDataset(str(folder), transform=transform),
        batch_size=batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    while True:
        for views, *_ in loader:
            yield views[0], views[1]


def main() -> None:
    """Train for some steps and print what they cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=["simclr", "moco"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=18)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()

    net = torchvision.models.resnet18()
    backbone = nn.Sequential(*list(net.children())[:-1], nn.Flatten())
    head = (SimCLRProjectionHead if args.method == "simclr" else MoCoProjectionHead)(512, 512, 128)
    loss_of = NTXentLoss(temperature=0.1, memory_bank_size=0 if args.method == "simclr" else (4096, 128))
    student = nn.Sequential(backbone, head)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.06, momentum=0.9)
    teacher = copy.deepcopy(student)
    deactivate_requires_grad(teacher)

    first, warm, value = 0.0, (0.0, 0.0), float("nan")
    source = batches(args.folder, args.method, args.size, args.batch, args.workers)
    for step in range(1, args.steps + 1):
        one, two = next(source)
        if args.method == "simclr":
            loss = loss_of(student(one), student(two))
        else:
            update_momentum(student, teacher, 0.99)
            with torch.no_grad():
                keys = teacher(two)
            loss = loss_of(student(one), keys)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        value = loss.item()
        first = first or time.time() - START
        if step == WARM:
            warm = time.time(), cpu_seconds()
    images = max(args.steps - WARM, 0) * args.batch
    result = {"lightly": lightly.__version__, "first_step_s": round(first, 2), "loss": round(value, 3)}
    if images:
        result["wall_ms_per_image"] = round((time.time() - warm[0]) / images * 1e3, 2)
        result["cpu_ms_per_image"] = round((cpu_seconds() - warm[1]) / images * 1e3, 2)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
