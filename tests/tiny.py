"""The catalog in tiny: one table of settings with which tests train every entry within milliseconds.

An entry of the catalog is tested (seam, two ranks, exact resume, a batch in parts, composition) by being entered there
and here: TINY has the settings of its classes, and VARIANTS other settings that are tested beside them. An addition
that is tiny as it is need not be in TINY.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from twofold import wings
from twofold.catalog.wing import Recipe
from twofold.errors import UserError
from twofold.methods.addition import Addition
from twofold.methods.build import load
from twofold.methods.joint_embedding import JointEmbedding
from twofold.nets.features import Features, Grid
from twofold.pixels.views.augmentations import Augmentation, Crop, Flip, Normalise
from twofold.pixels.views.draw import draw
from twofold.randomness import uniforms
from twofold.seam import Geometry
from twofold.videos.batch import ClipBatch
from twofold.videos.rule import Sampling
from twofold.videos.sampling import Film
from twofold.videos.views.pretext import Pretext

CATALOG = wings.catalog()
SYSTEMS = CATALOG.systems
ADDITIONS = {name: addition.path for name, addition in CATALOG.additions.items()}

# By class; a system's first recipe comes below them, so what tells it from others of its class need not be repeated.
TINY: dict[str, dict[str, Any]] = {
    "SimCLR": {"dim": 6, "temperature": 0.5},
    "MoCo": {"dim": 6, "queue": 24, "momentum": 0.9, "key_bn": "plain"},
    "SimSiam": {"dim": 8, "layers": 2},
    "BYOL": {"hidden": 12, "dim": 6, "momentum": 0.9},
    "WMSE": {"dim": 3, "hidden": 12, "whiten_size": 4, "repeats": 2},
    "BarlowTwins": {"dim": 6, "hidden": 12},
    "VICReg": {"dim": 6, "hidden": 12},
    "MoCoV3": {"hidden": 12, "dim": 6, "momentum": 0.9},
    "DINO": {
        "hidden": 12, "dim": 6, "prototypes": 10, "local_views": 2, "momentum": 0.9, "temperature_warmup": 0.5,
        "frozen_epochs": 0, "head_norm": True,
    },
    "SwAV": {"prototypes": 5, "hidden": 12, "dim": 6, "local_views": 2, "queue": 0, "frozen_epochs": 0},
    "LeJEPA": {"slices": 9, "hidden": 12, "dim": 6, "global_views": 2, "local_views": 2},
    "MixSiam": {"center_target": True},
    "MoCHi": {"hardest": 6, "mixed": 4, "with_query": 3, "warmup": 0.0},
    "CO2": {"ramp": 0.5, "include_positive": True},
    "TKC": {"interval": 0.1},
    "UnMix": {"global_share": 1.0},
    "DenseCL": {},
    "SCRL": {"boxes": 3},
    "DSC": {"neighbours": 2, "classes": 5, "warmup": 0.0},
    "Triplet": {"dim": 6},
    "Rotation": {},
    "BE": {},
    "CSTP": {},
    "CtP": {"patches": 2, "hidden": 12},
    "CMD": {"dim": 8, "heads": 2, "encoder": 1, "decoder": 1, "dropout": 0.0, "hidden": 12, "width": 8, "future": 4},
    "Rainbow": {"hidden": 8, "atoms": 5},
    "SAC": {"hidden": 8, "features": 4},
    "Logged": {"hidden": 8},
    "LightGCN": {"dim": 5},
    "SGL": {"dim": 5, "layers": 2, "negatives": "full"},
    "Popularity": {},
    "GraphFilter": {},
    "ItemKNN": {"neighbours": 3},
    "ALS": {"factors": 3, "iterations": 2},
}  # fmt: skip
# By the name of an entry: settings of its addition where it has one, else of its base. Named `moco[shuffle]`.
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "moco": {
        "shuffle": {"key_bn": "shuffle"},
        "split": {"key_bn": "split", "groups": 2},
        "masked": {"mask_unfilled": True, "queue": 96},
    },
    "dino": {"frozen": {"frozen_epochs": 1, "head_norm": False}},
    "swav": {"queue": {"queue": 20, "frozen_epochs": 1}},
    "lejepa": {"large": {"global_views": 3, "local_views": 0, "sigreg": 0.5}},
    "mixsiam": {"cutmix": {"mixture": "cutmix", "max_on": "backbone", "statistics": "shared", "center_target": False}},
    "unmix": {"cut": {"global_share": 0.0}},
    "densecl": {"grid": {"grid": 2, "hidden": 6}},
    "scrl": {"random": {"mode": "random", "jitter": 0.1}},
    "dsc": {
        "km": {"variant": "km", "radius": 1.5},
        "supcon": {"variant": "km-supcon", "grid": 3},
        "own": {"own_neighbours": 2},
    },
    "ctp": {"official": {"blend": "official", "size": 0.0, "visible": 0.5}},
    "cmd": {"official": {"mv_flip": "official", "mv_scale": True, "mv_round": "official", "context": 0.0}},
    "be": {"clip": {"draw": "clip", "other_time": False}},
    "cstp": {"balanced": {"stor_sampling": "balanced", "rotate": "after_crop", "turn": 0.0}},
    "sgl": {
        "batch": {"negatives": "batch", "augmentation": "nd"},
        "merge": {"negatives": "merge", "augmentation": "rw"},
        "sums": {"negatives": "batch", "reduction": "sum"},
    },
}


def first_recipe(system: str) -> Recipe:
    """The first recipe of a system, of whatever kind of data."""
    return next(iter(next(iter(CATALOG.recipes[system].values())).values()))


def make(name: str, data: Any, additions: Sequence[Addition] = (), **settings: Any) -> Any:
    """A method of the catalog, tiny: "moco", "moco+co2", "moco[shuffle]+unmix[cut]"; weights from torch's generator.

    data: what it learns with or from, a backbone or a graph. additions: more of them, ready. settings: of the base.
    """
    (first, variant), *rest = (re.fullmatch(r"([\w-]+)(?:\[(\w+)\])?", part).groups() for part in name.split("+"))
    system = SYSTEMS[first]
    published = {k: v for k, v in first_recipe(first).method.items() if "." not in k}
    chosen = [published | tiny(system.base), *(tiny(path) for path in system.additions)]
    chosen[-1] |= VARIANTS[first][variant] if variant else {}
    for addition, variant in rest:
        chosen.append(tiny(ADDITIONS[addition]) | (VARIANTS[addition][variant] if variant else {}))
    paths = [*system.additions, *(ADDITIONS[addition] for addition, _ in rest)]
    laid_over = [load(path)(**own) for path, own in zip(paths, chosen[1:], strict=True)] + list(additions)
    more = {"additions": laid_over} if laid_over else {}
    return load(system.base)(data, **(chosen[0] | settings), **more)


def tiny(path: str) -> dict[str, Any]:
    """The tiny settings of a class of the catalog."""
    name = path.partition(":")[2]
    if name not in TINY and path not in ADDITIONS.values():
        raise LookupError(f"{name} has no tiny settings: give it some in TINY, in tests/tiny.py.")
    return dict(TINY.get(name, {}))


class Net(nn.Module):
    """Two convolutions, with or without batch norm; a cell of the map is centred on every second pixel."""

    width = map_width = 8
    grid = Grid(4, 4, 2.0, 0.0)

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

    def forward(self, x: torch.Tensor) -> Features:
        features = self.layers(x)
        return Features(features, features.mean((2, 3)))


class ClipNet(Net):
    """The same over clips: 3x3x3 kernels, a cell for every second pixel of every frame."""

    frames, cells = 4, (4, 4, 4)  # of four frames of 8 x 8 pixels

    def __init__(self, norm: bool = True) -> None:
        super().__init__(norm)
        for at in (0, 3):
            flat = self.layers[at]
            self.layers[at] = nn.Conv3d(
                flat.in_channels, flat.out_channels, 3, (1, *flat.stride), 1, bias=flat.bias is not None
            )
            if norm:
                self.layers[at + 1] = nn.BatchNorm3d(flat.out_channels)

    def forward(self, x: torch.Tensor) -> Features:
        features = self.layers(x)
        return Features(features, features.mean((2, 3, 4)))


def exercised(pretext: Pretext, index: torch.Tensor, side: int, frames: int, epoch: int = 0) -> tuple[Any, list[int]]:
    """What a pretext task draws of these videos, of 40 black frames each, and the frames of its clips."""
    film = Film([np.arange(40)], np.arange(0, 40, 5))
    chosen = [pretext.choose(Sampling(frames, 1), film, int(i), 0, epoch, 2) for i in index]
    size, moved = torch.full((len(index), 2), side), chosen[0].motion.shape
    clips = [torch.zeros(len(index), len(clip), 3, side, side, dtype=torch.uint8) for clip in chosen[0].clips]
    at = [torch.zeros(len(index), len(clip), dtype=torch.int64) for clip in chosen[0].clips]
    cells = (uniforms(index, math.prod(moved) * 8, 0, "cells", epoch) * 40 - 20).to(torch.int8)
    batch = ClipBatch(
        index,
        clips,
        at,
        size,
        torch.full((len(index),), 40),
        drawn=torch.tensor([one.drawn for one in chosen], dtype=torch.int64),
        motion=cells.reshape(len(index), *moved, 2, 2, 2),
        stored=torch.full((len(index), 2), 16),
    )
    plain = draw(Augmentation(((Crop(), Flip(), Normalise()),)), index, size, 0, epoch, 2)
    return pretext.exercise(batch, plain, side, 0, epoch).task, [len(clip) for clip in chosen[0].clips]


def cut(index: torch.Tensor, view: int, side: int) -> Geometry:
    """Where a view lies in pictures of side x side pixels: a random box of at least two thirds of a side."""
    numbers = uniforms(index, 5, 0, "cut", view)
    sides = side * (2 + numbers[:, :2]) / 3
    corner = numbers[:, 2:4] * (side - sides)
    return Geometry(
        torch.cat([corner, corner + sides], 1), numbers[:, 4] < 0.5, torch.full((len(index), 2), 1.0 * side)
    )


def kind_of(name: str) -> str:
    """The data on which a method of the catalog is tried: images, as far as it learns from them."""
    plain = re.sub(r"\[\w+\]", "", name)
    kinds = wings.composed(plain).kinds
    return "images" if "images" in kinds else kinds[0]


def net_for(kind: str, norm: bool = True) -> Net:
    """The tiny network for images or for clips."""
    return (ClipNet if kind == "videos" else Net)(norm)


def additions_on(kind: str) -> list[str]:
    """The additions that learn from a kind of data."""
    return [name for name, known in CATALOG.additions.items() if known.kinds is None or kind in known.kinds]


@functools.cache
def refused(base: str, addition: str, kind: str) -> str:
    """Why a base does not take an addition on a kind of data, or nothing where it does."""
    try:
        make(f"{base}+{addition}", net_for(kind))
    except UserError as error:
        return str(error)
    return ""


def together(base: str, *, kind: str | None = None, running_networks: bool = True) -> str:
    """The base with all additions that go over it; without those that run networks in their terms, where asked."""
    kind = kind or kind_of(base)
    chosen = [a for a in additions_on(kind) if running_networks or not load(ADDITIONS[a]).runs_network]
    return "+".join([base, *(a for a in chosen if not refused(base, a, kind))])


def variants(names: Sequence[str]) -> list[str]:
    """The variants of these entries: "moco[shuffle]", ..."""
    return [f"{name}[{variant}]" for name in names for variant in VARIANTS.get(name, {})]


JOINT = [name for name, system in SYSTEMS.items() if issubclass(load(system.base), JointEmbedding)]
BASES = [name for name in JOINT if not SYSTEMS[name].additions]
TRAINED = [name for name in SYSTEMS if first_recipe(name).plan]
ON_CLIPS = [name for name in BASES if "videos" in CATALOG.recipes[name]]
ON_INTERACTIONS = [name for name in TRAINED if "interactions" in CATALOG.recipes[name]]
