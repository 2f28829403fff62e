"""A small world for the tests of training: images in memory, two plain views, a tiny network, one call that trains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn

from twofold.methods.joint_embedding import JointEmbedding
from twofold.nets.features import Features
from twofold.nets.queue import Queue
from twofold.pixels.batch import ImageBatch
from twofold.randomness import generator, uniforms
from twofold.runs.folder import RunFolder
from twofold.seam import Monitor, Stream, Views
from twofold.training.distribution import make_fabric
from twofold.training.loop import train
from twofold.training.outcome import Outcome
from twofold.training.plan import Plan
from twofold.videos.views.pretext import Pretext

from ..tiny import Net, cut, exercised, kind_of, make, net_for

IMAGES, SIZE, FRAMES = 40, 8, 4


class Pictures(Stream[ImageBatch]):
    """Images in memory, with the interface that the loop asks for."""

    def __init__(self, count: int = IMAGES) -> None:
        self.pixels = torch.randint(0, 256, (count, 3, SIZE, SIZE), generator=generator(0, "pictures")).to(torch.uint8)
        self.waited = 0.0
        self.listed: dict[str, str] = {}

    @property
    def unreadable(self) -> dict[str, str]:
        return self.listed

    def __len__(self) -> int:
        return len(self.pixels)

    def stream(self, index_batches: Iterable[Tensor], epochs: Iterable[int] = ()) -> Iterator[ImageBatch]:
        for index in index_batches:
            yield ImageBatch(index, self.pixels[index], torch.full((len(index), 2), SIZE))


def two_views(
    batch: ImageBatch, epoch: int, count: int = 2, kind: str = "images", pretext: Pretext | None = None
) -> Views:
    """Each view: its own brightness and contrast for every image, a function of (epoch, index, view). Of videos it is
    a clip, in which the image moves to the right."""
    tensors = []
    task, frames = exercised(pretext, batch.index, SIZE, FRAMES, epoch) if pretext else (None, [])
    for view in range(count):
        drawn = uniforms(batch.index, 2, 0, "view", epoch, view)[:, :, None, None, None]
        shown = (batch.pixels / 255 - 0.5) * (0.5 + drawn[:, 0]) + drawn[:, 1]
        length = frames[view] if view < len(frames) else FRAMES
        tensors.append(torch.stack([shown.roll(frame, 3) for frame in range(length)], 2) if kind == "videos" else shown)
    return Views(tensors, [cut(batch.index, view, SIZE) for view in range(count)], batch.index, task)


def without_norm(module: nn.Module) -> nn.Module:
    """The module with every batch norm an identity."""
    for name, child in module.named_children():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            setattr(module, name, nn.Identity())
        else:
            without_norm(child)
    return module


class Block(nn.Module):
    """A residual block with batch norm and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Dropout(0.2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class BlockNet(Net):
    """The tiny network with two blocks in the place of its second convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.layers[3] = nn.Conv2d(8, 8, 2, 2)
        self.blocks = nn.Sequential(Block(), Block())

    def forward(self, x: Tensor) -> Features:
        features = self.blocks(self.layers(x))
        return Features(features, features.mean((2, 3)))


def make_method(name: str, norm: bool = True, net: Callable[[], nn.Module] | None = None) -> JointEmbedding:
    """A method of the catalog or a composition ("moco[shuffle]+co2"), tiny, from seed 0, with or without batch norm.

    Queues whose empty slots are masked hold a few keys, for without any the first step would learn nothing.
    """
    torch.manual_seed(0)
    method = make(name, net() if net else net_for(kind_of(name), norm))
    if method.mask_unfilled:
        for queue in (part for part in method.modules() if isinstance(part, Queue)):
            queue.enqueue(F.normalize(torch.randn(5, queue.rows.shape[1]), dim=1))
    if not norm:
        pairs = [(without_norm(a), without_norm(b)) for a, b in method.pairs]
        method = without_norm(method)
        method.pairs = pairs
    return method


def make_plan(**settings: Any) -> Plan:
    """A short plan: 3 epochs of 5 steps."""
    return Plan(
        **({"batch_size": 8, "epochs": 3, "lr": 0.1, "log_every": 2, "save_every": 0.0, "unit": "images"} | settings)
    )


def make_run(folder: Path, plan: Plan, **config: Any) -> RunFolder:
    """The run folder of a plan."""
    return RunFolder.open(folder, {"method": "moco", **vars(plan), **config})


def run_training(
    folder: Path,
    name: str = "moco+co2",
    images: Any = None,
    fabric: Fabric | None = None,
    norm: bool = True,
    net: Callable[[], nn.Module] | None = None,
    monitors: Sequence[Monitor] = (),
    trackers: str = "none",
    **settings: Any,
) -> tuple[JointEmbedding, Outcome]:
    """Train in a folder; the method and the outcome."""
    plan, method = make_plan(**settings), make_method(name, norm, net)
    fabric = fabric or make_fabric(1, accelerator="cpu")
    fabric.launch()
    run = RunFolder.open(folder, {"method": name, **vars(plan)}, writer=fabric.is_global_zero, trackers=trackers)
    try:
        views = partial(two_views, count=method.view_count, kind=kind_of(name), pretext=method.pretext)
        return method, train(method, images or Pictures(), views, plan, run, fabric, monitors)
    finally:
        run.close()
