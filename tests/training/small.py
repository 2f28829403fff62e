"""A small world for the tests of training: images in memory, two plain views, a tiny network, one call that trains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from twofold.images.batch import ImageBatch
from twofold.methods.addition import Addition
from twofold.methods.barlow_twins import BarlowTwins
from twofold.methods.byol import BYOL
from twofold.methods.co2 import CO2
from twofold.methods.dino import DINO
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.mixsiam import MixSiam
from twofold.methods.mochi import MoCHi
from twofold.methods.moco import MoCo
from twofold.methods.moco_v3 import MoCoV3
from twofold.methods.simclr import SimCLR
from twofold.methods.simsiam import SimSiam
from twofold.methods.swav import SwAV
from twofold.methods.tkc import TKC
from twofold.methods.unmix import UnMix
from twofold.methods.vicreg import VICReg
from twofold.methods.wmse import WMSE
from twofold.nets.features import Features
from twofold.randomness import generator, uniforms
from twofold.runs.folder import RunFolder
from twofold.seam import Views
from twofold.training.distribution import make_fabric
from twofold.training.loop import train
from twofold.training.outcome import Outcome
from twofold.training.plan import Plan

IMAGES, SIZE = 40, 8


class Pictures:
    """Images in memory, with the interface that the loop asks for."""

    def __init__(self, count: int = IMAGES) -> None:
        self.pixels = torch.randint(0, 256, (count, 3, SIZE, SIZE), generator=generator(0, "pictures")).to(torch.uint8)
        self.waited = 0.0
        self.unreadable: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.pixels)

    def stream(self, index_batches: Iterable[Tensor]) -> Iterator[ImageBatch]:
        for index in index_batches:
            yield ImageBatch(index, self.pixels[index], torch.full((len(index), 2), SIZE))


def two_views(batch: ImageBatch, epoch: int, count: int = 2) -> Views:
    """Each view: its own brightness and contrast for every image, a function of (epoch, index, view)."""
    tensors = []
    for view in range(count):
        drawn = uniforms(batch.index, 2, 0, "view", epoch, view)[:, :, None, None, None]
        tensors.append((batch.pixels / 255 - 0.5) * (0.5 + drawn[:, 0]) + drawn[:, 1])
    return Views(tensors, [], batch.index)


class Net(nn.Module):
    """Two convolutions, with or without batch norm."""

    width = 8

    def __init__(self, norm: bool = True) -> None:
        super().__init__()
        norms = [nn.BatchNorm2d(8) if norm else nn.Identity() for _ in range(2)]
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=not norm),
            norms[0],
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2, padding=1, bias=not norm),
            norms[1],
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Features:
        features = self.layers(x)
        return Features(features, features.mean((2, 3)))


def without_norm(module: nn.Module) -> nn.Module:
    """The module with every batch norm an identity."""
    for name, child in module.named_children():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            setattr(module, name, nn.Identity())
        else:
            without_norm(child)
    return module


def make_method(name: str, norm: bool = True, **settings: Any) -> JointEmbedding:
    """A method by a short name ("moco", "moco-symmetric", "simclr+co2"), small, from seed 0."""
    torch.manual_seed(0)
    base, *rest = name.split("+")
    laid_over: dict[str, Callable[[], Addition]] = {
        "co2": lambda: CO2(ramp=0.5, include_positive=True),
        "mixsiam": lambda: MixSiam(center_target=True),
        "cutmixsiam": lambda: MixSiam(mixture="cutmix", max_on="backbone", statistics="shared"),
        "mochi": lambda: MoCHi(hardest=6, mixed=4, with_query=3, warmup=0.0),
        "tkc": lambda: TKC(interval=0.1),
        "unmix": lambda: UnMix(global_share=1.0),
        "cutunmix": lambda: UnMix(global_share=0.0),
    }
    additions = [laid_over[part]() for part in rest]
    dino = {"hidden": 12, "dim": 6, "prototypes": 10, "local_views": 2, "momentum": 0.9, "temperature_warmup": 0.5}
    swav = {"prototypes": 5, "hidden": 12, "dim": 6, "local_views": 2}
    kinds: dict[str, tuple[type[JointEmbedding], dict[str, Any]]] = {
        "simclr": (SimCLR, {"dim": 6}),
        "moco": (MoCo, {"dim": 6, "queue": 24, "momentum": 0.9, "key_bn": "plain"}),
        "moco-symmetric": (MoCo, {"dim": 6, "queue": 24, "momentum": 0.9, "key_bn": "plain", "symmetric": True}),
        "moco-shuffle": (MoCo, {"dim": 6, "queue": 24, "momentum": 0.9, "key_bn": "shuffle"}),
        "moco-split": (MoCo, {"dim": 6, "queue": 24, "momentum": 0.9, "key_bn": "split", "groups": 2}),
        "simsiam": (SimSiam, {"dim": 8, "layers": 2}),
        "byol": (BYOL, {"hidden": 12, "dim": 6, "momentum": 0.9}),
        "moco-v3": (MoCoV3, {"hidden": 12, "dim": 6, "momentum": 0.9}),
        "dino": (DINO, {**dino, "frozen_epochs": 0, "head_norm": True}),
        "dino-frozen": (DINO, dino),
        "swav": (SwAV, {**swav, "frozen_epochs": 0}),
        "swav-queue": (SwAV, {**swav, "queue": 20}),
        "barlow": (BarlowTwins, {"dim": 6, "hidden": 12}),
        "vicreg": (VICReg, {"dim": 6, "hidden": 12}),
        "wmse": (WMSE, {"dim": 3, "hidden": 12, "whiten_size": 4, "repeats": 2}),
        "wmse4": (WMSE, {"dim": 3, "hidden": 12, "whiten_size": 4, "views": 4}),
    }
    kind, defaults = kinds[base]
    method = kind(Net(norm), additions=additions, **(defaults | settings))
    if not norm:
        pairs = [(without_norm(a), without_norm(b)) for a, b in method.pairs]
        method = without_norm(method)  # type: ignore[assignment]
        method.pairs = pairs
    return method


def make_plan(**settings: Any) -> Plan:
    """A short plan: 3 epochs of 5 steps."""
    return Plan(
        **(
            {"batch_size": 8, "epochs": 3, "lr": 0.1, "log_every": 2, "save_every_seconds": 0.0, "unit": "images"}
            | settings
        )
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
    **settings: Any,
) -> tuple[JointEmbedding, Outcome]:
    """Train in a folder; the method and the outcome."""
    plan, method = make_plan(**settings), make_method(name, norm)
    fabric = fabric or make_fabric(1, accelerator="cpu")
    fabric.launch()
    run = RunFolder.open(folder, {"method": name, **vars(plan)}, writer=fabric.is_global_zero)
    try:
        views = partial(two_views, count=method.view_count)
        return method, train(method, images or Pictures(), views, plan, run, fabric)
    finally:
        run.close()
