"""An encoder as a file: its weights, and in the metadata what it takes and how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from twofold.control.nets.actor_critic import StateEncoder
from twofold.control.nets.crops import centre_crop
from twofold.control.nets.encoders import NETWORKS, Encoder
from twofold.control.world import World
from twofold.errors import UserError
from twofold.files import write_safetensors
from twofold.pixels.backbones.loading import hold
from twofold.pixels.backbones.weights import read_state
from twofold.runs.schema import fits

ENCODER_FILE = "encoder.safetensors"
_MOST = 4096  # of anything that a file says of sizes
_ENCODER: dict[str, Any] = {"network": str, "hidden": int, "features": int | None, "state": list[int]}
_WORLD: dict[str, Any] = {"frame": list[int], "pixels": bool, "actions": int, "discrete": bool, "stack": int}


class StatesToFeatures(nn.Module):
    """States (B, *world.state), uint8 pictures or float32 vectors -> features (B, `width`); as an agent sees them when
    it acts: what is larger than its encoder takes is cropped in the middle."""

    def __init__(self, world: World, network: Encoder | StateEncoder) -> None:
        super().__init__()
        self.world, self.network, self.width = world, network, network.width

    @property
    def seen(self) -> tuple[int, ...]:
        """The shape of what the network takes."""
        return (self.network if isinstance(self.network, Encoder) else self.network.layers).state

    def forward(self, states: Tensor) -> Tensor:
        if self.world.pixels and tuple(states.shape[1:]) != self.seen:
            states = centre_crop(states, *self.seen[1:])
        return self.network(states)

    def blueprint(self) -> dict[str, Any]:
        """What it takes to make the network again."""
        layers = self.network if isinstance(self.network, Encoder) else self.network.layers
        features = self.network.width if isinstance(self.network, StateEncoder) else None
        return {"network": layers.network, "hidden": layers.hidden, "features": features, "state": list(layers.state)}


def save_encoder(encoder: StatesToFeatures, path: Path, facts: Mapping[str, Any]) -> None:
    """Write the weights as safetensors, with what it takes to use them as JSON in the metadata."""
    about = {"twofold": version("twofold"), "world": asdict(encoder.world), "encoder": encoder.blueprint(), **facts}
    write_safetensors(path, encoder.network.state_dict(), {key: json.dumps(value) for key, value in about.items()})


def load_encoder(path: Path) -> tuple[StatesToFeatures, dict[str, Any]]:
    """An encoder in evaluation mode, and what its file says. Raises UserError for a file that twofold did not write."""
    about = _metadata(path)
    world, blueprint = _world(path, about), about.get("encoder")
    if not isinstance(blueprint, dict) or not all(fits(blueprint.get(name), kind) for name, kind in _ENCODER.items()):
        raise UserError(f"{path} is damaged (its encoder cannot be meant): write the file again.")
    sizes = [*blueprint["state"], blueprint["hidden"], blueprint["features"] or 1]
    if blueprint["network"] not in NETWORKS or not all(0 < size <= _MOST for size in sizes):
        raise UserError(f"{path} is damaged (its encoder cannot be meant): write the file again.")
    hold(path, blueprint["network"], lambda: _made(blueprint))
    network = _made(blueprint)
    try:
        network.load_state_dict(read_state(path))
    except RuntimeError as error:
        raise UserError(f"{path} does not hold the weights of the encoder it names.") from error
    return StatesToFeatures(world, network).eval(), about


def untrained(encoder: StatesToFeatures, seed: int) -> StatesToFeatures:
    """The same network with random weights: a floor."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return StatesToFeatures(encoder.world, _made(encoder.blueprint())).eval()


def _made(blueprint: Mapping[str, Any]) -> Encoder | StateEncoder:
    state = tuple(blueprint["state"])
    if blueprint["features"] is not None:
        return StateEncoder(state, blueprint["network"], blueprint["features"], blueprint["hidden"])
    return Encoder(state, blueprint["network"], blueprint["hidden"])


def _metadata(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            found = file.metadata() or {}
        return {name: json.loads(text) for name, text in found.items()}
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is no encoder that twofold wrote: give a run folder, or such a file.") from error


def _world(path: Path, about: Mapping[str, Any]) -> World:
    said = about.get("world")
    if not isinstance(said, dict) or not all(fits(said.get(name), kind) for name, kind in _WORLD.items()):
        raise UserError(f"{path} is damaged (its world cannot be meant): write the file again.")
    if not said["frame"] or not all(0 < size <= _MOST for size in (*said["frame"], said["actions"], said["stack"])):
        raise UserError(f"{path} is damaged (its world cannot be meant): write the file again.")
    return World(tuple(said["frame"]), said["pixels"], said["actions"], said["discrete"], said["stack"])
