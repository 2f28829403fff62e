"""lightly_quality.py METHOD FOLDER OUT: train our small network with lightly's own parts and settings for small images.

Transforms, heads, losses and hyper-parameters of lightly's CIFAR-10 benchmark (docs/source/getting_started/benchmarks/
cifar10_benchmark.py at e8d317f; VICReg, which it lacks: examples/pytorch/vicreg.py with the benchmark's optimizer and
its transform without blur): SGD with rate 0.06 for batches of 128 (SwAV: Adam, 1e-3), cosine by epoch. The network is
twofold's `convnet`, found through PYTHONPATH; OUT gets its weights. Runs in lightly's environment.
"""

from __future__ import annotations

import argparse
import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightly.data import LightlyDataset
from lightly.loss import (
    BarlowTwinsLoss,
    DINOLoss,
    NegativeCosineSimilarity,
    NTXentLoss,
    SwaVLoss,
    VICRegLoss,
)
from lightly.models.modules import heads
from lightly.models.utils import batch_shuffle, batch_unshuffle, deactivate_requires_grad, update_momentum
from lightly.transforms import (
    BYOLTransform,
    BYOLView1Transform,
    BYOLView2Transform,
    DINOTransform,
    SimCLRTransform,
    SimSiamTransform,
    SwaVTransform,
    VICRegTransform,
)
from torch import Tensor, nn

from twofold.images.backbones.small import ConvNet

WIDTH = 128  # of the network's features; lightly's ResNet-18 has 512
Step = Callable[[list[Tensor], int], Tensor]


def transform_of(method: str, size: int) -> Any:
    """The benchmark's transform for images of this side."""
    if method in ("byol", "barlow"):
        return BYOLTransform(
            view_1_transform=BYOLView1Transform(input_size=size, gaussian_blur=0.0),
            view_2_transform=BYOLView2Transform(input_size=size, gaussian_blur=0.0),
        )
    if method == "simsiam":
        return SimSiamTransform(input_size=size, gaussian_blur=0.0)
    if method == "dino":
        return DINOTransform(global_crop_size=size, n_local_views=0, cj_strength=0.5, gaussian_blur=(0, 0, 0))
    if method == "swav":
        return SwaVTransform(
            crop_sizes=[size],
            crop_counts=[2],
            crop_min_scales=[0.14],
            crop_max_scales=[1.0],
            cj_strength=0.5,
            gaussian_blur=0,
        )
    if method == "vicreg":
        return VICRegTransform(input_size=size, gaussian_blur=0.0)
    return SimCLRTransform(input_size=size, cj_strength=0.5, gaussian_blur=0.0)


def simclr(network: nn.Module) -> tuple[nn.Module, Step]:
    head, criterion = heads.SimCLRProjectionHead(WIDTH, 512, 128), NTXentLoss()
    return head, lambda views, epoch: criterion(head(network(views[0])), head(network(views[1])))


def moco(network: nn.Module) -> tuple[nn.Module, Step]:
    head, criterion = heads.MoCoProjectionHead(WIDTH, 512, 128), NTXentLoss(0.1, memory_bank_size=(4096, 128))
    keys, key_head = copy.deepcopy(network), copy.deepcopy(head)
    deactivate_requires_grad(keys)
    deactivate_requires_grad(key_head)

    def one(query: Tensor, key: Tensor) -> Tensor:
        key, shuffle = batch_shuffle(key)
        found = batch_unshuffle(key_head(keys(key)), shuffle)
        return criterion(head(network(query)), found)

    def step(views: list[Tensor], epoch: int) -> Tensor:
        update_momentum(network, keys, 0.99)
        update_momentum(head, key_head, 0.99)
        return 0.5 * (one(views[0], views[1]) + one(views[1], views[0]))

    return head, step


def byol(network: nn.Module) -> tuple[nn.Module, Step]:
    projection, prediction = heads.BYOLProjectionHead(WIDTH, 1024, 256), heads.BYOLPredictionHead(256, 1024, 256)
    criterion, target, target_projection = NegativeCosineSimilarity(), copy.deepcopy(network), copy.deepcopy(projection)
    deactivate_requires_grad(target)
    deactivate_requires_grad(target_projection)

    def step(views: list[Tensor], epoch: int) -> Tensor:
        update_momentum(network, target, 0.99)
        update_momentum(projection, target_projection, 0.99)
        told = [prediction(projection(network(view))) for view in views]
        wanted = [target_projection(target(view)).detach() for view in views]
        return 0.5 * (criterion(told[0], wanted[1]) + criterion(told[1], wanted[0]))

    return nn.ModuleList([projection, prediction]), step


def simsiam(network: nn.Module) -> tuple[nn.Module, Step]:
    prediction, criterion = heads.SimSiamPredictionHead(2048, 512, 2048), NegativeCosineSimilarity()
    projection = heads.ProjectionHead(
        [(WIDTH, 2048, nn.BatchNorm1d(2048), nn.ReLU(inplace=True)), (2048, 2048, nn.BatchNorm1d(2048), None)]
    )

    def step(views: list[Tensor], epoch: int) -> Tensor:
        rows = [projection(network(view)) for view in views]
        told = [prediction(z) for z in rows]
        return 0.5 * (criterion(rows[0].detach(), told[1]) + criterion(rows[1].detach(), told[0]))

    return nn.ModuleList([projection, prediction]), step


def two_layers(out: int = 2048) -> nn.Module:
    return heads.ProjectionHead([(WIDTH, 2048, nn.BatchNorm1d(2048), nn.ReLU(inplace=True)), (2048, out, None, None)])


def barlow(network: nn.Module) -> tuple[nn.Module, Step]:
    head, criterion = two_layers(), BarlowTwinsLoss()
    return head, lambda views, epoch: criterion(head(network(views[0])), head(network(views[1])))


def vicreg(network: nn.Module) -> tuple[nn.Module, Step]:
    head = heads.VICRegProjectionHead(input_dim=WIDTH, hidden_dim=2048, output_dim=2048, num_layers=2)
    criterion = VICRegLoss()
    return head, lambda views, epoch: criterion(head(network(views[0])), head(network(views[1])))


def dino(network: nn.Module) -> tuple[nn.Module, Step]:
    def made() -> nn.Module:
        head = heads.DINOProjectionHead(WIDTH, 2048, 256, 2048, batch_norm=True)
        layers = [(WIDTH, 2048, nn.BatchNorm1d(2048), nn.GELU()), (2048, 256, None, None)]
        head.layers = heads.ProjectionHead(layers).layers
        return head

    head, teacher_head, teacher, criterion = made(), made(), copy.deepcopy(network), DINOLoss(output_dim=2048)
    deactivate_requires_grad(teacher)
    deactivate_requires_grad(teacher_head)

    def step(views: list[Tensor], epoch: int) -> Tensor:
        update_momentum(network, teacher, 0.99)
        update_momentum(head, teacher_head, 0.99)
        wanted = [teacher_head(teacher(view)) for view in views[:2]]
        return criterion(wanted, [head(network(view)) for view in views], epoch=epoch)

    return head, step


def swav(network: nn.Module) -> tuple[nn.Module, Step]:
    head, prototypes, criterion = heads.SwaVProjectionHead(WIDTH, 512, 128), heads.SwaVPrototypes(128, 512), SwaVLoss()

    def step(views: list[Tensor], epoch: int) -> Tensor:
        prototypes.normalize()
        found = [prototypes(nn.functional.normalize(head(network(view)), dim=1)) for view in views]
        return criterion(found[:2], found[2:])

    return nn.ModuleList([head, prototypes]), step


METHODS = {f.__name__: f for f in (simclr, moco, byol, simsiam, barlow, vicreg, dino, swav)}


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("folder", type=Path, help="images in folders by class")
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    random.seed(args.seed)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)

    network = ConvNet()
    rest, step = METHODS[args.method](network)
    learned = [*network.parameters(), *rest.parameters()]
    if args.method == "swav":
        optimizer: torch.optim.Optimizer = torch.optim.Adam(learned, 1e-3 * args.batch / 128, weight_decay=1e-6)
    else:
        rate = 6e-2 * (1 if args.method == "simsiam" else args.batch / 128)
        optimizer = torch.optim.SGD(learned, rate, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)
    data = LightlyDataset(str(args.folder), transform=transform_of(args.method, args.size))
    loader = torch.utils.data.DataLoader(data, args.batch, shuffle=True, drop_last=True)
    for epoch in range(args.epochs):
        for views, *_ in loader:
            loss = step(views, epoch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}", flush=True)
    torch.save(network.state_dict(), args.out)


if __name__ == "__main__":
    main()
