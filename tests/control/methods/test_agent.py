"""What is laid over agents, in any combination, learns with them."""

from __future__ import annotations

import copy
import math

import pytest
import torch

import twofold
from twofold.control.methods.curl import CURL
from twofold.control.methods.logged import Logged
from twofold.control.methods.rainbow import Rainbow
from twofold.control.methods.rcrl import RCRL
from twofold.control.methods.sac import SAC
from twofold.errors import UserError

from ..small import GRID, PLANE, Life, run_agent

ADDITIONS = {
    "rcrl": lambda: [RCRL(count=8)],
    "rcrl of bins": lambda: [RCRL(count=8, positives="bin")],
    "rcrl by infonce": lambda: [RCRL(count=8, positives="mix", form="infonce")],
    "curl": lambda: [CURL()],
    "curl+rcrl": lambda: [CURL(), RCRL(count=8, form="bce", positives="mix")],
}


@pytest.mark.parametrize("kind, world, settings", [(Rainbow, GRID, {"hidden": 16, "atoms": 11, "n_step": 3}),
                                                  (SAC, PLANE, {"hidden": 16, "features": 8}),
                                                  (Logged, GRID, {})])  # fmt: skip
@pytest.mark.parametrize("name", ADDITIONS)
def test_every_composition_learns(kind, world, settings, name, tmp_path):
    torch.manual_seed(0)
    agent = kind(world, additions=ADDITIONS[name](), **settings)
    life = Life(agent)
    if kind is Logged:
        life.chosen = lambda number, rng: agent.random_action(rng)
    before = copy.deepcopy(agent.state_dict())
    outcome = run_agent(tmp_path / "run", agent, 6, life)
    assert all(math.isfinite(value) for value in outcome.metrics.values())
    assert {f"loss/{addition.name}" for addition in agent.additions} <= set(outcome.metrics)
    changed = {key.split(".")[0] for key, value in agent.state_dict().items() if not torch.equal(value, before[key])}
    assert {"backbone", "auxiliaries"} <= changed


@pytest.mark.parametrize(("method", "settings", "why"), [
    ("rainbow+rcrl", {"rcrl.weight": -1.0}, r"rcrl\.weight is -1"),
    ("rainbow+rcrl", {"rcrl.weight": float("nan")}, r"rcrl\.weight is nan"),
    ("rainbow+curl", {"curl.weight": -1.0}, r"curl\.weight is -1"),
    ("rainbow+curl", {"curl.margin": 10}, r"curl\.margin is 10, and pictures have 10 pixels: give 0 to 9"),
    ("rainbow+curl", {"curl.margin": -1}, r"curl\.margin is -1"),
    ("rainbow", {"sigma": -1.0}, "sigma is -1"),
    ("rainbow", {"low": float("-inf")}, "51 atoms from -inf to 10"),
])  # fmt: skip
def test_settings_that_make_no_sense_are_refused_before_anything_is_learned(tmp_path, method, settings, why):
    with pytest.raises(UserError, match=why):
        twofold.pretrain(
            method, "twofold/Catch-v0", out=tmp_path / "x", steps=100, learn_start=50, method_options=settings
        )
    assert not (tmp_path / "x").exists()
