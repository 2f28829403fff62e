"""`pretrain` on interactions: pairs, triples and method put together, trained, and what is kept at the end."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from twofold.catalog.composition import Composition
from twofold.interactions.evaluation.ranking import MEMORY, some_users
from twofold.interactions.graph import Bipartite
from twofold.interactions.jobs.evaluate import Asked, below_floors, circumstances, measure, table
from twofold.interactions.jobs.index_stream import IndexStream
from twofold.interactions.jobs.monitor import METRIC, SHOWN, BestEpoch
from twofold.interactions.jobs.parts import open_data
from twofold.interactions.jobs.samples import SAMPLES_FILE, write_samples
from twofold.interactions.jobs.settle import SPARSE, TRAINING, settle
from twofold.interactions.jobs.start import start_from, tables_digest
from twofold.interactions.jobs.store import MODEL_FILE, ranker_of, write_data, write_embeddings, write_model
from twofold.interactions.methods.als import ALS, library
from twofold.interactions.methods.lightgcn import LightGCN
from twofold.interactions.options import Pretrain
from twofold.interactions.ragged import Ragged
from twofold.interactions.reading.splits import Interactions, fingerprint
from twofold.interactions.reading.titles import read_titles
from twofold.interactions.report.sections import SECTIONS
from twofold.interactions.views.triples import Triples
from twofold.launcher import by_the_first
from twofold.methods.build import build
from twofold.randomness import derive
from twofold.runs.identity import DATA
from twofold.seam import Monitor, Situation
from twofold.training.distribution import make_fabric, together
from twofold.training.plan import Plan
from twofold.training.session import Session
from twofold.training.settling import plan_of

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def run(composition: Composition, data: str, options: Pretrain, *, alone: bool = True) -> Path:
    """Train, keep the best epoch, measure it on the test part beside its floors; see `api.pretrain`.

    alone: the run is not part of a comparison, so say its results and what to do with it. Returns the run folder.
    """
    pairs = open_data(data, options, options.seed)
    settings = settle(options, composition, pairs, data)
    if not composition.trained:
        what = f"{composition.name} of {data} in {settings.out}"
        return by_the_first(what, lambda: _rank(composition, data, settings, pairs, alone))
    fabric = make_fabric(options.devices or "auto", num_nodes=options.nodes)
    fabric.launch()
    with together(fabric):
        path = _train(composition, data, settings, pairs, fabric, alone)
        return by_the_first(f"the end of {path}", lambda: path)  # others wait for what is written last


def _rank(composition: Composition, path: str, settings: Pretrain, data: Interactions, alone: bool) -> Path:
    """A ranker that is not trained in steps: its data kept, what was fitted, and what it is worth."""
    titles = read_titles(settings.titles) if settings.titles else None
    nothing = Bipartite(torch.empty(0, 2, dtype=torch.int64), 1, 1)  # enough to check and complete the settings
    ranker, chosen = ranker_of(composition, nothing, settings.method_options or {}, settings.recipe)
    fits = isinstance(ranker, ALS)
    how = (
        f"Fitted by implicit {library().__version__}" if fits else "Nothing is trained: a formula over the pairs ranks"
    )
    session = _open(composition, path, replace(settings, method_options=chosen), data, without=TRAINING)
    session.announce([*_about(data), f"{how}."])
    if fits and not (session.path / MODEL_FILE).exists():
        learned = Bipartite(torch.from_numpy(data.train), data.users, data.items)
        als = cast(ALS, ranker_of(composition, learned, chosen)[0])
        write_embeddings(session.path, *als.fit(settings.seed))
    session.folder.finish("untrained")
    _finish(session, data, titles, alone)
    session.folder.close()
    return session.path


def _train(
    composition: Composition, path: str, settings: Pretrain, data: Interactions, fabric: Fabric, alone: bool
) -> Path:
    seed, plan = settings.seed, make_plan(settings)
    pairs = torch.from_numpy(data.train)
    length = plan.length(len(pairs))
    titles = read_titles(settings.titles) if settings.titles else None
    torch.manual_seed(derive(seed, "weights"))
    situation = Situation(len(pairs), plan.batch_size, fabric.world_size, length.steps)
    learned = Bipartite(pairs, data.users, data.items)
    recipe = composition.recipes[settings.recipe]
    method, chosen = build(composition, learned, situation, recipe, settings.method_options or {})
    begun = [start_from(settings.weights, method, data)] if settings.weights else []
    triples = Triples(pairs.to(fabric.device), data.users, data.items, sampling=method.sampling, seed=seed)

    session = _open(composition, path, replace(settings, method_options=chosen), data, fabric=fabric)
    best = _best_epoch(session.path, settings, data)
    session.announce([*_header(session, data, triples, method, plan, situation, best), *begun])
    monitors: list[Monitor] = [best] if best else []
    outcome = session.train(method, IndexStream(len(pairs)), triples, plan, monitors, SHOWN)
    if session.first and not (outcome.finished_before and (session.path / SAMPLES_FILE).exists()):
        if best:
            epoch = best.restore(method)
            part = settings.select_on
            session.folder.say(f"The best epoch by {METRIC} on the {part} part is {epoch}; its tables are kept.")
        write_model(session.path, method)
        rows = _finish(session, data, titles, alone)
        if warning := below_floors(rows, _limit(settings, best)):
            session.folder.warn(warning)
    elif session.first and titles:  # perhaps given to a run that had finished without them
        write_samples(session.path, seed, titles)
        session.finish(SECTIONS, _advice(session) if alone else "")
    elif session.first:
        session.finish_again(SECTIONS)
    session.folder.close()
    return session.path


def _limit(settings: Pretrain, best: BestEpoch | None) -> str:
    """The option that ended the run."""
    if best and best.enough:
        return "--patience"
    return "--steps" if settings.steps else "--epochs"


def make_plan(settings: Pretrain) -> Plan:
    """The training plan of settled options."""
    return plan_of(settings, unit="triples", log_every=100)


def _open(
    composition: Composition,
    path: str,
    settings: Pretrain,
    data: Interactions,
    *,
    fabric: Fabric | None = None,
    without: Collection[str] = (),
) -> Session:
    about = {"pairs": len(data.train), "fingerprint": fingerprint(data), "directory": os.getcwd()}
    if settings.weights:
        about["weights_fingerprint"] = tables_digest(settings.weights)
    changed = "The data, or how it is split,"
    # All parts have one fingerprint.
    places = {**dict.fromkeys(("val", "test"), DATA), "weights": "weights_fingerprint"}
    return Session.open(
        composition, path, settings, about, fabric=fabric, changed=changed, without=without, places=places
    )


def _best_epoch(folder: Path, settings: Pretrain, data: Interactions) -> BestEpoch | None:
    """What watches the part by which the best epoch is chosen, where there is one."""
    by_test = settings.select_on == "test"
    chosen = data.test if by_test else data.valid
    if chosen is None or not len(chosen):
        return None
    seen, relevant = _seen(data, validated=by_test), Ragged.of(chosen, data.users)
    every, patience = cast(int, settings.eval_every), cast(int, settings.patience)
    users = some_users(relevant, settings.eval_users, settings.seed)
    return BestEpoch(folder, seen, relevant, users, every_epochs=every, patience=patience)


def _finish(
    session: Session, data: Interactions, titles: Mapping[str, str] | None, alone: bool
) -> list[dict[str, Any]]:
    """Keep the data's ids and pairs, measure on the test part beside the floors, and write samples and report."""
    folder, settings = session.folder, cast(Pretrain, session.settings)
    write_data(session.path, data)
    rows: list[dict[str, Any]] = []
    if data.test is not None and len(data.test):
        asked = Asked(settings.eval_users, settings.seed)
        rows = measure(session.path, data, asked, floors=settings.floors, quiet=settings.quiet)
        rows = circumstances(rows, session.path, data, session.data, settings.seed)
        folder.add_evaluation(rows)
        if alone:
            folder.say(table(rows))
    write_samples(session.path, settings.seed, titles)
    session.finish(SECTIONS, _advice(session) if alone else "")
    return rows


def _advice(session: Session) -> str:
    return f"use it with: twofold recommend {session.path}"


def _about(data: Interactions) -> list[str]:
    pairs = f"{len(data.train):,} pairs of {data.users:,} users and {data.items:,} items"
    return [f"data: {pairs} to learn from", *data.notes]


def _seen(data: Interactions, *, validated: bool) -> Ragged:
    """What is not recommended again: the training pairs, and those of validation where the test part is ranked."""
    parts = [data.train, *([data.valid] if validated and data.valid is not None else [])]
    return Ragged.of(np.concatenate(parts), data.users)


def _header(
    session: Session,
    data: Interactions,
    triples: Triples,
    method: LightGCN,
    plan: Plan,
    situation: Situation,
    best: BestEpoch | None,
) -> Iterator[str]:
    settings, fabric = session.settings, cast("Fabric", session.fabric)
    yield from _about(data)
    yield f"engine: {fabric.world_size} x {fabric.device.type}, fp32"
    yield (
        f"memory: about {memory_estimate(data, method) / 1e6:,.0f} MB for pairs, graphs, tables and a step, and "
        f"{ranking_estimate(data) / 1e6:,.0f} MB while ranking"
    )
    yield from plan.describe(len(data.train))
    yield from method.notes(situation)
    pairs_each = len(data.train) / max(len(triples.active), 1)
    if settings.recipe == "default" and session.composition.name != "bpr-mf" and pairs_each < SPARSE:
        yield f"{pairs_each:.1f} pairs a user are few: --recipe sparse may rank much better."
    if triples.skipped:
        yield f"{triples.skipped:,} users have every item and are left out of training."
    if best is None:
        yield "No validation part: the last epoch is kept, and nothing ends the run early."
    elif best.users is not None:
        yield f"Epochs are compared by {len(best.users):,} users, drawn by the seed."
    if best and cast(Pretrain, settings).select_on == "test":
        yield "The epoch is selected on the test part, as papers do: its numbers flatter."


def memory_estimate(data: Interactions, method: LightGCN) -> float:
    """Bytes that training takes: what is kept (pairs and their keys, graphs, tables with gradients and Adam's state),
    and the greater of what drawing a graph and a step need temporarily."""
    pairs, nodes = len(data.train), data.users + data.items
    table = 4.0 * nodes * method.backbone.width
    if method.lazy:
        return 24.0 * pairs + 3 * table
    views = 2 if hasattr(method, "augmentation") else 0
    apart = method.layers if getattr(method, "augmentation", "") == "rw" else 1
    graphs = (1 if method.layers else 0) + views * apart
    kept = 24.0 * pairs + graphs * (16.0 * pairs + 4.0 * nodes) + 4 * table
    return kept + max(110.0 * pairs if graphs else 0.0, (5 + 2 * views) * table)


def ranking_estimate(data: Interactions) -> float:
    """Bytes that ranking takes on top: scores of some users, and the graph filter with its sparse matrices."""
    return MEMORY + 24.0 * len(data.train) + 512.0 * (2 * data.items + data.users)
