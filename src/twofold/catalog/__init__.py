"""Every system by name: its paper, what it is built from, and the published settings. Nothing here imports torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """Settings that belong together, of one size of images or kind of pairs. source: where the values stand.

    views: a name of the wing's recipes. method: settings of the base and its additions. plan: optimizer, base_lr,
    scaling, weight_decay, warmup_epochs or warmup_steps, schedule (for "step" with its milestones as shares of the run
    and its drop), epochs, batch_size.
    """

    views: str
    plan: Mapping[str, Any]
    method: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True)
class System:
    """One entry. base and additions are import paths `module:Class`; verified says by what, in a few words.

    zero_init_residual: the last batch norm of each residual block starts at scale 0, as in the authors' code.
    """

    title: str
    paper: str
    kind: str
    base: str
    recipes: Mapping[str, Recipe]
    additions: tuple[str, ...] = ()
    verified: str = ""
    zero_init_residual: bool = False


_SGD = {"optimizer": "sgd", "scaling": "linear", "schedule": "cosine-epoch", "warmup_epochs": 0.0}
_LARS = {"optimizer": "lars", "scaling": "linear", "schedule": "cosine", "warmup_epochs": 10.0}
_ADAM = {"optimizer": "adam", "scaling": "none", "schedule": "cosine", "warmup_epochs": 5.0}

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
        {**_LARS, "scaling": "sqrt", "base_lr": 0.075, "weight_decay": 1e-4, "epochs": 200, "batch_size": 256},
        {"temperature": 0.1},
        "official repository; sqrt scaling is its advice for small batches",
    ),
    "cifar": Recipe(
        "simclr-cifar",
        {**_LARS, "base_lr": 1.0, "weight_decay": 1e-4, "epochs": 200, "batch_size": 512},
        {"temperature": 0.5},
        "official repository, CIFAR-10 command",
    ),
}
_MOCO_V1 = {
    "imagenet": Recipe(
        "moco-v1",
        {**_SGD, "base_lr": 0.03, "weight_decay": 1e-4, "schedule": "step", "epochs": 200, "batch_size": 256},
        {"temperature": 0.07, "head": "linear", "queue": 65536, "momentum": 0.999},
        "official repository",
    ),
    "cifar": Recipe(
        "moco-v1",
        {**_SGD, "base_lr": 0.03, "weight_decay": 5e-4, "epochs": 200, "batch_size": 512},
        {"temperature": 0.07, "head": "linear", "queue": 4096, "momentum": 0.99},
        "v1's views, head and temperature under the CIFAR demo's schedule (no published CIFAR recipe)",
    ),
}
_MOCO_V2 = {
    "imagenet": Recipe(
        "moco-v2",
        {**_SGD, "base_lr": 0.03, "weight_decay": 1e-4, "epochs": 200, "batch_size": 256},
        {"temperature": 0.2, "head": "mlp", "queue": 65536, "momentum": 0.999},
        "official repository",
    ),
    "cifar": Recipe(
        "moco-cifar",
        {**_SGD, "base_lr": 0.03, "weight_decay": 5e-4, "epochs": 200, "batch_size": 512},
        {"temperature": 0.1, "head": "linear", "queue": 4096, "momentum": 0.99},
        "official CIFAR-10 demo",
    ),
}
_SIMSIAM = {
    "imagenet": Recipe(
        "moco-v2",
        {**_SGD, "base_lr": 0.05, "weight_decay": 1e-4, "epochs": 200, "batch_size": 256},
        {"layers": 3},
        "official repository",
    ),
    "cifar": Recipe(
        "simsiam-cifar",
        {**_SGD, "base_lr": 0.03, "weight_decay": 5e-4, "epochs": 800, "batch_size": 512},
        {"layers": 2},
        "the paper's appendix, as re-implementations have it",
    ),
}
_BYOL = {
    "imagenet": Recipe(
        "byol",
        {**_LARS, "base_lr": 0.3, "weight_decay": 1e-6, "epochs": 300, "batch_size": 4096},
        {"hidden": 4096, "dim": 256, "momentum": 0.99},
        "official repository, 300 epochs",
    ),
    "cifar": Recipe(
        "wmse",
        {**_ADAM, "base_lr": 3e-3, "weight_decay": 1e-6, "epochs": 200, "batch_size": 512},
        {"hidden": 1024, "dim": 64, "momentum": 0.99, "output_bias": True},
        "the W-MSE repository's BYOL baseline, with a cosine in the place of its two drops",
    ),
}
_WMSE = {
    "imagenet": Recipe(
        "wmse-imagenet100",
        {**_DROPS, "base_lr": 2e-3, "epochs": 240, "milestones": (190 / 240, 215 / 240)},
        {"dim": 128, "whiten_size": 256},
        "official repository, ImageNet-100 (its drops at E - 50 and E - 25 as shares of 240 epochs)",
    ),
    "cifar": Recipe(
        "wmse",
        {**_DROPS, "base_lr": 3e-3, "epochs": 1000},
        {"dim": 64, "whiten_size": 128},
        "official repository, CIFAR-10 (its drops at E - 50 and E - 25 as shares of 1000 epochs)",
    ),
}

_BARLOW = {
    "imagenet": Recipe(
        "byol",
        {**_LARS, "base_lr": 0.2, "weight_decay": 1e-6, "epochs": 1000, "batch_size": 2048},
        {"redundancy": 0.0051, "dim": 8192, "scale": 0.024},
        "official repository; the scale stands for its smaller rate of biases and norms, 0.0048",
    ),
    "cifar": Recipe(
        "asymmetric-cifar",
        {**_ADAM, "base_lr": 1e-3, "weight_decay": 1e-6, "epochs": 1000, "batch_size": 512},
        {"redundancy": 0.005, "dim": 2048},
        "views and head of solo-learn's CIFAR-10 configuration, Adam of the Barlow-Twins-HSIC repository with a cosine "
        "(no CIFAR recipe by the authors)",
    ),
}

_VICREG = {
    "imagenet": Recipe(
        "byol",
        {**_LARS, "base_lr": 0.2, "weight_decay": 1e-6, "epochs": 1000, "batch_size": 2048},
        {"dim": 8192},
        "the paper and the official repository, 1000 epochs",
    ),
    "cifar": Recipe(
        "vicreg-cifar",
        {**_ADAM, "base_lr": 1e-3, "weight_decay": 1e-6, "epochs": 1000, "batch_size": 512},
        {"dim": 2048},
        "views, head and weights of solo-learn's CIFAR-10 configuration, the optimiser as under barlow "
        "(no CIFAR recipe by the authors)",
    ),
}

_MOCO_V3 = {
    "imagenet": Recipe(
        "moco-v3",
        {**_LARS, "base_lr": 0.3, "weight_decay": 1e-6, "epochs": 300, "batch_size": 4096},
        {"temperature": 1.0, "hidden": 4096, "dim": 256, "momentum": 0.99},
        "official repository, ResNet-50 for 300 epochs (its ViTs: temperature 0.2, layers 3, predictor_norm, "
        "frozen_patches, AdamW)",
    ),
    "cifar": Recipe(
        "asymmetric-cifar",
        {**_ADAM, "base_lr": 3e-3, "weight_decay": 1e-6, "epochs": 200, "batch_size": 512},
        {"temperature": 0.2, "hidden": 4096, "dim": 256, "momentum": 0.99},
        "views, heads and temperature of solo-learn's CIFAR-10 configuration, the optimiser as under byol "
        "(no CIFAR recipe by the authors)",
    ),
}

_WARM_SGD = {**_SGD, "schedule": "cosine", "warmup_epochs": 10.0}
_DINO = {
    "imagenet": Recipe(
        "dino-resnet50",
        {**_WARM_SGD, "base_lr": 0.03, "weight_decay": 1e-4, "epochs": 100, "batch_size": 512},
        {"prototypes": 65536, "local_views": 8, "momentum": 0.996, "teacher_temperature": 0.04},
        "official repository, ResNet-50 for 100 epochs (which also clips the gradient of each parameter at 3)",
    ),
    "cifar": Recipe(
        "asymmetric-cifar",
        {**_WARM_SGD, "optimizer": "adamw", "base_lr": 5e-4, "weight_decay": 0.04, "epochs": 1000, "batch_size": 256},
        {"prototypes": 4096, "local_views": 0, "momentum": 0.996, "teacher_temperature": 0.04, "head_norm": True},
        "views without small crops and number of outputs of solo-learn's CIFAR-10 configuration, the rest the official "
        "repository's for ViTs, its weight decay not growing (no CIFAR recipe by the authors)",
    ),
}

_SWAV = {
    "imagenet": Recipe(
        "swav",
        {**_LARS, "warmup_epochs": 0.0, "base_lr": 0.6, "weight_decay": 1e-6, "epochs": 200, "batch_size": 256},
        {"prototypes": 3000, "queue": 3840, "queue_start": 0.075, "local_views": 6},
        "official repository, 200 epochs with batches of 256",
    ),
    "cifar": Recipe(
        "simclr-cifar",
        {**_ADAM, "base_lr": 1e-3, "weight_decay": 1e-6, "epochs": 1000, "batch_size": 256},
        {"prototypes": 3000, "queue": 3840, "queue_start": 0.05, "local_views": 0, "frozen_epochs": 2},
        "head, prototypes and queue of solo-learn's CIFAR-10 configuration, without small crops, on SimCLR's views; "
        "the optimiser as under barlow (no CIFAR recipe by the authors)",
    ),
}


def _with(recipes: Mapping[str, Recipe], **settings: Any) -> dict[str, Recipe]:
    return {k: replace(r, method={**r.method, **settings}) for k, r in recipes.items()}


_MOCO, _WMSE_CLASS = "twofold.methods.moco:MoCo", "twofold.methods.wmse:WMSE"
_MIXSIAM, _MOCHI, _CO2 = "twofold.methods.mixsiam:MixSiam", "twofold.methods.mochi:MoCHi", "twofold.methods.co2:CO2"
_TKC, _UNMIX = "twofold.methods.tkc:TKC", "twofold.methods.unmix:UnMix"
_MOCHI_IMAGENET = {"mochi.hardest": 1024, "mochi.mixed": 512, "mochi.with_query": 256, "mochi.warmup": 0.075}
_MOCHI_RECIPES = {
    "imagenet": replace(
        _with(_MOCO_V2, **_MOCHI_IMAGENET)["imagenet"], source="MoCo v2's; one of MoCHi's published (N, s, s')"
    ),
    "cifar": _MOCO_V2["cifar"],
}
_UNMIX_RECIPES = {"imagenet": _MOCO_V2["imagenet"], "cifar": _with(_MOCO_V2, symmetric=True)["cifar"]}

_LIGHTGCN, _SGL = "twofold.interactions.methods.lightgcn:LightGCN", "twofold.interactions.methods.sgl:SGL"
_PAIRS = {"optimizer": "adam", "base_lr": 1e-3, "batch_size": 2048}
_FLOORS = "twofold.interactions.methods.floors"
_FORMULA = {"default": Recipe("pairs", {}, {}, "a formula over the pairs, without training")}
_DEFAULT = {"default": Recipe("triples", _PAIRS, {}, "official SGL and LightGCN; tables start from N(0, 0.1) here")}
_LIGHTGCN_RECIPES = {
    **_DEFAULT,
    "sparse": Recipe(
        "triples",
        {**_PAIRS, "base_lr": 5e-3},
        {"regularisation": 0.01, "sampling": "interaction"},
        "ours, chosen on the validation part of yelp-sslrec",
    ),
}
_SPARSE_SGL = {"layers": 2, "weight": 1.0, "temperature": 0.5, "ratio": 0.5, "regularisation": 0.05}
_SGL_RECIPES = {
    **_DEFAULT,
    "sparse": Recipe(
        "triples",
        {**_PAIRS, "base_lr": 3e-3},
        {**_SPARSE_SGL, "sampling": "interaction"},
        "SSLRec's layers, weight, temperature and ratio; the rest ours, chosen on the validation part of yelp-sslrec",
    ),
    "yelp2018": Recipe("triples", _PAIRS, {"init": "xavier"}, "official SGL"),
    "amazon-book": Recipe("triples", _PAIRS, {"init": "xavier", "weight": 0.5}, "official SGL"),
    "ifashion": Recipe(
        "triples",
        _PAIRS,
        {"init": "xavier", "weight": 0.02, "ratio": 0.4, "temperature": 0.5, "regularisation": 1e-3},
        "official SGL",
    ),
}

SYSTEMS: dict[str, System] = {
    "simclr": System(
        "SimCLR",
        "A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020, arXiv 2002.05709",
        "images",
        "twofold.methods.simclr:SimCLR",
        _SIMCLR,
        zero_init_residual=True,
        verified="official loss and gradient (golden), naive loop, two ranks, exact resume",
    ),
    "moco": System(
        "MoCo v2",
        "Improved Baselines with Momentum Contrastive Learning, 2020, arXiv 2003.04297",
        "images",
        _MOCO,
        _MOCO_V2,
        verified="official step, queue and split batch norm (golden), naive loop, two ranks, exact resume",
    ),
    "moco-symmetric": System(
        "MoCo v2, symmetric",
        "Improved Baselines with Momentum Contrastive Learning, 2020, arXiv 2003.04297 (CIFAR demo's option)",
        "images",
        _MOCO,
        {k: replace(r, source=f"{r.source}, both directions") for k, r in _with(_MOCO_V2, symmetric=True).items()},
        verified="loss and queue order against two asymmetric steps, two ranks, exact resume; no golden of its own",
    ),
    "moco-v1": System(
        "MoCo v1",
        "Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020, arXiv 1911.05722",
        "images",
        _MOCO,
        _MOCO_V1,
        verified="official step and queue (golden), naive loop; ranks and resume only as the same class under moco",
    ),
    "simsiam": System(
        "SimSiam",
        "Exploring Simple Siamese Representation Learning, CVPR 2021, arXiv 2011.10566",
        "images",
        "twofold.methods.simsiam:SimSiam",
        _SIMSIAM,
        zero_init_residual=True,
        verified="official pass of the whole network with gradients and buffers (golden), two ranks, exact resume",
    ),
    "byol": System(
        "BYOL",
        "Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning, NeurIPS 2020, arXiv 2006.07733",
        "images",
        "twofold.methods.byol:BYOL",
        _BYOL,
        verified="official loss and schedules, a third party's whole step (golden), two ranks, exact resume",
    ),
    "wmse": System(
        "W-MSE with 2 views",
        "Whitening for Self-Supervised Representation Learning, ICML 2021, arXiv 2007.06346",
        "images",
        _WMSE_CLASS,
        _WMSE,
        verified="official whitening, loss and gradients (golden), by hand, two ranks, exact resume",
    ),
    "wmse4": System(
        "W-MSE with 4 views",
        "Whitening for Self-Supervised Representation Learning, ICML 2021, arXiv 2007.06346",
        "images",
        _WMSE_CLASS,
        {k: replace(r, plan={**r.plan, "batch_size": 256}) for k, r in _with(_WMSE, views=4).items()},
        verified="official loss and gradients (golden), by hand, two ranks; resume as the same class under wmse",
    ),
    "barlow": System(
        "Barlow Twins",
        "Barlow Twins: Self-Supervised Learning via Redundancy Reduction, ICML 2021, arXiv 2103.03230",
        "images",
        "twofold.methods.barlow_twins:BarlowTwins",
        _BARLOW,
        zero_init_residual=True,
        verified="the paper's equations as naive loops, gradient check, two ranks, exact resume; no golden",
    ),
    "vicreg": System(
        "VICReg",
        "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning, ICLR 2022, "
        "arXiv 2105.04906",
        "images",
        "twofold.methods.vicreg:VICReg",
        _VICREG,
        zero_init_residual=True,
        verified="the paper's equations as naive loops, gradient check, two ranks, exact resume; no golden",
    ),
    "moco-v3": System(
        "MoCo v3",
        "An Empirical Study of Training Self-Supervised Vision Transformers, ICCV 2021, arXiv 2104.02057",
        "images",
        "twofold.methods.moco_v3:MoCoV3",
        _MOCO_V3,
        zero_init_residual=True,
        verified="the paper's loss as a naive loop, gradient check, two ranks, exact resume; no golden",
    ),
    "dino": System(
        "DINO",
        "Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021, arXiv 2104.14294",
        "images",
        "twofold.methods.dino:DINO",
        _DINO,
        verified="the paper's loss as a naive loop, centre, schedules, multi-crop, two ranks, exact resume; no golden",
    ),
    "swav": System(
        "SwAV",
        "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments, NeurIPS 2020, arXiv 2006.09882",
        "images",
        "twofold.methods.swav:SwAV",
        _SWAV,
        verified="the paper's codes and loss as naive loops, queue, multi-crop, two ranks, exact resume; no golden",
    ),
    "mixsiam": System(
        "MixSiam (a reconstruction), SimSiam with mixtures",
        "MixSiam: A Mixture-based Approach to Self-supervised Representation Learning, 2021, arXiv 2111.02679",
        "images",
        "twofold.methods.simsiam:SimSiam",
        _SIMSIAM,
        (_MIXSIAM,),
        zero_init_residual=True,
        verified="reconstruction: naive loop, every setting, two ranks, exact resume; nothing public to compare with",
    ),
    "mochi": System(
        "MoCHi on MoCo v2",
        "Hard Negative Mixing for Contrastive Learning, NeurIPS 2020, arXiv 2010.01028",
        "images",
        _MOCO,
        _MOCHI_RECIPES,
        (_MOCHI,),
        verified="a third party's step (golden), naive loop over rows, two ranks, exact resume",
    ),
    "co2": System(
        "CO2 on MoCo v2",
        "CO2: Consistent Contrast for Unsupervised Visual Representation Learning, arXiv 2010.02217",
        "images",
        _MOCO,
        _MOCO_V2,
        (_CO2,),
        verified="a third party's loss and gradient (golden), naive loop, two ranks, exact resume",
    ),
    "tkc": System(
        "TKC (a reconstruction) on MoCo v2",
        "Temporal Knowledge Consistency for Unsupervised Visual Representation Learning, ICCV 2021, arXiv 2108.10668",
        "images",
        _MOCO,
        _MOCO_V2,
        (_TKC,),
        verified="reconstruction: naive loop, snapshots, two ranks, exact resume; nothing public to compare with",
    ),
    "unmix": System(
        "Un-Mix on MoCo v2",
        "Un-Mix: Rethinking Image Mixtures for Unsupervised Visual Representation Learning, AAAI 2022, "
        "arXiv 2003.05438",
        "images",
        _MOCO,
        _UNMIX_RECIPES,
        (_UNMIX,),
        verified="official boxes, mixtures and steps on MoCo (golden), written out on every base, two ranks, resume",
    ),
    "lightgcn": System(
        "LightGCN",
        "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation, SIGIR 2020, arXiv 2002.02126",
        "interactions",
        _LIGHTGCN,
        _LIGHTGCN_RECIPES,
        verified="official propagation, loss and gradients (golden), dense formulas, two ranks",
    ),
    "sgl": System(
        "SGL on LightGCN",
        "Self-supervised Graph Learning for Recommendation, SIGIR 2021, arXiv 2010.10783",
        "interactions",
        _SGL,
        _SGL_RECIPES,
        verified="official views, terms and gradients of ED, ND, RW (golden), naive loops, two ranks, exact resume; "
        "published figures on yelp-sslrec",
    ),
    "bpr-mf": System(
        "BPR-MF",
        "BPR: Bayesian Personalized Ranking from Implicit Feedback, UAI 2009, arXiv 1205.2618",
        "interactions",
        _LIGHTGCN,
        _with(_DEFAULT, layers=0),
        verified="LightGCN without layers: dense formula",
    ),
    "popularity": System(
        "Popularity, a floor without training",
        "the number of users of each item",
        "interactions",
        f"{_FLOORS}:Popularity",
        _FORMULA,
        verified="its counts",
    ),
    "graph-filter": System(
        "Graph filter, a floor without training (the linear half of GF-CF)",
        "How Powerful is Graph Convolution for Recommendation?, CIKM 2021, arXiv 2108.07567",
        "interactions",
        f"{_FLOORS}:GraphFilter",
        _FORMULA,
        verified="dense formula in float64",
    ),
    "item-knn": System(
        "Item-kNN, a floor without training",
        "Item-Based Top-N Recommendation Algorithms, ACM TOIS 22(1), 2004",
        "interactions",
        f"{_FLOORS}:ItemKNN",
        _FORMULA,
        verified="naive loop",
    ),
}
ADDITIONS: dict[str, str] = {"mixsiam": _MIXSIAM, "mochi": _MOCHI, "co2": _CO2, "tkc": _TKC, "unmix": _UNMIX}

# No code was released for these: what the papers leave open is decided here, and said wherever they are named.
RECONSTRUCTED = ("mixsiam", "tkc")


def reconstructed(name: str) -> str:
    """What to put after a method's name, as in `moco+tkc[teachers=3]`, where a part of it is a reconstruction."""
    return " (a reconstruction)" * any(part in RECONSTRUCTED for part in re.split(r"[+\[]", name))


def trained(recipes: Mapping[str, Recipe]) -> bool:
    """Whether a method with these recipes is trained; no recipe of a formula over the data has a plan."""
    return any(recipe.plan for recipe in recipes.values())
