"""`check` for control: the environment or the log, and what a run would do with it, before it is started."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from twofold.catalog.composition import Composition
from twofold.catalog.looking import is_environment
from twofold.catalog.settings import short_name
from twofold.control.acting.player import Player
from twofold.control.environments.factory import build as build_environment
from twofold.control.environments.specification import protocol, repeat_of
from twofold.control.experience.cutting import looks_sparse
from twofold.control.experience.replay import Shape
from twofold.control.jobs.acting import hold, stacked
from twofold.control.jobs.logs import opened, say_notes, world_of_log
from twofold.control.jobs.playing import at_random
from twofold.control.jobs.settle import learns_from_logs, refuse_foreign, settle_agent, specification
from twofold.control.options import Pretrain
from twofold.control.systems import composed
from twofold.control.world import World
from twofold.printable import say
from twofold.randomness import derive, generator
from twofold.resources import bytes_in_words
from twofold.runs.screen import duration

TRIED, AGAIN = 500, 50  # decisions; those that are made a second time


def run(composition: Composition, data: str, options: Pretrain) -> dict[str, Any]:
    """Print what was found and what would happen, and return the numbers; see `api.check`."""
    refuse_foreign(options, data, acts=is_environment(data))
    return _environment(composition, data, options) if is_environment(data) else _log(data, options)


def _environment(composition: Composition, data: str, options: Pretrain) -> dict[str, Any]:
    spec = specification(data, options, options)
    env = build_environment(spec, options.seed)
    try:
        say(protocol(spec))
        world = stacked(env, composed("rainbow") if learns_from_logs(composition) else composition, options)
        say(world.in_words())
        for note in env.notes:
            say(note)
        shape = Shape(world.frame, world.pixels, 0 if world.discrete else world.actions, world.stack)
        player = Player(env, shape, lambda game: derive(options.seed, "check", game))
        tried = _try(player, world, options.seed)
    finally:
        env.close()
    say(
        f"{tried['decisions']:,} random decisions in {tried['seconds']:.2g} s ({tried['per_second']:,.0f}/s): "
        f"{tried['games']:,} whole games, rewards from {tried['lowest']:g} to {tried['highest']:g}, "
        f"{tried['paid']:.1%} of the steps earn anything"
    )
    if tried["no_number"]:
        say(
            f"{tried['no_number']:,} of these rewards are no number, the first in step {tried['first_bad']:,}: mend "
            f"the environment, or give --on-nan drop."
        )
    if not tried["repeats"]:
        say(
            "The environment does not repeat itself from the same seed: a run that is killed loses the game it was in, "
            "and no run can be made again."
        )
    numbers: dict[str, Any] = {"world": world, "protocol": protocol(spec), "tried": tried}
    suited = composed("rainbow" if world.discrete else "sac") if not _suits(composition, world) else composition
    settings = settle_agent(options, suited, world, data, repeat_of(spec))
    decisions, start, every = (int(n or 0) for n in (settings.steps, settings.learn_start, settings.train_every))
    taken = int(settings.replay or 0) * shape.row_bytes
    hold(taken, int(settings.replay or 0))
    say(
        f"\nA run would train {suited.name}{_instead(composition, suited)} by the recipe {settings.recipe} for "
        f"{decisions:,} decisions "
        f"({decisions * repeat_of(spec):,} frames), {(decisions - start) // every:,} updates of "
        f"{settings.batch_size}; its replay takes {bytes_in_words(taken)}, and acting alone about "
        f"{duration(decisions / max(tried['per_second'], 1e-9))}."
    )
    return {**numbers, "settings": {"method": suited.name, "data": data, **settings.values()}}


def _instead(asked: Composition, suited: Composition) -> str:
    if asked.name == suited.name or learns_from_logs(asked):
        return ""
    return f" (in the place of {asked.name}, which does not take such actions)"


def _suits(composition: Composition, world: World) -> bool:
    return not learns_from_logs(composition) and (short_name(composition.base) == "rainbow") == world.discrete


def _try(player: Player, world: World, seed: int) -> dict[str, Any]:
    """What random decisions meet, and whether the beginning of the first game is the same when it is played again."""
    act, draws, rewards, games = at_random(world), generator(seed, "check"), list[float](), 0
    player.begin()
    first, seen = list[Any](), player.digest
    began = time.perf_counter()
    for _ in range(TRIED):
        made = player.step(act(player.state, draws))
        rewards.append(made.reward)
        if not games and len(first) < AGAIN:
            first, seen = list(player.actions), player.digest
        if made.over:
            games += 1
            player.begin()
    seconds = time.perf_counter() - began
    player.repeat(0, first)
    found = np.asarray(rewards)
    bad = np.flatnonzero(~np.isfinite(found))
    known = np.delete(found, bad) if len(bad) < TRIED else np.zeros(1)
    return {
        "decisions": TRIED,
        "seconds": seconds,
        "per_second": TRIED / seconds,
        "games": games,
        "lowest": float(known.min()),
        "highest": float(known.max()),
        "paid": float(np.count_nonzero(known) / len(known)),
        "no_number": len(bad),
        "first_bad": int(bad[0]) + 1 if len(bad) else 0,
        "repeats": player.digest == seen,
    }


def _log(data: str, options: Pretrain) -> dict[str, Any]:
    log = opened(data, options)
    lengths = [len(episode) for episode in log.episodes]
    returns = [float(episode.rewards.sum()) for episode in log.episodes]
    rewards = np.concatenate([episode.rewards for episode in log.episodes])
    world = world_of_log(log.episodes, options.stack or 1)
    say(f"{len(lengths):,} episodes of {min(lengths):,} to {max(lengths):,} steps, {sum(lengths):,} in all")
    say(world.in_words())
    ended = sum(episode.terminated for episode in log.episodes)
    cut = sum(episode.cut for episode in log.episodes)
    say(f"{ended:,} ended by themselves, {len(lengths) - ended - cut:,} at a limit, {cut:,} just stop")
    kind = "sparse" if looks_sparse(rewards) else "dense"
    say(f"returns from {min(returns):g} to {max(returns):g}, mean {np.mean(returns):.4g}; rewards are {kind}")
    say_notes(log)
    return {"episodes": len(lengths), "steps": sum(lengths), "returns": returns, "rewards": kind, "notes": log.notes}
