"""The verbs of the toy wing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from tests.toy.data import Noise, Numbers, Small
from tests.toy.options import Pretrain
from tests.toy.sections import SECTIONS
from twofold.catalog.composition import Composition
from twofold.files import write_safetensors
from twofold.methods.build import build
from twofold.randomness import derive
from twofold.runs.folder import default_out
from twofold.seam import Situation
from twofold.training.distribution import make_fabric, together
from twofold.training.session import Session
from twofold.training.settling import plan_of, settle_training


def pretrain(composition: Composition, data: str, options: Pretrain) -> Path:
    """Train, and keep the network."""
    numbers = Numbers(data)
    recipe = composition.recipe("default" if options.recipe == "auto" else options.recipe)
    settings = replace(
        options,
        kind=composition.kind,
        recipe="default",
        out=options.out or default_out(composition.name, data),
        batch_size=options.batch_size or recipe.plan["batch_size"],
    )
    settings = settle_training(settings, recipe.plan, len(numbers), epochs=5)
    plan = plan_of(settings, unit="rows", log_every=1)
    fabric = make_fabric(settings.devices or "auto", num_nodes=settings.nodes)
    fabric.launch()
    with together(fabric):
        torch.manual_seed(derive(settings.seed, "weights"))
        situation = Situation(len(numbers), plan.batch_size, fabric.world_size, plan.length(len(numbers)).steps)
        network = Small(numbers.rows.shape[1])
        method, chosen = build(composition, network, situation, recipe, settings.method_options or {})
        about = {"rows": len(numbers), "fingerprint": numbers.fingerprint}
        session = Session.open(composition, data, replace(settings, method_options=chosen), about, fabric=fabric)
        session.announce([f"data: {len(numbers)} rows", *plan.describe(len(numbers))])
        session.train(method, numbers, Noise(settings.noise, settings.seed), plan, [], {})
        write_safetensors(session.path / "model.safetensors", dict(network.named_parameters()))
        session.finish(SECTIONS, "that was all")
        session.folder.close()
    return session.path
