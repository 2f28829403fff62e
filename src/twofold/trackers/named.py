"""Trackers by name: ours, and those that installed packages offer."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from twofold.errors import UserError, clause, nearest
from twofold.trackers.tracker import Tracker

GROUP = "twofold.trackers"
NONE = "none"


@dataclass(frozen=True)
class _Ours:
    """package: what has to be installed, under the name that it is imported by; install: the words for that."""

    path: str
    package: str
    install: str


OURS = {
    "tensorboard": _Ours("twofold.trackers.tensorboard:TensorBoard", "tensorboardX", "pip install tensorboardX"),
    "wandb": _Ours("twofold.trackers.wandb:WeightsAndBiases", "wandb", 'pip install "twofold[wandb]"'),
    "mlflow": _Ours("twofold.trackers.mlflow:MLflow", "mlflow", 'pip install "twofold[mlflow]"'),
}


def names_in(log: str) -> list[str]:
    """The names in a value of --log, each once; none in "none"."""
    names = dict.fromkeys(name.strip() for name in log.split(","))
    return [name for name in names if name and name != NONE]


def require(log: str) -> None:
    """Refuse, by a UserError, a name that is no tracker's, or a tracker whose package is not there."""
    for name in names_in(log):
        maker(name)


def maker(name: str) -> Callable[[], Tracker]:
    """What makes the tracker of this name. Raises UserError where there is none, or its package cannot be loaded."""
    others = _others()
    if name not in OURS and name not in others:
        known = [*OURS, *others]
        raise UserError(
            f'There is no tracker "{name}".{nearest(name, known)} Give --log one of {", ".join(known)}, or {NONE}.'
        )
    if name in OURS:
        _require_package(name, OURS[name])
        module, _, cls = OURS[name].path.partition(":")
        return cast(Callable[[], Tracker], getattr(importlib.import_module(module), cls))
    try:
        return cast(Callable[[], Tracker], others[name].load())
    except Exception as error:
        raise UserError(
            f'The tracker "{name}" cannot be loaded from {others[name].value} ({clause(error)}): mend the package '
            f"that offers it, or leave it out of --log."
        ) from error


def _others() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in OURS}


def _require_package(name: str, ours: _Ours) -> None:
    spec = importlib.util.find_spec(ours.package)
    # wandb and mlflow leave folders of their names where they are used, which Python takes for packages.
    if spec is None or spec.origin is None:
        raise UserError(f"--log {name} needs the package {ours.package}: {ours.install}.")
