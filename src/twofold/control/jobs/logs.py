"""An encoder learns from logged episodes: put together, trained, asked about episodes it has not seen, and written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from twofold.catalog.composition import Composition
from twofold.control.episode import Episode
from twofold.control.evaluation.probe import split_episodes
from twofold.control.experience.cutting import looks_sparse
from twofold.control.jobs.acting import engine, hold, stored_returns
from twofold.control.jobs.agent_file import shape_of
from twofold.control.jobs.foretelling import Asked, foretell, foretold_table
from twofold.control.jobs.log_stream import LogStream, filled
from twofold.control.jobs.settle import logged_plan, settle_logged, stack_for
from twofold.control.methods.agent import Agent
from twofold.control.nets.saved import ENCODER_FILE, StatesToFeatures, save_encoder
from twofold.control.options import Log as LogOptions
from twofold.control.options import Pretrain
from twofold.control.reading import Log, read_episodes
from twofold.control.report.sections import SECTIONS
from twofold.control.world import World
from twofold.errors import UserError
from twofold.methods.build import build
from twofold.printable import say
from twofold.randomness import derive
from twofold.runs.screen import progress_bar
from twofold.seam import Situation
from twofold.training.plan import Plan
from twofold.training.session import Session

if TYPE_CHECKING:
    from lightning_fabric import Fabric

FEWEST = 5  # episodes, of which some can be set aside
SHOWN = {
    "epoch": "epoch {:.4g}",
    "loss": "loss {:.4g}",
    "rcrl_near": "cosine of the same return {:.2f}",
    "rcrl_far": "of others {:.2f}",
    "steps_per_second": "{:,.0f} steps/s",
}
PROTOCOLS = ("linear", "knn")


@dataclass(frozen=True)
class Work:
    """Everything that a run needs. aside: episodes that nothing is learned from."""

    composition: Composition
    data: str
    settings: Pretrain
    log: Log
    learned: Sequence[Episode]
    aside: Sequence[Episode]
    method: Agent
    stream: LogStream
    plan: Plan
    situation: Situation
    fabric: Fabric


def run_logged(composition: Composition, data: str, options: Pretrain, alone: bool) -> Path:
    """See `pretrain.run`."""
    log = opened(data, options)
    aside = opened(options.test, options).episodes if options.test else None
    with engine() as fabric:
        return _train(_put_together(composition, data, options, log, aside, fabric), alone)


def opened(data: str, options: LogOptions) -> Log:
    """The episodes of a path, read as the options say."""
    return read_episodes(
        data,
        reward_shift=options.reward_shift,
        on_nan=options.on_nan,
        layout=options.layout,
        observation=options.observation,
    )


def parted(episodes: Sequence[Episode], share: float, seed: int) -> tuple[list[Episode], list[Episode]]:
    """(episodes to learn from, episodes set aside), whole ones, drawn by the seed; none aside of fewer than 5."""
    if share <= 0 or len(episodes) < FEWEST:
        return list(episodes), []
    learned, aside = split_episodes(len(episodes), seed, share)
    return [episodes[i] for i in learned], [episodes[i] for i in aside]


def world_of_log(episodes: Sequence[Episode], stack: int) -> World:
    """What is seen and done in logged episodes. Actions to choose from are as many as the largest says."""
    first = episodes[0]
    frame = tuple(first.observations.shape[1:])
    discrete = first.actions.ndim == 1
    count = max(int(e.actions.max()) for e in episodes if len(e)) + 1 if discrete else first.actions.shape[1]
    return World(frame, len(frame) == 3, count, discrete, stack)


def _put_together(
    composition: Composition,
    data: str,
    options: Pretrain,
    log: Log,
    test: Sequence[Episode] | None,
    fabric: Fabric,
) -> Work:
    learned, aside = (log.episodes, test) if test is not None else parted(log.episodes, options.holdout, options.seed)
    pixels = log.episodes[0].observations.ndim == 4
    name = next(iter(composition.recipes)) if options.recipe == "auto" else options.recipe
    stack = stack_for(options, composition.recipe(name), pixels and log.episodes[0].observations.shape[1] <= 3)
    world = world_of_log([*learned, *aside], stack)
    count = sum(len(episode) for episode in learned)
    if count < 2:
        raise UserError(f"{data} holds {count} step{'' if count == 1 else 's'} to learn from: give whole episodes.")
    settings = settle_logged(options, composition, world, data, count)
    recipe, plan = composition.recipe(name), logged_plan(settings, composition.recipe(name).plan)
    situation = Situation(count, plan.batch_size, 1, plan.length(count).steps)
    torch.manual_seed(derive(settings.seed, "weights"))
    method, chosen = build(composition, world, situation, recipe, settings.method_options or {})
    assert isinstance(method, Agent)
    method.dense = not looks_sparse(np.concatenate([episode.rewards for episode in learned]))
    shape = shape_of(method)
    hold(count * shape.row_bytes, count)
    with progress_bar("laying out the episodes", settings.quiet) as on_progress:
        replay = filled(learned, method, shape, on_progress)
    stream = LogStream(replay, method, settings.seed)
    settings = replace(settings, method_options=chosen)
    return Work(composition, data, settings, log, learned, aside, method, stream, plan, situation, fabric)


def _train(work: Work, alone: bool) -> Path:
    about = {"episodes": len(work.learned), "fingerprint": work.log.fingerprint}
    session = Session.open(work.composition, work.data, work.settings, about, fabric=work.fabric)
    folder, path = session.folder, session.path
    session.announce(_header(work))
    outcome = session.train(work.method, work.stream, lambda batch, epoch: batch.views(), work.plan, [], SHOWN)
    folder.list_unreadable(work.log.unreadable)
    if not (outcome.finished_before and (path / ENCODER_FILE).exists()):
        encoder = StatesToFeatures(work.method.world, cast(Any, work.method.backbone)).eval()
        save_encoder(encoder, path / ENCODER_FILE, {"method": work.composition.name, "environment": None})
        folder.save_arrays("returns", **stored_returns(work.stream.replay))
        if work.aside:
            rows = _asked(work, encoder)
            folder.add_evaluation(rows)
            if alone:
                folder.say(foretold_table(rows))
        advice = f"encoder: {path / ENCODER_FILE}; use it with: twofold embed {path} EPISODES"
        session.finish(SECTIONS, advice if alone else "")
    else:
        session.finish_again(SECTIONS)
    folder.close()
    return path


def _asked(work: Work, encoder: StatesToFeatures) -> list[dict[str, Any]]:
    """How well returns are foretold from what was learned, on the episodes set aside."""
    settings = work.settings
    asked = Asked(PROTOCOLS, seed=settings.seed, floors=settings.floors, quiet=settings.quiet)
    data, name = settings.test or work.data, work.composition.name
    return foretell(encoder, name, work.learned, work.aside, data, asked, fingerprint=work.log.fingerprint)


def _header(work: Work) -> Iterator[str]:
    log, method = work.log, work.method
    steps = len(work.stream)
    yield f"data: {len(work.learned):,} episodes, {steps:,} steps; {method.world.in_words()}"
    yield from log.notes
    if method.world.discrete:
        yield f"Actions are 0 to {method.world.actions - 1}, as far as the log tells."
    index = work.stream.replay.segments
    if index is not None:
        kind = "sparse: cut after every reward" if index.rewards == "sparse" else "dense: cut where the return moves"
        yield f"rewards: {kind}; {len(index.table):,} segments, {index.share_lost:.1%} of the steps alone in theirs"
    if work.aside:
        where = work.settings.test or "of the log, set aside by the seed (--holdout)"
        yield f"{len(work.aside):,} episodes {where}: the encoder is asked about them at the end"
    yield f"engine: {work.fabric.device.type}, fp32; recipe {work.settings.recipe}"
    if work.settings.recipe == "paper":
        yield "Pairs are of single episodes, as in the paper: where episodes look unlike, --recipe bins may tell more."
    yield from work.plan.describe(steps)
    yield from method.notes(work.situation)


def say_notes(log: Log) -> None:
    """Say what was guessed of a log, and what could not be read."""
    for line in log.notes:
        say(line)
    if log.unreadable:
        first, why = next(iter(log.unreadable.items()))
        many = len(log.unreadable)
        what = "file or episode" if many == 1 else "files or episodes"
        say(f"{many:,} {what} left out, such as {first}: {why}.")
