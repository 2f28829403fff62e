"""One protocol from one start: trained, tested, its result kept beside its checkpoint."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
import torchvision
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.files import write_json
from twofold.images.finetuning.bodies import Start
from twofold.images.finetuning.detectors import Input
from twofold.images.finetuning.presets import Detection, Segmentation
from twofold.images.finetuning.training import Keeper, Work, drawing, train
from twofold.images.labels.records import Labelled
from twofold.runs.schema import read_json, wrong_in
from twofold.runs.screen import OnProgress


@dataclass(frozen=True)
class Situation:
    """What is the same for all starts of a protocol. usual: the preset as published; preset: as it is run."""

    protocol: str
    preset: Detection | Segmentation
    usual: Detection | Segmentation
    train: Labelled
    test: Labelled
    given: Input
    device: torch.device
    seed: int


@dataclass(frozen=True)
class Measured:
    """metrics: numbers by name, 0 to 1; what has nothing in the test set is not there. by_class: the main one's, by
    class, None where a class has nothing in the test set. notes: about the data, in words, alike for all starts."""

    metrics: dict[str, float]
    by_class: dict[str, float | None]
    notes: list[str]


class Task(Protocol):
    """A protocol on its data: `detection.DetectionTask`, `segmentation.SegmentationTask`."""

    situation: Situation

    def build(self, start: Start) -> nn.Module:
        """The model, on the CPU; new layers draw from torch's own generator."""

    def work(self, model: Any) -> Work[Any]:
        """How it is trained."""

    def finish(self, model: Any) -> None:
        """What comes between training and test."""

    def test(self, model: Any, on_progress: OnProgress | None) -> Measured:
        """The numbers of the test set."""

    def words(self, start: Start) -> list[str]:
        """How it is measured, alike for all starts."""


def measure(task: Task, start: Start, folder: Path | None, on_progress: OnProgress | None = None) -> Measured:
    """Train and test, or go on where a killed command was; the same command finds what it had finished.

    folder: where checkpoint and result are kept; None for nowhere.
    """
    situation = task.situation
    key = _key(task, start)
    stem = f"{situation.protocol}-{_plain(start.name)}-{key[:12]}"
    result = None if folder is None else folder / f"{stem}.json"
    if result is not None and (known := _known(result)) is not None:
        return known
    with drawing(torch.device("cpu"), situation.seed, "fine-tuning weights"):
        model = task.build(start).to(situation.device)
    keeper = Keeper(None if folder is None else folder / f"{stem}.ckpt", key)
    train(task.work(model), keeper, on_progress)
    task.finish(model)
    with torch.no_grad():
        found = task.test(model.eval(), on_progress)
    if result is not None:
        write_json(result, asdict(found))
        if keeper.file is not None:
            with contextlib.suppress(OSError):
                keeper.file.unlink()
    return found


def _known(file: Path) -> Measured | None:
    """A result that was kept; None where there is none, or it is damaged."""
    try:
        found = read_json(file) if file.exists() else None
    except UserError:
        return None
    return None if found is None or wrong_in(Measured, found) else Measured(**found)


def _key(task: Task, start: Start) -> str:
    """A hash of all that decides the numbers: settings, data as far as they are cheap to tell, weights, versions."""
    situation = task.situation
    parts = {
        "words": task.words(start),
        "preset": asdict(situation.preset),
        "seed": situation.seed,
        "input": asdict(situation.given),
        "data": [[one.name, one.mark, list(one.classes), list(one.names)] for one in (situation.train, situation.test)],
        "versions": [torch.__version__, torchvision.__version__],
        "network": start.backbone.blueprint(),
        "weights": digest(start.state),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def digest(state: Mapping[str, Tensor]) -> str:
    """A hash of the names and bits of tensors."""
    found = hashlib.sha256()
    for name in sorted(state):
        found.update(name.encode())
        found.update(state[name].detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _plain(name: str) -> str:
    """A name as part of a file's."""
    return "".join(c if c.isalnum() else "-" for c in name).strip("-") or "start"
