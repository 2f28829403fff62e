"""The entries of the systems for control, with their recipes."""

from __future__ import annotations

from typing import Any

from twofold.catalog.composition import Addition, Catalog, Composition, compose
from twofold.catalog.wing import Recipe, System

_METHODS = "twofold.control.methods"
ADDITIONS = {"rcrl": f"{_METHODS}.rcrl:RCRL", "curl": f"{_METHODS}.curl:CURL"}

_EFFICIENT: dict[str, Any] = {
    "optimizer": "adam",
    "base_lr": 1e-4,
    "eps": 1.5e-4,
    "clip": 10.0,
    "batch_size": 32,
    "steps": 100_000,
    "replay": 100_000,
    "learn_start": 1600,
    "train_every": 1,
    "stack": 4,
}
_RAINBOW = {
    "data-efficient": Recipe("steps", _EFFICIENT, {}, "official CURL-Rainbow: 100,000 decisions"),
    "small": Recipe(
        "steps",
        {**_EFFICIENT, "base_lr": 5e-4, "steps": 10_000, "replay": 20_000, "learn_start": 500},
        {"hidden": 128, "n_step": 5, "target_every": 200, "sigma": 0.5},
        "ours, for games of a few dozen pixels and for vectors",
    ),
    "canonical": Recipe(
        "steps",
        {**_EFFICIENT, "base_lr": 6.25e-5, "steps": 50_000_000, "replay": 1_000_000}
        | {"learn_start": 20_000, "train_every": 4},
        {"network": "canonical", "hidden": 512, "n_step": 3, "target_every": 8000},
        "the first Rainbow's network and rhythm",
    ),
}
_CURL: dict[str, Any] = {
    "optimizer": "adam",
    "base_lr": 1e-3,
    "batch_size": 128,
    "frames": 100_000,
    "replay": 100_000,
    "learn_start": 1000,
    "train_every": 1,
    "stack": 3,
}
_SAC = {
    "curl-readme": Recipe("steps", _CURL, {}, "the run script of CURL: batch 128"),
    "curl-paper": Recipe("steps", {**_CURL, "batch_size": 512}, {}, "CURL's final runs, by its author: batch 512"),
    "small": Recipe(
        "steps",
        {**_CURL, "batch_size": 64, "frames": 20_000, "replay": 20_000, "learn_start": 500},
        {"hidden": 256, "network": "grid"},
        "ours, for pictures of a few dozen pixels",
    ),
    "vectors": Recipe(
        "steps",
        {**_CURL, "base_lr": 3e-4, "batch_size": 128, "frames": 20_000, "stack": 1},
        {"hidden": 256, "features": 50},
        "ours, for vectors",
    ),
}
_LOGGED: dict[str, Any] = {"optimizer": "adam", "base_lr": 1e-3, "batch_size": 64, "steps": 2000, "stack": 4}
_RCRL = {
    "paper": Recipe("pairs", _LOGGED, {"positives": "segment"}, "the paper's pairs, of one segment of an episode"),
    "bins": Recipe("pairs", _LOGGED, {"positives": "bin"}, "Z-learning's pairs, of one bin of returns in all episodes"),
}

SYSTEMS = {
    "rainbow": System(
        "Rainbow, data-efficient",
        "Rainbow: Combining Improvements in Deep Reinforcement Learning, AAAI 2018, arXiv 1710.02298; "
        "When to use parametric models in reinforcement learning?, NeurIPS 2019, arXiv 1906.05243",
        f"{_METHODS}.rainbow:Rainbow",
        recipes=_RAINBOW,
        summary="distributional double Q-learning, dueling and noisy, over n steps of a prioritised replay",
        suits="an environment with actions to choose from; few samples",
        verified="official projection and noisy layer (golden), naive loops, exact resume",
        measured="a small game, 3 seeds: it learns; not Atari",
    ),
    "sac": System(
        "SAC from pixels",
        "Soft Actor-Critic, ICML 2018, arXiv 1801.01290; CURL, ICML 2020, arXiv 2004.04136 for the pixels",
        f"{_METHODS}.sac:SAC",
        recipes=_SAC,
        summary="soft actor-critic whose encoder learns from the critics alone",
        suits="an environment with continuous actions",
        verified="official squashed Gaussian (golden), who learns from what, exact resume",
        measured="vectors and small pictures, 3 seeds: it learns; not DMControl's",
    ),
    "rcrl": System(
        "RCRL (a reconstruction)",
        "Return-Based Contrastive Representation Learning for Reinforcement Learning, ICLR 2021, arXiv 2102.10960",
        f"{_METHODS}.logged:Logged",
        additions=(ADDITIONS["rcrl"],),
        recipes=_RCRL,
        summary="moments of the same return are alike, from logs or over an agent, rainbow+rcrl (a reconstruction)",
        suits="logged episodes; an agent with few samples",
        verified="reconstruction: properties of segments, pairs and losses, Z-learning's fixed point, exact resume; "
        "nothing public to compare with",
        measured="logs: bins help where noise tells episodes apart; over an agent its claim did not show",
        reconstruction=True,
    ),
    "curl": System(
        "CURL",
        "CURL: Contrastive Unsupervised Representations for Reinforcement Learning, ICML 2020, arXiv 2004.04136",
        f"{_METHODS}.logged:Logged",
        additions=(ADDITIONS["curl"],),
        recipes={"default": Recipe("pairs", _LOGGED, {}, "ours, for logged episodes")},
        summary="two crops of one state are alike; alone from logged episodes, or over an agent: sac+curl",
        suits="pictures of an agent, logged or as it acts",
        verified="official heads and losses (golden)",
        measured="beside rcrl, on logs and a small game",
    ),
}


def composed(method: str) -> Composition:
    """What the name of a method for control stands for."""
    recipes = {name: {"control": system.recipes} for name, system in SYSTEMS.items()}
    additions = {name: Addition(path, ("control",)) for name, path in ADDITIONS.items()}
    return compose(method, Catalog(SYSTEMS, recipes, additions)).on("control")
