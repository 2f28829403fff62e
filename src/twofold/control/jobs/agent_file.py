"""A trained agent as a file of its run: its weights, and what it takes to make it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from twofold.control.environments.specification import Specification
from twofold.control.experience.replay import Shape
from twofold.control.jobs.settle import specification
from twofold.control.methods.agent import Agent
from twofold.control.nets.saved import ENCODER_FILE, load_encoder
from twofold.control.options import Environment, Log
from twofold.control.systems import composed
from twofold.errors import UserError
from twofold.files import write_safetensors
from twofold.methods.build import build
from twofold.pixels.backbones.weights import read_state
from twofold.runs.config import expect, read_config
from twofold.seam import Situation

AGENT_FILE = "agent.safetensors"


@dataclass(frozen=True)
class Trained:
    """An agent of a finished run, in evaluation mode. spec: the environment it learned in. config: of the run."""

    agent: Agent
    spec: Specification
    config: Mapping[str, Any]

    @property
    def shape(self) -> Shape:
        """Of what it sees."""
        return shape_of(self.agent)


def shape_of(agent: Agent) -> Shape:
    """What a replay of an agent's experience stores."""
    world = agent.world
    actions = 0 if world.discrete else world.actions
    return Shape(world.frame, world.pixels, actions, world.stack, agent.padding)


def save_agent(agent: Agent, folder: Path) -> None:
    """Write an agent's weights beside the settings of its run."""
    write_safetensors(folder / AGENT_FILE, agent.state_dict())


def load_agent(folder: Path) -> Trained:
    """The agent of a run folder. Raises UserError where the run has not finished, or holds no agent."""
    config = read_config(folder)
    expect(config, folder, method=str, data=str, recipe=str, seed=int)
    if not (folder / AGENT_FILE).is_file():
        raise UserError(
            f"{folder} holds no {AGENT_FILE}: its run learned from a log, or has not finished; an agent plays."
        )
    composition = composed(config["method"])
    if composition.imports:
        raise UserError(f"{folder} names code of its own ({composition.name}), which is not run for its sake.")
    world = load_encoder(folder / ENCODER_FILE)[0].world
    known = {name: config[name] for name in Environment.names() if name in config}
    seen = {name: config[name] for name in ("layout", "observation") if config.get(name)}
    spec = specification(config["data"], Environment(**known), Log(**seen))
    given = cast(dict[str, Any], config.get("method_options") or {})
    agent, _ = build(composition, world, Situation(1, 2), composition.recipe(config["recipe"]), given)
    try:
        agent.load_state_dict(read_state(folder / AGENT_FILE))
    except RuntimeError as error:
        raise UserError(
            f"{folder / AGENT_FILE} does not hold the weights of {composition.name}: train anew."
        ) from error
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Trained(agent.to(device).eval(), spec, config)
