"""An agent learns in its environment: put together, trained, measured, and what is written at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from twofold.catalog.composition import Composition
from twofold.control.acting.episodes import EPISODES_FILE
from twofold.control.acting.evaluation import play
from twofold.control.acting.online import Online, Rhythm
from twofold.control.acting.player import Player
from twofold.control.environments.factory import build as build_environment
from twofold.control.environments.factory import world_of
from twofold.control.environments.specification import Specification, protocol, repeat_of
from twofold.control.experience.replay import LAST_FRAME, Replay
from twofold.control.experience.segments import OPEN
from twofold.control.jobs.agent_file import save_agent, shape_of
from twofold.control.jobs.playing import SHOWN, Playing, at_random
from twofold.control.jobs.results import Conditions, played_rows, whole_episodes
from twofold.control.jobs.settle import agent_plan, recipe_for, settle_agent, specification, stack_for
from twofold.control.methods.agent import Agent
from twofold.control.nets.saved import ENCODER_FILE, StatesToFeatures, save_encoder
from twofold.control.options import Pretrain
from twofold.control.report.sections import SECTIONS
from twofold.control.world import World
from twofold.errors import UserError
from twofold.memory import keep_freed_memory
from twofold.methods.build import build
from twofold.randomness import derive
from twofold.resources import bytes_in_words, free_memory, usable_cores
from twofold.runs.folder import RunFolder
from twofold.seam import Situation
from twofold.training.distribution import make_fabric, together
from twofold.training.plan import Plan
from twofold.training.session import Session

if TYPE_CHECKING:
    from lightning_fabric import Fabric

MOST = 0.8  # of the free memory may hold a replay
REPLAY = "replay"


@dataclass(frozen=True)
class Work:
    """Everything that a run needs."""

    composition: Composition
    data: str
    settings: Pretrain
    spec: Specification
    agent: Agent
    online: Online
    playing: Playing
    plan: Plan
    situation: Situation
    fabric: Fabric


def run_agent(composition: Composition, data: str, options: Pretrain, alone: bool) -> Path:
    """See `pretrain.run`."""
    spec = specification(data, options, options)
    env, own = build_environment(spec, options.seed), build_environment(spec, options.seed)
    try:
        world = stacked(env, composition, options)
        settings = settle_agent(options, composition, world, data, repeat_of(spec))
        with engine() as fabric:
            return _train(_put_together(composition, data, settings, spec, (env, own), world, fabric), alone)
    finally:
        env.close()
        own.close()


@contextmanager
def engine() -> Iterator[Fabric]:
    """One device for a run, with the threads and the memory that small updates in a row want."""
    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    keep_freed_memory()
    fabric = make_fabric(1)
    fabric.launch()
    with together(fabric):
        yield fabric


def stacked(env: Any, composition: Composition, options: Pretrain) -> World:
    """The world of an environment, its frames stacked as the recipe has it."""
    frame, pixels, actions, discrete = world_of(env)
    world = World(frame, pixels, actions, discrete)
    recipe = composition.recipe(recipe_for(composition, options.recipe, world))
    return replace(world, stack=stack_for(options, recipe, pixels))


def _put_together(
    composition: Composition,
    data: str,
    settings: Pretrain,
    spec: Specification,
    envs: tuple[Any, Any],
    world: World,
    fabric: Fabric,
) -> Work:
    seed, recipe = settings.seed, composition.recipes[settings.recipe]
    plan = agent_plan(settings, recipe.plan)
    capacity, updates = cast(int, settings.replay), cast(int, plan.steps)
    situation = Situation(capacity, plan.batch_size, 1, updates)
    torch.manual_seed(derive(seed, "weights"))
    agent, chosen = build(composition, world, situation, recipe, settings.method_options or {})
    assert isinstance(agent, Agent)
    shape = shape_of(agent)
    hold(capacity * shape.row_bytes, capacity)
    replay = Replay(
        capacity,
        shape,
        n_step=agent.n_step,
        gamma=agent.gamma,
        alpha=agent.alpha,
        segments=agent.index(capacity),
    )
    start, every = cast(int, settings.learn_start), cast(int, settings.train_every)
    per_epoch = max(cast(int, settings.eval_every) // every, 1)
    rhythm = Rhythm(start, every, updates, plan.batch_size, per_epoch, settings.on_nan == "drop")
    player = Player(envs[0], shape, lambda game: derive(seed, "game", game))
    online = Online(player, agent, replay, rhythm, seed=seed, folder=Path(str(settings.out)) / REPLAY)
    playing = Playing(
        envs[1],
        shape,
        Path(str(settings.out)),
        lambda: online.decisions,
        episodes=settings.eval_episodes,
        seed=seed,
        drops=rhythm.drops,
    )
    settings = replace(settings, method_options=chosen)
    return Work(composition, data, settings, spec, agent, online, playing, plan, situation, fabric)


def hold(wanted: int, capacity: int) -> None:
    """Refuse a replay that would take more than most of the free memory. wanted: bytes."""
    allowed = MOST * free_memory()
    if wanted > allowed:
        fitting = int(allowed * capacity / wanted)
        raise UserError(
            f"A replay of {capacity:,} steps would take {bytes_in_words(wanted)} of memory, and {MOST:.0%} of what is "
            f"free are {bytes_in_words(allowed)}: give a --replay of at most {fitting:,}, or a smaller --size."
        )


def _train(work: Work, alone: bool) -> Path:
    said = protocol(work.spec)
    about = {"environment": said, "fingerprint": fingerprint_of(said, work.agent.world)}
    session = Session.open(
        work.composition, work.data, work.settings, about, fabric=work.fabric, changed="The environment"
    )
    folder, path = session.folder, session.path
    work.online.warn, work.online.over = folder.warn, (path / ENCODER_FILE).exists()
    if not work.settings.quiet:
        work.online.tell = lambda text: folder.echo(text, False)
    session.announce(_header(work))
    outcome = session.train(
        work.agent, work.online, lambda batch, epoch: batch.views(), work.plan, [work.playing], SHOWN
    )
    if not (outcome.finished_before and (path / ENCODER_FILE).exists()):
        _keep(work, folder)
        advice = f"encoder: {path / ENCODER_FILE}; play on with: twofold evaluate {path} {work.data} --episodes 100"
        session.finish(SECTIONS, advice if alone else "")
    else:
        session.finish_again(SECTIONS)
    folder.close()
    return path


def _keep(work: Work, folder: RunFolder) -> None:
    """Write what is for later: the agent, its encoder, what the page shows, and the last evaluation beside chance."""
    agent, path = work.agent, folder.path
    agent.eval()
    save_agent(agent, path)
    facts = {"method": work.composition.name, "environment": protocol(work.spec)}
    encoder = StatesToFeatures(agent.world, cast(Any, agent.backbone))
    save_encoder(encoder, path / ENCODER_FILE, facts)
    if work.playing.film.frames:
        folder.save_arrays("episode", frames=np.stack(work.playing.film.frames), every=work.playing.film.every)
    folder.save_arrays("returns", **stored_returns(work.online.replay))
    last = work.playing.last
    if last:
        conditions = Conditions(protocol(work.spec), work.settings.seed, work.online.decisions)
        rows = played_rows(work.composition.name, work.data, last, conditions)
        if work.settings.floors:
            chance = play(
                work.playing.env,
                work.playing.shape,
                at_random(agent.world),
                work.settings.eval_episodes,
                seed=derive(work.settings.seed, "chance"),
                drops=work.playing.drops,
            )
            rows += played_rows("random actions", work.data, chance, conditions, floor=True)
        folder.add_evaluation(rows)
        shown = ", ".join(f"{row['name']} {row['value']:.4g}" for row in rows if row["metric"] == "return")
        folder.say(f"return at the end, {whole_episodes(len(last))}: {shown}; all are in {path / EPISODES_FILE}")
    work.online.files.remove()


def stored_returns(replay: Replay) -> dict[str, Any]:
    """The rewards and, where pairs were drawn by them, the returns to go of what is stored."""
    rows = np.arange(replay.oldest, replay.position) % replay.capacity
    steps = rows[replay.after[rows] != LAST_FRAME]
    found: dict[str, Any] = {"rewards": replay.reward[steps]}
    if replay.segments is not None:
        index = replay.segments
        known = steps[index.state[steps] != OPEN]
        found["returns"] = (index.total - index.gained)[known].astype(np.float32)
        found["edges"] = index.edges
    return found


def fingerprint_of(said: str, world: World) -> str:
    """A name for an environment as it is seen: its protocol, its states and its actions."""
    return hashlib.blake2b(f"{said} {world.in_words()}".encode(), digest_size=16).hexdigest()


def _header(work: Work) -> Iterator[str]:
    settings, online, agent = work.settings, work.online, work.agent
    rhythm, shape = online.rhythm, online.replay.shape
    decisions, repeat = cast(int, settings.steps), repeat_of(work.spec)
    yield f"environment: {protocol(work.spec)}"
    yield f"world: {agent.world.in_words()}"
    yield from work.playing.env.notes
    each = f"one each {rhythm.train_every:,} decisions" if rhythm.train_every > 1 else "one each decision"
    yield (
        f"{decisions:,} decisions = {decisions * repeat:,} frames; {rhythm.updates:,} updates of {rhythm.batch_size}, "
        f"{each} after the first {rhythm.learn_start:,}"
    )
    taken = online.replay.capacity * shape.row_bytes
    yield (
        f"replay: {online.replay.capacity:,} steps, every frame once: {bytes_in_words(taken)} of memory, and at most "
        f"as much of the disk (compressed) until the run ends"
    )
    yield f"engine: {work.fabric.device.type}, fp32; recipe {settings.recipe}"
    yield from work.plan.describe(len(online))[1:]
    yield from agent.notes(work.situation)
    yield (
        f"evaluation: every {settings.eval_every:,} decisions, {whole_episodes(settings.eval_episodes)} in another "
        f"environment; the agent of the end counts, not the best"
    )
