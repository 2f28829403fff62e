"""Returns foretold from the features of states: linear and kNN probes on episodes not seen, beside their floors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from twofold.control.episode import Episode
from twofold.control.evaluation.probe import ProbeResult, knn_probe, ridge_probe
from twofold.control.evaluation.returns import targets_of
from twofold.control.experience.replay import Shape
from twofold.control.experience.stacking import Stack
from twofold.control.nets.saved import StatesToFeatures, untrained
from twofold.control.reading.remarks import copies
from twofold.errors import UserError
from twofold.randomness import derive
from twofold.runs.screen import progress_bar

PIXELS = 24  # of a side, to which the floor of pixels shrinks the newest frame
Features = NDArray[np.float32]


@dataclass(frozen=True)
class Asked:
    """protocols: of linear and knn. gamma: of the returns. k: neighbours."""

    protocols: Sequence[str]
    gamma: float = 0.97
    k: int = 10
    seed: int = 0
    batch_size: int = 256
    floors: bool = True
    quiet: bool = False


def foretell(
    encoder: StatesToFeatures,
    name: str,
    learned: Sequence[Episode],
    asked_about: Sequence[Episode],
    data: str,
    asked: Asked,
    *,
    fingerprint: str,
) -> list[dict[str, Any]]:
    """The share of the returns' variance that is foretold (R2), as evaluation.json keeps it.

    learned: episodes whose returns the probes learn; asked_about: others.
    """
    check_fits(encoder, learned[0], data)
    sides: dict[str, Any] = {name: encoder}
    if asked.floors:
        sides["untrained network"] = untrained(encoder, derive(asked.seed, "floor"))
        sides["pixels" if encoder.world.pixels else "raw vectors"] = None
    targets = [targets_of(part, asked.gamma) for part in (learned, asked_about)]
    same, rows = copies(asked_about, learned), list[dict[str, Any]]()
    note = f"; {same:,} of the {len(asked_about):,} episodes asked about are among the learned ones" if same else ""
    for side, network in sides.items():
        features = [_features(network, encoder, part, side, asked) for part in (learned, asked_about)]
        for protocol in asked.protocols:
            found = _probe(protocol, features, targets, asked)
            rows.append(_row(side, protocol, found, data, asked, fingerprint, note, floor=network is not encoder))
    return rows


def check_fits(encoder: StatesToFeatures, episode: Episode, data: str) -> None:
    """Refuse, by a UserError, episodes of other frames than the encoder takes."""
    frame = tuple(episode.observations.shape[1:])
    if frame != encoder.world.frame:
        raise UserError(
            f"{data} has observations of {' x '.join(map(str, frame))}, and the encoder learned from "
            f"{' x '.join(map(str, encoder.world.frame))}: give episodes of the same environment and size."
        )


def states_of(episode: Episode, shape: Shape) -> Iterator[NDArray[np.generic]]:
    """The state of each step of an episode."""
    stack = Stack(shape)
    for t in range(len(episode)):
        (stack.push if t else stack.begin)(episode.observations[t])
        yield stack.state


@torch.no_grad()
def features_of(
    encoder: StatesToFeatures, episode: Episode, batch_size: int, device: torch.device | str = "cpu"
) -> Features:
    """Features of every step's state, float32 (T, width)."""
    world = encoder.world
    shape = Shape(world.frame, world.pixels, 0 if world.discrete else world.actions, world.stack)
    states = np.stack(list(states_of(episode, shape)))
    found = [encoder(torch.from_numpy(part).to(device)).float().cpu() for part in _parts(states, batch_size)]
    return torch.cat(found).numpy()


def _parts(states: NDArray[np.generic], size: int) -> Iterator[NDArray[np.generic]]:
    return (states[start : start + size] for start in range(0, len(states), size))


def _features(
    network: StatesToFeatures | None, encoder: StatesToFeatures, episodes: Sequence[Episode], side: str, asked: Asked
) -> Features:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = list[Features]()
    moved = network.to(device) if network is not None else None
    with progress_bar(f"features of {side}", asked.quiet) as on_progress:
        for number, episode in enumerate(episodes):
            if moved is None:
                found.append(_raw(episode))
            else:
                found.append(features_of(moved, episode, asked.batch_size, device))
            on_progress(number + 1, len(episodes))
    return np.concatenate(found)


def _raw(episode: Episode) -> Features:
    """What is seen itself: vectors, or pictures shrunk to at most 24 pixels a side."""
    seen = torch.from_numpy(np.ascontiguousarray(episode.observations[: len(episode)])).float()
    if seen.ndim == 4 and max(seen.shape[2:]) > PIXELS:
        seen = F.adaptive_avg_pool2d(seen, (min(seen.shape[2], PIXELS), min(seen.shape[3], PIXELS)))
    return seen.flatten(1).numpy()


def _probe(protocol: str, features: Sequence[Features], targets: Sequence[Any], asked: Asked) -> ProbeResult:
    (values, known, episode), (test_values, test_known, _) = targets
    train, test = features[0][known], features[1][test_known]
    if protocol == "linear":
        return ridge_probe(train, values[known], episode[known], test, test_values[test_known])
    episodes = len(np.unique(episode[known]))
    return knn_probe(train, values[known], test, test_values[test_known], k=asked.k, episodes=episodes)


def _row(
    side: str, protocol: str, found: ProbeResult, data: str, asked: Asked, fingerprint: str, note: str, *, floor: bool
) -> dict[str, Any]:
    how = f"returns of gamma {asked.gamma:g}, {found.describe()}{note}"
    return {
        "protocol": protocol,
        "metric": "R2",
        "name": side,
        "value": found.r2,
        "floor": floor,
        "data": data,
        "seed": asked.seed,
        "settings": f"k {asked.k}" if protocol == "knn" else "ridge",
        "conditions": {"how": how},
        "fingerprints": {"data": fingerprint},
    }


def foretold_table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as text: a line for each that was asked, a column for each protocol."""
    protocols = list(dict.fromkeys(row["protocol"] for row in rows))
    names = list(dict.fromkeys(row["name"] for row in rows))
    values = {(row["name"], row["protocol"]): row["value"] for row in rows}
    lines = [["R2 of the return", *protocols]]
    lines += [[name, *(f"{values[name, p]:.3f}" if (name, p) in values else "-" for p in protocols)] for name in names]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*text, rows[0]["conditions"]["how"]])
