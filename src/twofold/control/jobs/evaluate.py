"""`evaluate` for control: an agent plays, or an encoder foretells the returns of episodes it has not seen."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from twofold.catalog.looking import is_environment
from twofold.control.acting.evaluation import play
from twofold.control.environments.factory import build as build_environment
from twofold.control.environments.factory import world_of
from twofold.control.environments.specification import protocol
from twofold.control.evaluation.probe import split_episodes
from twofold.control.jobs.agent_file import load_agent
from twofold.control.jobs.foretelling import Asked, foretell, foretold_table
from twofold.control.jobs.logs import opened, parted, say_notes
from twofold.control.jobs.playing import at_random, greedy
from twofold.control.jobs.results import Conditions, played_rows, played_table
from twofold.control.jobs.settle import refuse_foreign
from twofold.control.nets.saved import ENCODER_FILE, StatesToFeatures, load_encoder
from twofold.control.options import Evaluate
from twofold.control.reading import Log
from twofold.control.report.sections import SECTIONS
from twofold.control.world import World
from twofold.errors import UserError, nearest
from twofold.files import write_json
from twofold.page import keep_results
from twofold.printable import say
from twofold.randomness import derive
from twofold.runs.config import read_config
from twofold.runs.folder import ENVIRONMENT_FILE
from twofold.runs.schema import read_json
from twofold.runs.screen import progress_bar

RETURNS, PROBES = "returns", ("linear", "knn")
SHARE = 0.3  # of the episodes that are asked about, where no others are given


def run(model: str, data: str, options: Evaluate) -> list[dict[str, Any]]:
    """Measure an agent or an encoder; see `api.evaluate`."""
    playing = is_environment(data)
    refuse_foreign(options, data, acts=playing)
    named = protocols_named(options.protocols, playing, data)
    rows = _play(model, data, options) if playing else _foretell(model, data, named, options)
    say(played_table(rows) if playing else foretold_table(rows))
    if options.out:
        write_json(Path(options.out), rows)
    if Path(model).is_dir():
        keep_results(Path(model), rows, SECTIONS)
    return rows


def protocols_named(listed: str | None, playing: bool, data: str) -> Sequence[str]:
    """The protocols of a list with commas. Raises UserError for one that does not suit the data."""
    able = (RETURNS,) if playing else PROBES
    names = [name.strip() for name in listed.split(",")] if listed else list(able)
    for name in names:
        if name not in (RETURNS, *PROBES):
            raise UserError(
                f'There is no protocol "{name}".{nearest(name, (RETURNS, *PROBES))} Known: returns, linear, knn.'
            )
        if name not in able:
            what = "needs an environment" if name == RETURNS else "needs logged episodes"
            raise UserError(f"{name} {what}, which {data} is not; {', '.join(able)} would do.")
    return names


def _play(model: str, data: str, options: Evaluate) -> list[dict[str, Any]]:
    folder = Path(model)
    if not folder.is_dir():
        raise UserError(f"{model} is no run folder: an agent plays from the folder of its run.")
    trained = load_agent(folder)
    spec = replace(trained.spec, id=data)
    env = build_environment(spec, options.seed)
    try:
        agent, seed = trained.agent, derive(options.seed, "evaluate")
        players = {folder.resolve().name: greedy(agent)}
        if options.floors:
            players["random actions"] = at_random(agent.world)
        _check_same_world(env, trained.agent.world, data)
        conditions = Conditions(protocol(spec), options.seed)
        rows: list[dict[str, Any]] = []
        for number, (name, act) in enumerate(players.items()):
            with progress_bar(f"{name} plays", options.quiet) as on_progress:
                played = play(
                    env,
                    trained.shape,
                    act,
                    options.episodes,
                    seed=seed,
                    on_progress=on_progress,
                    drops=options.on_nan == "drop",
                )
            rows += played_rows(name, data, played, conditions, floor=number > 0)
    finally:
        env.close()
    return rows


def _check_same_world(env: Any, world: World, data: str) -> None:
    frame, pixels, actions, discrete = world_of(env)
    if (frame, pixels, actions, discrete) != (world.frame, world.pixels, world.actions, world.discrete):
        raise UserError(
            f"{data} shows {' x '.join(map(str, frame))} and takes {actions} "
            f"{'actions' if discrete else 'numbers'}, and the agent learned on {world.in_words()}: "
            f"give the environment it learned in."
        )


def _foretell(model: str, data: str, protocols: Sequence[str], options: Evaluate) -> list[dict[str, Any]]:
    encoder, name, run = open_encoder(model)
    log = opened(data, options)
    if not options.quiet:
        say_notes(log)
    if options.test:
        learned, about = log.episodes, opened(options.test, options).episodes
    else:
        learned, about = _parts(run, log, options)
    asked = Asked(protocols, options.gamma, options.k, options.seed, options.batch_size, options.floors, options.quiet)
    return foretell(encoder, name, learned, about, options.test or data, asked, fingerprint=log.fingerprint)


def open_encoder(model: str) -> tuple[StatesToFeatures, str, Path | None]:
    """(the encoder of a run folder or a file, its name, its run folder if any)."""
    path = Path(model)
    if path.is_dir():
        if not (path / ENCODER_FILE).is_file():
            why = "the run has not finished; start the same command again" if (path / "config.yaml").is_file() else ""
            raise UserError(f"{path} holds no {ENCODER_FILE}: {why or 'give a run folder'}.")
        return load_encoder(path / ENCODER_FILE)[0], path.resolve().name, path
    if not path.is_file():
        raise UserError(f"{model} is no run folder and no encoder file: give one of them.")
    return load_encoder(path)[0], path.stem, None


def _parts(run: Path | None, log: Log, options: Evaluate) -> tuple[list[Any], list[Any]]:
    """The episodes that the run set aside, where the log is the run's own; else 3 of 10 by the seed."""
    if run is not None and (own := _set_aside(run, log)) is not None:
        return own
    if len(log.episodes) < 2:
        raise UserError("One episode alone tells nothing of others: give more, or others by --test.")
    learned, about = split_episodes(len(log.episodes), options.seed, SHARE)
    return [log.episodes[i] for i in learned], [log.episodes[i] for i in about]


def _set_aside(run: Path, log: Log) -> tuple[list[Any], list[Any]] | None:
    config = read_config(run)
    share, seed = config.get("holdout"), config.get("seed")
    if _fingerprint_of(run) != log.fingerprint or not isinstance(share, float | int) or not isinstance(seed, int):
        return None
    learned, aside = parted(log.episodes, float(share), seed)
    if config.get("test") or not aside:
        say("The run has learned from these very episodes: give others by --test to see what it is worth.")
        return None
    return learned, aside


def _fingerprint_of(run: Path) -> str | None:
    """Of the data that a run learned from."""
    with contextlib.suppress(UserError):
        found = read_json(run / ENVIRONMENT_FILE)
        return found.get("fingerprint") if isinstance(found, dict) else None
    return None
