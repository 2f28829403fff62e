"""The videos wing's systems, and what the systems of any kind of data are given for videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from twofold.catalog.wing import Recipe, System, with_settings

_MOCO = "twofold.methods.moco:MoCo"
_BE = "twofold.videos.methods.be:BE"
_CSTP = "twofold.videos.methods.cstp:CSTP"
_CSTP_PLAN = {"optimizer": "sgd", "scaling": "none", "weight_decay": 5e-4, "schedule": "cosine-epoch",
              "warmup_share": 0.5, "floor": 1e-5, "clip": 18.0, "epochs": 300}  # fmt: skip
_CSTP_HEAD = {"hidden": 4096, "dim": 512, "momentum": 0.996, "rising": False, "output_bias": True}
_CSTP_RECIPES = {
    "ucf101": Recipe("cstp", {**_CSTP_PLAN, "base_lr": 0.03, "batch_size": 60}, _CSTP_HEAD, "official code, UCF101"),
    "kinetics": Recipe(
        "cstp", {**_CSTP_PLAN, "base_lr": 0.09, "batch_size": 128}, _CSTP_HEAD, "official code, Kinetics-400"
    ),
    "small": Recipe(
        "cstp-small",
        {"optimizer": "adam", "scaling": "none", "schedule": "cosine", "base_lr": 1e-3, "weight_decay": 1e-6,
         "clip": 18.0, "epochs": 100, "batch_size": 64},
        {"hidden": 1024, "dim": 64, "momentum": 0.99, "output_bias": True},
        "views of CSTP; byol's settings for small images with Adam (none is published for small networks on clips)",
    ),
}  # fmt: skip
_CTP_PLAN = {"optimizer": "sgd", "scaling": "none", "base_lr": 0.01, "weight_decay": 1e-4, "schedule": "step",
             "drop": 0.1, "milestones": (1 / 3, 2 / 3), "clip": 40.0, "batch_size": 32,
             "last_stage": "dense"}  # fmt: skip
_CTP_RECIPES = {
    "ucf101": Recipe("ctp", {**_CTP_PLAN, "epochs": 300}, {}, "official code, UCF101"),
    "kinetics": Recipe("ctp", {**_CTP_PLAN, "epochs": 90}, {}, "official code, Kinetics-400"),
    "small": Recipe(
        "ctp-small",
        {"optimizer": "adam", "scaling": "none", "schedule": "cosine", "base_lr": 1e-3, "weight_decay": 1e-6,
         "clip": 40.0, "epochs": 100, "batch_size": 32, "last_stage": "dense"},
        {"hidden": 256},
        "views and task of CtP over 8 frames; Adam (none is published for small networks)",
    ),
}  # fmt: skip
_CMD_PLAN = {"optimizer": "sgd", "scaling": "linear", "schedule": "cosine", "weight_decay": 1e-3, "warmup_epochs": 5,
             "base_lr": 0.128, "clip": 15.0, "epochs": 120, "batch_size": 16}  # fmt: skip
_CMD_RECIPES = {
    "ucf101": Recipe("cmd", _CMD_PLAN, {}, "official code, UCF101 (rate 5e-4 times the batch)"),
    "small": Recipe(
        "cmd-short",
        {"optimizer": "adam", "scaling": "none", "schedule": "cosine", "base_lr": 1e-3, "weight_decay": 1e-6,
         "clip": 15.0, "epochs": 100, "batch_size": 32},
        {"dim": 128, "hidden": 256, "width": 16, "future": 4},
        "short: 8 frames at stride 2, then motion of 4; narrow networks, Adam (none is published for small networks)",
    ),
    "short": Recipe("cmd-short", _CMD_PLAN, {"future": 4}, "ucf101 for 21 to 70 frames a video: 8 at stride 2, then 4"),
}  # fmt: skip
_BE_PAPER = (
    "Removing the Background by Adding the Background: Towards Background Robust Self-supervised Video Representation "
    "Learning, CVPR 2021, arXiv 2009.05769"
)

_SGD = {"optimizer": "sgd", "scaling": "linear", "schedule": "cosine"}
_STEPS = {"optimizer": "sgd", "scaling": "none", "weight_decay": 1e-4, "schedule": "step", "drop": 0.1}
_MOCO_BE = {"temperature": 0.07, "head": "linear", "momentum": 0.999, "key_bn": "plain"}
_BE_RECIPES = {
    "kinetics": Recipe(
        "be",
        {**_STEPS, "schedule": "constant", "base_lr": 0.003, "epochs": 50, "batch_size": 64},
        {**_MOCO_BE, "queue": 65536},
        "official repository, Kinetics (it drops the rate from epoch 120 on, which 50 do not reach)",
    ),
    "ucf101": Recipe(
        "be",
        {**_STEPS, "base_lr": 0.003, "milestones": (0.6, 0.8), "epochs": 200, "batch_size": 4},
        {**_MOCO_BE, "queue": 3569},
        "official repository, UCF101",
    ),
    "small": Recipe(
        "be-small",
        {**_SGD, "base_lr": 0.06, "weight_decay": 1e-4, "epochs": 100, "batch_size": 64},
        {**_MOCO_BE, "momentum": 0.99, "queue": 4096, "temperature": 0.1},
        "views and head of BE; optimizer, momentum and temperature of MoCo's CIFAR-10 demo (none is published for "
        "small networks on clips)",
    ),
}

_CVRL = "views like CVRL's (2008.03800): SimCLR's, alike in all frames of a clip, two clips of a video at any times"
_MOCO_RECIPES = {
    "kinetics": Recipe(
        "moco-clips",
        {**_SGD, "base_lr": 0.03, "weight_decay": 1e-4, "epochs": 200, "batch_size": 256},
        {"temperature": 0.1, "head": "mlp", "momentum": 0.999, "queue": 65536},
        f"MoCo v2's; {_CVRL}",
    ),
    "small": Recipe(
        "moco-clips-small",
        {**_SGD, "base_lr": 0.06, "weight_decay": 5e-4, "epochs": 100, "batch_size": 64},
        {"temperature": 0.1, "head": "linear", "momentum": 0.99, "queue": 4096},
        f"official CIFAR-10 demo of MoCo; {_CVRL}",
    ),
}
_SIMCLR_RECIPES = {
    "kinetics": Recipe(
        "simclr-clips",
        {**_SGD, "base_lr": 0.32, "weight_decay": 1e-4, "warmup_epochs": 5, "epochs": 200, "batch_size": 512},
        {"temperature": 0.1, "layers": 2, "hidden": 2048, "dim": 128},
        "CVRL's optimizer and head (2008.03800, section 4), from memory of the paper, not checked; its views",
    ),
    "small": Recipe(
        "moco-clips-small",
        {"optimizer": "adam", "scaling": "none", "schedule": "cosine", "base_lr": 1e-3, "weight_decay": 1e-6,
         "epochs": 100, "batch_size": 64},
        {"temperature": 0.5, "layers": 2, "dim": 128},
        f"simclr's settings for small images with Adam; {_CVRL}",
    ),
}  # fmt: skip
_BYOL_RECIPES = {
    "kinetics": Recipe(
        "simclr-clips",
        {"optimizer": "lars", "scaling": "linear", "schedule": "cosine", "base_lr": 0.3, "weight_decay": 1e-6,
         "warmup_epochs": 10, "epochs": 200, "batch_size": 256},
        {"hidden": 4096, "dim": 256, "momentum": 0.99},
        f"byol's ImageNet settings; {_CVRL}",
    ),
    "small": Recipe(
        "moco-clips-small",
        {"optimizer": "adam", "scaling": "none", "schedule": "cosine", "base_lr": 1e-3, "weight_decay": 1e-6,
         "epochs": 100, "batch_size": 64},
        {"hidden": 1024, "dim": 64, "momentum": 0.99, "output_bias": True},
        f"byol's settings for small images; {_CVRL}",
    ),
}  # fmt: skip
_CLIP_ALONE = {name: replace(recipe, method={}) for name, recipe in _BE_RECIPES.items()}


def _from(recipes: Mapping[str, Recipe], source: str) -> dict[str, Recipe]:
    """The same recipes with other words about where their values stand."""
    return {name: replace(recipe, source=source) for name, recipe in recipes.items()}


SYSTEMS = {
    "be": System(
        "BE on MoCo",
        _BE_PAPER,
        _MOCO,
        additions=(_BE,),
        recipes=_BE_RECIPES,
        summary="a frame of the clip laid over all its frames is not to matter: what moves counts, not the background",
        suits="videos whose background gives the answer away",
        verified="official mix, step, queue and schedule (golden), two ranks, exact resume",
        measured="rendered motion capture, one seed: its claim did not show",
    ),
    "cstp": System(
        "CSTP on BYOL",
        "Contrastive Spatio-Temporal Pretext Learning for Self-supervised Video Representation, AAAI 2022, arXiv "
        "2112.08913",
        "twofold.methods.byol:BYOL",
        additions=(_CSTP,),
        recipes=_CSTP_RECIPES,
        summary="two clips of a video are compared, and heads tell how far they overlap, their pace and their turn",
        suits="actions that are told apart by speed and course; videos of some hundred frames",
        verified="official pairs of boxes and clips, loss and schedule (golden), two ranks, exact resume",
        measured="rendered motion capture, 3 seeds: linear 22.9 ± 17.9 points above byol with the same views",
    ),
    "cmd": System(
        "CMD, context and motion",
        "Self-supervised Video Representation Learning by Context and Motion Decoupling, CVPR 2021, arXiv 2104.00862",
        "twofold.videos.methods.cmd:CMD",
        recipes=_CMD_RECIPES,
        summary="a clip picks the keyframe near it, and foretells the motion behind it at each of its positions",
        suits="compressed videos whose frames hold motion vectors (H.264, MPEG-4)",
        verified="official sampler, motion maps and transformer (golden), two ranks, exact resume",
        measured="hardly: 200 steps, one seed",
    ),
    "ctp": System(
        "CtP, catch the patch",
        "Unsupervised Visual Representation Learning by Tracking Patches in Video, CVPR 2021, arXiv 2105.02545",
        "twofold.videos.methods.ctp:CtP",
        recipes=_CTP_RECIPES,
        summary="patches of a clip are moved over it, and the network tells where they go, also while they are hidden",
        suits="any videos, also few: what is to be learned is laid over them",
        verified="official courses, pasting, targets, losses and statistics (golden), two ranks, exact resume",
        measured="hardly: learns clips by heart, one seed",
    ),
    "triplet": System(
        "Triplet loss over clips",
        _BE_PAPER,
        "twofold.videos.methods.triplet:Triplet",
        recipes=_from(_CLIP_ALONE, "be's views and optimizer; the margin of its official triplet loss"),
        summary="a clip is nearer to its other view than to a clip of another video, by a margin",
        suits="a base of BE; comparison",
        verified="official triplets (golden), two ranks, exact resume",
        measured="not yet",
    ),
    "rotation": System(
        "Rotation of clips",
        "Unsupervised Representation Learning by Predicting Image Rotations, ICLR 2018, arXiv 1803.07728; for clips "
        "arXiv 1811.11387",
        "twofold.videos.methods.rotation:Rotation",
        recipes=_from(_CLIP_ALONE, "be's views and optimizer"),
        summary="the clip is turned by quarters, and the network says by how many",
        suits="a base of BE; comparison",
        verified="by hand, two ranks, exact resume; no golden",
        measured="not yet",
    ),
}
ADDITIONS = {"be": _BE, "cstp": _CSTP}
RECIPES: dict[str, Mapping[str, Recipe]] = {
    "moco": _MOCO_RECIPES,
    "moco-symmetric": with_settings(_MOCO_RECIPES, symmetric=True),
    "simclr": _SIMCLR_RECIPES,
    "byol": _BYOL_RECIPES,
}
