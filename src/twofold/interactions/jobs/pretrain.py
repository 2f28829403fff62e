"""`pretrain` on interactions: pairs, triples, method, plan and run folder put together, and what is kept at the end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from twofold.catalog.composition import Composition, build
from twofold.errors import UserError
from twofold.interactions.evaluation.ranking import MEMORY
from twofold.interactions.graph import Bipartite
from twofold.interactions.jobs.draws import Draws
from twofold.interactions.jobs.evaluate import below_floors, measure, open_data, table
from twofold.interactions.jobs.monitor import METRIC, BestEpoch
from twofold.interactions.jobs.samples import SAMPLES_FILE, write_samples
from twofold.interactions.jobs.settle import SPARSE, settle
from twofold.interactions.jobs.store import ranker_of, write_data, write_model
from twofold.interactions.methods.lightgcn import LightGCN
from twofold.interactions.ragged import Ragged
from twofold.interactions.reading.splits import Interactions, fingerprint
from twofold.interactions.reading.titles import read_titles
from twofold.interactions.views.triples import Triples
from twofold.randomness import derive
from twofold.runs.environment import environment, versions
from twofold.runs.folder import RunFolder
from twofold.seam import Monitor, Situation
from twofold.training.distribution import make_fabric, together
from twofold.training.loop import train
from twofold.training.plan import Plan

if TYPE_CHECKING:
    from lightning_fabric import Fabric

HARMLESS = ("log_every", "save_every", "quiet", "report", "out", "devices", "nodes", "titles")


def run(composition: Composition, given: Mapping[str, Any]) -> Path:
    """Train, keep the best epoch, measure it on the test part beside its floors; see `api.pretrain`."""
    data = open_data(given)
    settled = settle(given, composition, data)
    if not composition.trained:
        return _rank(composition, given, settled, data)
    fabric = make_fabric(given["devices"] or "auto", num_nodes=given["nodes"])
    fabric.launch()
    with together(fabric):
        return _train(composition, given, settled, data, fabric)


def make_plan(settled: Mapping[str, Any]) -> Plan:
    """The training plan of settled settings."""
    return Plan(
        batch_size=settled["batch_size"],
        epochs=settled["epochs"],
        steps=settled["steps"],
        seed=settled["seed"],
        optimizer=settled["optimizer"],
        lr=settled["lr"],
        weight_decay=settled["weight_decay"],
        schedule="constant",
        log_every=settled["log_every"] or 100,
        save_every_seconds=settled["save_every"],
        unit="triples",
    )


def _rank(composition: Composition, given: Mapping[str, Any], settled: dict[str, Any], data: Interactions) -> Path:
    """A ranker without training: its data kept, and what it is worth."""
    folder, titles = Path(settled["out"]), read_titles(settled["titles"]) if settled["titles"] else None
    nothing = Bipartite(torch.empty(0, 2, dtype=torch.int64), 1, 1)  # enough to check and complete the settings
    settled["method_options"] = ranker_of(composition, nothing, given["method_options"] or {})[1]
    _same_data(folder, data)
    about = {**environment(), "pairs": len(data.train), "fingerprint": fingerprint(data)}
    out = RunFolder.open(folder, settled, environment=about, harmless=HARMLESS)
    if not settled["quiet"]:
        for line in [*_about(settled, data), "Nothing is trained: a formula over the pairs ranks."]:
            out.say(line)
    _finish(out, settled, data, titles)
    out.close()
    return folder


def _train(
    composition: Composition,
    given: Mapping[str, Any],
    settled: dict[str, Any],
    data: Interactions,
    fabric: Fabric,
) -> Path:
    folder, seed, plan = Path(settled["out"]), settled["seed"], make_plan(settled)
    pairs = torch.from_numpy(data.train)
    length = plan.length(len(pairs))
    titles = read_titles(settled["titles"]) if settled["titles"] else None
    torch.manual_seed(derive(seed, "weights"))
    situation = Situation(len(pairs), plan.batch_size, fabric.world_size, length.steps)
    learned = cast(Any, Bipartite(pairs, data.users, data.items))
    recipe, options = composition.recipes[settled["recipe"]], given["method_options"] or {}
    method, settled["method_options"] = build(composition, learned, situation, recipe, options)
    triples = Triples(pairs.to(fabric.device), data.users, data.items, sampling=method.sampling, seed=seed)
    draws = Draws(len(pairs))

    _same_data(folder, data)
    about = {**environment(), "pairs": len(data.train), "fingerprint": fingerprint(data)}
    out = RunFolder.open(folder, settled, environment=about, writer=fabric.is_global_zero, harmless=HARMLESS)
    chosen = data.test if settled["select_on"] == "test" else data.valid
    seen = _seen(data, validated=settled["select_on"] == "test")
    best = None
    if chosen is not None and len(chosen):
        relevant, every = Ragged.of(chosen, data.users), settled["eval_every"]
        best = BestEpoch(folder, seen, relevant, every_epochs=every, patience=settled["patience"])
    monitors: list[Monitor] = [best] if best else []
    if not settled["quiet"]:
        for line in _header(settled, data, triples, method, plan, situation, fabric, best):
            out.say(line)
    outcome = train(method, draws, triples, plan, out, fabric, monitors, quiet=settled["quiet"])
    if fabric.is_global_zero and not (outcome.finished_before and (folder / SAMPLES_FILE).exists()):
        if best:
            epoch = best.restore(cast(LightGCN, method))
            out.say(f"The best epoch by {METRIC} on the {settled['select_on']} part is {epoch}; its tables are kept.")
        write_model(folder, cast(LightGCN, method))
        rows = _finish(out, settled, data, titles)
        if warning := below_floors(rows):
            out.warn(warning)
    elif fabric.is_global_zero and titles:  # perhaps given to a run that had finished without them
        write_samples(folder, seed, titles)
        _report(out, settled)
    out.close()
    return folder


def _finish(
    out: RunFolder, settled: Mapping[str, Any], data: Interactions, titles: Mapping[str, str] | None
) -> list[dict[str, Any]]:
    """Keep the data's ids and pairs, measure on the test part beside the floors, and write samples and report."""
    write_data(out.path, data)
    rows: list[dict[str, Any]] = []
    if data.test is not None and len(data.test):
        rows = measure(out.path, data, quiet=settled["quiet"])
        out.add_evaluation({**row, "seed": settled["seed"], "data": str(settled["data"])} for row in rows)
        out.say(table(rows))
    write_samples(out.path, settled["seed"], titles)
    _report(out, settled)
    return rows


def _about(settled: Mapping[str, Any], data: Interactions) -> list[str]:
    return [
        f"twofold {versions()['twofold']}: {settled['method']} on {settled['data']} -> {settled['out']}",
        f"data: {len(data.train):,} pairs of {data.users:,} users and {data.items:,} items to learn from",
        *data.notes,
    ]


def _seen(data: Interactions, *, validated: bool) -> Ragged:
    """What is not recommended again: the training pairs, and those of validation where the test part is asked about."""
    parts = [data.train, *([data.valid] if validated and data.valid is not None else [])]
    return Ragged.of(np.concatenate(parts), data.users)


def _header(
    settled: Mapping[str, Any],
    data: Interactions,
    triples: Triples,
    method: LightGCN,
    plan: Plan,
    situation: Situation,
    fabric: Fabric,
    best: BestEpoch | None,
) -> list[str]:
    lines = [
        *_about(settled, data),
        f"engine: {fabric.world_size} x {fabric.device.type}, fp32",
        f"memory: about {memory_estimate(data, method) / 1e6:,.0f} MB for pairs, graphs, tables and a step, and "
        f"{ranking_estimate(data) / 1e6:,.0f} MB while ranking",
        *plan.describe(situation.count),
        *method.notes(situation),
    ]
    pairs_each = len(data.train) / max(len(triples.active), 1)
    if settled["recipe"] == "default" and settled["method"] != "bpr-mf" and pairs_each < SPARSE:
        lines.append(f"{pairs_each:.1f} pairs a user are few: --recipe sparse may rank much better.")
    if triples.skipped:
        lines.append(f"{triples.skipped:,} users have every item and are left out of training.")
    if best is None:
        lines.append("No validation part: the last epoch is kept, and nothing ends the run early.")
    elif settled["select_on"] == "test":
        lines.append("The epoch is selected on the test part, as papers do: its numbers flatter.")
    return lines


def memory_estimate(data: Interactions, method: LightGCN) -> float:
    """Bytes that training takes: what is held (pairs and their keys, graphs, tables with gradients and Adam's state),
    and the greater of what drawing a graph and what a step take for a while."""
    pairs, nodes = len(data.train), data.users + data.items
    table = 4.0 * nodes * method.backbone.width
    views = 2 if hasattr(method, "augmentation") else 0
    apart = method.layers if getattr(method, "augmentation", "") == "rw" else 1
    graphs = (1 if method.layers else 0) + views * apart
    held = 24.0 * pairs + graphs * (16.0 * pairs + 4.0 * nodes) + 4 * table
    return held + max(110.0 * pairs if graphs else 0.0, (5 + 2 * views) * table)


def ranking_estimate(data: Interactions) -> float:
    """Bytes that ranking takes on top: scores of some users, and the graph filter with its sparse matrices."""
    return MEMORY + 24.0 * len(data.train) + 512.0 * (2 * data.items + data.users)


def _same_data(folder: Path, data: Interactions) -> None:
    """Refuse to go on with a run whose data has changed."""
    try:
        before = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if before.get("fingerprint", fingerprint(data)) != fingerprint(data):
        raise UserError(f"The data, or how it is split, has changed since the run in {folder} began: give a new --out.")


def _report(out: RunFolder, settled: Mapping[str, Any]) -> None:
    if settled["report"]:
        from twofold.page import build_or_say

        out.say(build_or_say(out.path))
    out.say(f"use it with: twofold recommend {out.path}")
