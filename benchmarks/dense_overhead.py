"""What DenseCL costs over MoCo v2: operations, time a step in alternation, and the memory of its loss.

python benchmarks/dense_overhead.py flops                       # of (R18, 96 px, K 4096) and (R50, 224 px, K 65536)
python benchmarks/dense_overhead.py time --pairs 20             # medians of ratios of neighbouring steps
python benchmarks/dense_overhead.py memory                  # peak of loss and gradient, beside one that concatenates
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from twofold.images.backbones import build_backbone
from twofold.methods.densecl import DenseCL
from twofold.methods.moco import MoCo
from twofold.objectives.contrastive import info_nce
from twofold.seam import Progress, Views

SETTINGS = {"small": ("resnet18", 96, 4096), "paper": ("resnet50", 224, 65536)}


def method(name: str, dense: bool) -> tuple[MoCo, int]:
    """MoCo v2, or DenseCL over it, and the side of its views."""
    torch.manual_seed(0)
    backbone, side, queue = SETTINGS[name]
    made = build_backbone(backbone, image_size=side, stem="imagenet")
    return MoCo(made, queue=queue, key_bn="plain", additions=[DenseCL()] if dense else []), side


def step(made: MoCo, side: int, batch: int, device: str, number: int) -> None:
    """One step without an optimizer: both passes, both losses, backward, both queues."""
    drawn = torch.Generator().manual_seed(number)
    tensors = [torch.randn(batch, 3, side, side, generator=drawn).to(device) for _ in range(2)]
    views, now = Views(tensors, [], torch.arange(batch, device=device)), Progress(number, 1000)
    made.before_step(now)
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        losses = made(views, now)
    losses.total.backward()
    made.after_step(now)
    made.zero_grad()


def flops(batch: int = 2) -> None:
    """Operations an image and step, counted by torch; exact whatever the machine."""
    for name in SETTINGS:
        counts = []
        for dense in (False, True):
            made, side = method(name, dense)
            with FlopCounterMode(display=False) as counter:
                step(made, side, batch, "cpu", 0)
            counts.append(counter.get_total_flops() / batch / 1e9)
        share = 100 * (counts[1] / counts[0] - 1)
        print(f"{SETTINGS[name]}: MoCo v2 {counts[0]:.2f}, DenseCL {counts[1]:.2f} GFLOP an image, {share:+.1f} %")


def timed(name: str, pairs: int, batch: int) -> None:
    """Steps of both in alternation; the median of their ratios with its quartiles."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    made = {dense: (method(name, dense)[0].to(device), SETTINGS[name][1]) for dense in (False, True)}
    ratios, seconds = [], {False: [], True: []}
    for number in range(pairs + 3):
        for dense in (False, True) if number % 2 else (True, False):
            if device == "cuda":
                torch.cuda.synchronize()
            start = time.perf_counter()
            step(*made[dense], batch, device, number)
            if device == "cuda":
                torch.cuda.synchronize()
            seconds[dense].append(time.perf_counter() - start)
        if number >= 3:
            ratios.append(seconds[True][-1] / seconds[False][-1])
    low, middle, high = statistics.quantiles(ratios, n=4)
    each = {dense: 1000 * statistics.median(found[3:]) for dense, found in seconds.items()}
    print(
        f"{SETTINGS[name]}, batch {batch}, {device}: MoCo v2 {each[False]:.0f} ms, DenseCL {each[True]:.0f} ms a step; "
        f"ratio {middle:.3f} (quartiles {low:.3f} to {high:.3f}, {pairs} pairs)"
    )


def concatenating(queries: Tensor, keys: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """The usual form: positive and negatives in one table, and cross entropy."""
    logits = torch.cat([(queries * keys).sum(1, keepdim=True), queries @ negatives.T], 1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64), reduction="none")


def peak(form: str, rows: int, queue: int) -> None:
    """Print the peak memory of this process, in MiB, that loss and gradient take beyond their inputs."""
    queries, keys, negatives = (F.normalize(torch.randn(n, 128), dim=1) for n in (rows, rows, queue))
    queries.requires_grad_()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    loss = {"ours": info_nce, "concatenating": concatenating}[form](queries, keys, negatives, 0.2)
    loss.mean().backward()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def memory(rows: int = 1568, queue: int = 65536) -> None:
    """Both forms, each in a process of its own."""
    for form in ("ours", "concatenating"):
        command = [sys.executable, __file__, "peak", "--form", form, "--rows", str(rows), "--queue", str(queue)]
        found = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        print(f"{rows} rows against {queue}: {form} {found:,.0f} MiB; a table is {rows * queue * 4 / 2**20:,.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["flops", "time", "memory", "peak"])
    parser.add_argument("--setting", choices=list(SETTINGS), default="small")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--form", default="ours")
    parser.add_argument("--rows", type=int, default=1568)
    parser.add_argument("--queue", type=int, default=65536)
    args = parser.parse_args()
    if args.what == "flops":
        flops()
    elif args.what == "time":
        timed(args.setting, args.pairs, args.batch)
    elif args.what == "memory":
        memory(args.rows, args.queue)
    else:
        peak(args.form, args.rows, args.queue)


if __name__ == "__main__":
    main()
