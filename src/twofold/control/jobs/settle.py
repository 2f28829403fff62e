"""From what the user gave to the value of every option: what is left open follows from the world and the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, cast

from twofold.catalog.composition import Composition
from twofold.catalog.options import Options
from twofold.catalog.settings import short_name
from twofold.catalog.wing import Recipe
from twofold.control.environments.specification import Specification
from twofold.control.evaluation.atari_scores import game_of
from twofold.control.options import Environment, Log, Pretrain
from twofold.control.world import World
from twofold.errors import UserError
from twofold.runs.folder import default_out
from twofold.training.plan import Plan
from twofold.training.settling import plan_of, settle_training

OF_LOGS = ("test", "holdout", "reward_shift", "gamma", "k")
OF_ENVIRONMENTS = (
    *(name for name in Environment.own_names() if name != "stack"),
    *("replay", "learn_start", "train_every", "eval_every", "eval_episodes", "episodes"),
)
LEAST_REPLAY = 64
LARGE = 64  # pixels of the short side, from which on pictures are as in Atari and DMControl
CURL_LITTLE = ("Pong", "Boxing", "PrivateEye", "Freeway")  # games in which CURL's authors count it 0.01


def learns_from_logs(composition: Composition) -> bool:
    """Whether a method learns without acting."""
    return short_name(composition.base) == "logged"


def refuse_foreign(options: Options, data: str, *, acts: bool) -> None:
    """Refuse, by a UserError, what was given and would change nothing: options of logged episodes for an environment,
    and the other way round."""
    usual = {own.name: own.default for own in fields(options)}
    for name in OF_LOGS if acts else OF_ENVIRONMENTS:
        if name in usual and getattr(options, name) != usual[name]:
            option = f"--{name.replace('_', '-')}"
            if acts:
                raise UserError(f"{option} is of logged episodes, and {data} is an environment: leave it out.")
            raise UserError(f"{option} is of environments, and {data} is a log of episodes: leave it out.")


def specification(env_id: str, options: Environment, log: Log | None = None) -> Specification:
    """The environment that options ask for."""
    names = {own.name for own in fields(Specification)} & set(Environment.own_names())
    asked = {name: getattr(options, name) for name in names}
    if options.action_range is not None:
        if len(options.action_range) != 2 or not options.action_range[0] < options.action_range[1]:
            raise UserError("--action-range takes the lowest and the highest value, as -1,1.")
        asked["action_range"] = tuple(options.action_range)
    log = log or Log()
    return Specification(id=env_id, layout=log.layout, observation=log.observation, **asked)


def recipe_for(composition: Composition, asked: str, world: World) -> str:
    """The recipe that suits a world where none is named."""
    if asked != "auto":
        return asked
    if world.pixels and min(world.frame[1:]) >= LARGE:
        return next(iter(composition.recipes))
    fitting = ["small"] if world.pixels else ["vectors", "small"]
    return next((name for name in fitting if name in composition.recipes), next(iter(composition.recipes)))


def stack_for(options: Pretrain, recipe: Recipe, pixels: bool) -> int:
    """Frames that make a state."""
    return options.stack or (int(recipe.plan["stack"]) if pixels else 1)


def settle_agent(options: Pretrain, composition: Composition, world: World, data: str, repeat: int) -> Pretrain:
    """The options of an agent with every value filled in. repeat: frames of a decision."""
    if options.epochs is not None:
        raise UserError("An agent has no epochs: give --steps, its decisions.")
    if (options.devices or 1) * options.nodes > 1:
        raise UserError("An agent acts and learns in one process: leave --devices and --nodes out.")
    name = recipe_for(composition, options.recipe, world)
    plan = composition.recipe(name).plan
    steps = options.steps or int(plan.get("steps", plan.get("frames", 0) // repeat))
    start = options.learn_start or max(min(int(plan["learn_start"]), steps // 5), 1)
    every = options.train_every or int(plan["train_every"])
    if start + every > steps:
        raise UserError(
            f"{steps:,} decisions end before the first update, after {start + every:,}: give more --steps, "
            f"or a smaller --learn-start."
        )
    settings = replace(
        options,
        kind=composition.kind,
        out=options.out or default_out(composition.name, data),
        recipe=name,
        steps=steps,
        stack=world.stack,
        batch_size=options.batch_size or int(plan["batch_size"]),
        replay=options.replay or max(min(int(plan["replay"]), 2 * steps), LEAST_REPLAY),
        learn_start=start,
        train_every=every,
        eval_every=options.eval_every or max(steps // 10, 1),
        clip=plan.get("clip", 0.0) if options.clip is None else options.clip,
        method_options=_with_curl_weight(options.method_options, composition, data),
    )
    return settle_training(settings, plan, steps, epochs=1)


def settle_logged(options: Pretrain, composition: Composition, world: World, data: str, count: int) -> Pretrain:
    """The options of learning from logged episodes with every value filled in. count: of steps in the log."""
    name = next(iter(composition.recipes)) if options.recipe == "auto" else options.recipe
    plan = composition.recipe(name).plan
    settings = replace(
        options,
        kind=composition.kind,
        out=options.out or default_out(composition.name, data),
        recipe=name,
        steps=options.steps or (None if options.epochs else int(plan["steps"])),
        stack=world.stack,
        batch_size=options.batch_size or min(int(plan["batch_size"]), max(count // 2, 2)),
        clip=plan.get("clip", 0.0) if options.clip is None else options.clip,
    )
    return settle_training(settings, plan, count, epochs=1)


def agent_plan(settings: Pretrain, plan: Mapping[str, Any]) -> Plan:
    """The plan of an agent's updates; those of the run are what is left after the start."""
    decisions, start, every = (cast(int, n) for n in (settings.steps, settings.learn_start, settings.train_every))
    return _plan(replace(settings, steps=(decisions - start) // every), plan, unit="steps", log_every=100)


def logged_plan(settings: Pretrain, plan: Mapping[str, Any]) -> Plan:
    """The plan of learning from logged episodes."""
    return _plan(settings, plan, unit="steps", log_every=50)


def _plan(settings: Pretrain, plan: Mapping[str, Any], *, unit: str, log_every: int) -> Plan:
    found = plan_of(settings, unit=unit, log_every=log_every)
    return replace(found, clip=settings.clip or None, eps=plan.get("eps", 1e-8))


def _with_curl_weight(asked: dict[str, Any] | None, composition: Composition, data: str) -> dict[str, Any] | None:
    """CURL's weight in the games in which its authors count it little, where the user gives none."""
    has_curl = any(short_name(path) == "curl" for path in composition.additions)
    if not has_curl or game_of(data) not in CURL_LITTLE:
        return asked
    given = asked or {}
    return given if any(name in given for name in ("curl.weight", "weight")) else {**given, "curl.weight": 0.01}
