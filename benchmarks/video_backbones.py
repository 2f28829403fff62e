"""What backbones over clips cost: parameters, map and CPU time a clip, as the table of docs/videos/backbones.md.

python benchmarks/video_backbones.py                           # every network of ours, and some of torchvision's
python benchmarks/video_backbones.py r3d18 c3d --frames 8 --clip-size 64
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from twofold.videos.backbones import Backbone, build_backbone
from twofold.videos.backbones.names import NAMES

THEIRS = ("torchvision:mc3_18", "torchvision:r2plus1d_18", "torchvision:swin3d_t", "torchvision:mvit_v2_s")
FRAMES = ("frames:resnet18", "frames:resnet50")


def seconds(backbone: Backbone, x: torch.Tensor, repeats: int) -> float:
    """Median CPU seconds of a forward and a backward pass of one clip, after one that does not count."""
    taken = []
    for _ in range(1 + repeats):
        start = time.process_time()
        backbone(x).pooled.sum().backward()
        taken.append(time.process_time() - start)
        backbone.zero_grad()
    return statistics.median(taken[1:])


def row(name: str, clip_size: int, frames: int, repeats: int) -> str:
    """One line of the table."""
    if "mvit" in name:
        clip_size, frames = 224, 16
    backbone = build_backbone(name, clip_size=clip_size, frames=frames)
    millions = sum(p.numel() for p in backbone.parameters()) / 1e6
    cells = "x".join(map(str, backbone.cells)) if backbone.cells else "none"
    clip = torch.randn(1, 3, frames, clip_size, clip_size, generator=torch.Generator().manual_seed(0))
    cost = 1000 * seconds(backbone, clip, repeats)
    return (
        f"| `{name}` | {backbone.width} | {millions:.1f} | {frames}x{clip_size}x{clip_size} | {cells} | {cost:,.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[*NAMES, *THEIRS, *FRAMES])
    parser.add_argument("--clip-size", type=int, default=112)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("| name | width | parameters, M | clip | map | CPU ms a clip |\n|---|---|---|---|---|---|")
    for name in asked.names:
        print(row(name, asked.clip_size, asked.frames, asked.repeats), flush=True)


if __name__ == "__main__":
    main()
