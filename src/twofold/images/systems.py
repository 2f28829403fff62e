"""The recipes of the images wing: published settings of each system for small images and for large ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from twofold.catalog.wing import Recipe, with_settings
from twofold.images.baselines import ADAM, BARLOW, DINO, LARS, LEJEPA, MOCO_V3, SGD, SWAV, VICREG

_DROPS = {
    "optimizer": "adam",
    "scaling": "none",
    "weight_decay": 1e-6,
    "warmup_steps": 500,
    "schedule": "step",
    "milestones": (0.95, 0.975),
    "drop": 0.2,
    "batch_size": 512,
}

_SIMCLR = {
    "imagenet": Recipe(
        "simclr-imagenet",
        {**LARS, "scaling": "sqrt", "base_lr": 0.075, "weight_decay": 1e-4, "epochs": 200, "batch_size": 256},
        {"temperature": 0.1},
        "official repository (batch 4096 there); sqrt scaling is its advice for small batches",
    ),
    "cifar": Recipe(
        "simclr-cifar",
        {**LARS, "base_lr": 1.0, "weight_decay": 1e-4, "epochs": 200, "batch_size": 512},
        {"temperature": 0.5},
        "official repository, CIFAR-10 command (1000 epochs there)",
    ),
}
_MOCO_V1 = {
    "imagenet": Recipe(
        "moco-v1",
        {**SGD, "base_lr": 0.03, "weight_decay": 1e-4, "schedule": "step", "epochs": 200, "batch_size": 256},
        {"temperature": 0.07, "head": "linear", "queue": 65536, "momentum": 0.999},
        "official repository",
    ),
    "cifar": Recipe(
        "moco-v1",
        {**SGD, "base_lr": 0.03, "weight_decay": 5e-4, "epochs": 200, "batch_size": 512},
        {"temperature": 0.07, "head": "linear", "queue": 4096, "momentum": 0.99},
        "v1's views, head and temperature under the CIFAR demo's schedule (no published CIFAR recipe)",
    ),
}
_MOCO_V2 = {
    "imagenet": Recipe(
        "moco-v2",
        {**SGD, "base_lr": 0.03, "weight_decay": 1e-4, "epochs": 200, "batch_size": 256},
        {"temperature": 0.2, "head": "mlp", "queue": 65536, "momentum": 0.999},
        "official repository",
    ),
    "cifar": Recipe(
        "moco-cifar",
        {**SGD, "base_lr": 0.03, "weight_decay": 5e-4, "epochs": 200, "batch_size": 512},
        {"temperature": 0.1, "head": "linear", "queue": 4096, "momentum": 0.99},
        "official CIFAR-10 demo",
    ),
}
_SIMSIAM = {
    "imagenet": Recipe(
        "moco-v2",
        {**SGD, "base_lr": 0.05, "weight_decay": 1e-4, "epochs": 200, "batch_size": 256},
        {"layers": 3},
        "official repository (batch 512 there)",
    ),
    "cifar": Recipe(
        "simsiam-cifar",
        {**SGD, "base_lr": 0.03, "weight_decay": 5e-4, "epochs": 800, "batch_size": 512},
        {"layers": 2},
        "the paper's appendix, as re-implementations have it",
    ),
}
_BYOL = {
    "imagenet": Recipe(
        "byol",
        {**LARS, "base_lr": 0.3, "weight_decay": 1e-6, "epochs": 300, "batch_size": 4096},
        {"hidden": 4096, "dim": 256, "momentum": 0.99},
        "official repository, 300 epochs",
    ),
    "cifar": Recipe(
        "wmse",
        {**ADAM, "base_lr": 3e-3, "weight_decay": 1e-6, "epochs": 200, "batch_size": 512},
        {"hidden": 1024, "dim": 64, "momentum": 0.99, "output_bias": True},
        "the W-MSE repository's BYOL baseline, with a cosine in the place of its two drops and 5 epochs of warm-up in "
        "the place of 500 steps",
    ),
}
_WMSE = {
    "imagenet": Recipe(
        "wmse-imagenet100",
        {**_DROPS, "base_lr": 2e-3, "epochs": 240, "milestones": (190 / 240, 215 / 240)},
        {"dim": 128, "whiten_size": 256},
        "official repository, ImageNet-100; its drops, 50 and 25 epochs before the end, as shares of 240 epochs",
    ),
    "cifar": Recipe(
        "wmse",
        {**_DROPS, "base_lr": 3e-3, "epochs": 1000},
        {"dim": 64, "whiten_size": 128},
        "official repository, CIFAR-10; its drops, 50 and 25 epochs before the end, as shares of 1000 epochs",
    ),
}
_SCRL = {
    "imagenet": Recipe(
        "scrl",
        {**LARS, "base_lr": 0.45, "weight_decay": 1e-6, "epochs": 200, "batch_size": 8192},
        {"hidden": 4096, "dim": 256, "momentum": 0.97, "one_pass": True},
        "official repository, 200 epochs",
    ),
    "cifar": Recipe(
        "scrl-small",
        {**ADAM, "base_lr": 3e-3, "weight_decay": 1e-6, "epochs": 200, "batch_size": 512},
        {"hidden": 1024, "dim": 64, "momentum": 0.99, "output_bias": True, "one_pass": True},
        "heads and optimizer of byol's small recipe, views of SCRL without blur (none is published for small images)",
    ),
}
_DENSE_CIFAR = Recipe(
    "moco-cifar",
    {**SGD, "base_lr": 0.03, "weight_decay": 1e-4, "epochs": 200, "batch_size": 256},
    {"temperature": 0.2, "head": "mlp", "queue": 4096, "momentum": 0.99},
    "views, queue and momentum of MoCo's CIFAR-10 demo, temperature, heads and decay of DenseCL (none is published for "
    "small images)",
)
_DENSECL = {
    "imagenet": Recipe(
        "moco-v2", _MOCO_V2["imagenet"].plan, _MOCO_V2["imagenet"].method, "official repository, ImageNet"
    ),
    "coco": Recipe(
        "moco-v2",
        {**_MOCO_V2["imagenet"].plan, "base_lr": 0.3, "epochs": 800},
        _MOCO_V2["imagenet"].method,
        "official repository, COCO train2017 without labels",
    ),
    "cifar": _DENSE_CIFAR,
}

_MOCHI_IMAGENET = {"mochi.hardest": 1024, "mochi.mixed": 512, "mochi.with_query": 256, "mochi.warmup": 0.075}


def _from(recipes: Mapping[str, Recipe], **sources: str) -> dict[str, Recipe]:
    """The same recipes with other words about where their values stand."""
    return {name: replace(recipe, source=sources[name]) for name, recipe in recipes.items()}


RECIPES: dict[str, Mapping[str, Recipe]] = {
    "simclr": _SIMCLR,
    "moco": _MOCO_V2,
    "moco-symmetric": _from(
        with_settings(_MOCO_V2, symmetric=True),
        imagenet="moco's; the symmetric form is an option of the CIFAR-10 demo alone",
        cifar="official CIFAR-10 demo, its symmetric option",
    ),
    "moco-v1": _MOCO_V1,
    "simsiam": _SIMSIAM,
    "byol": _BYOL,
    "wmse": _WMSE,
    "wmse4": _from(
        {k: replace(r, plan={**r.plan, "batch_size": 256}) for k, r in with_settings(_WMSE, views=4).items()},
        imagenet="like wmse, with the batch of its 4-view commands",
        cifar="like wmse, with the batch of its 4-view commands",
    ),
    "barlow": BARLOW,
    "vicreg": VICREG,
    "moco-v3": MOCO_V3,
    "dino": DINO,
    "swav": SWAV,
    "lejepa": LEJEPA,
    "mixsiam": _from(
        _SIMSIAM,
        imagenet="simsiam's; none is known of MixSiam",
        cifar="simsiam's; none is known of MixSiam",
    ),
    "mochi": _from(
        {**_MOCO_V2, "imagenet": with_settings(_MOCO_V2, **_MOCHI_IMAGENET)["imagenet"]},
        imagenet="moco's; one of MoCHi's published (N, s, s'); the warm-up from memory of the paper, not checked",
        cifar="moco's; none is published for MoCHi, so its defaults stand",
    ),
    "co2": _from(_MOCO_V2, imagenet="moco's", cifar="moco's; none is published for CO2"),
    "tkc": _from(_MOCO_V2, imagenet="moco's; none is known of TKC", cifar="moco's; none is known of TKC"),
    "unmix": _from(
        {**_MOCO_V2, "cifar": with_settings(_MOCO_V2, symmetric=True)["cifar"]},
        imagenet="moco's, as in the official repository",
        cifar="moco-symmetric's, as in the official CIFAR scripts (1000 epochs there)",
    ),
    "densecl": _DENSECL,
    "scrl": _SCRL,
    "dsc": {
        name: replace(recipe, source=f"densecl's; none is known of DSC ({recipe.source})")
        for name, recipe in with_settings(_DENSECL, **{"dsc.classes": 512}).items()
        if name == "imagenet"
    }
    | {"cifar": replace(_DENSE_CIFAR, source="densecl's; none is known of DSC")},
}
