"""A small training loop whose every draw is a function of (seed, step), which can be killed and goes on exactly."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.files import write_atomically
from twofold.images.finetuning.norms import batch_norms, fix_statistics
from twofold.images.finetuning.presets import Detection, Segmentation
from twofold.printable import say
from twofold.randomness import derive
from twofold.runs.checkpoint import check_stored
from twofold.runs.screen import OnProgress
from twofold.training.interrupt import Interrupt, name_of

B = TypeVar("B")
AHEAD = 2  # batches that are read while others are learned from


@dataclass(frozen=True)
class Work(Generic[B]):
    """What is trained, and by what.

    batch_of: the batch of a step, made in another thread. loss_of: its loss, a number. prepare: called once before the
    first step of all. fixed: batch norm keeps its statistics. decays_norms: weight decay also takes batch norm's.
    tally: counts that the training makes on its way; they are kept with it.
    """

    model: nn.Module
    preset: Detection | Segmentation
    batch_of: Callable[[int], B]
    loss_of: Callable[[B], Tensor]
    prepare: Callable[[], None]
    seed: int
    fixed: bool = False
    decays_norms: bool = True
    tally: dict[str, int] = field(default_factory=dict)


@dataclass
class Keeper:
    """The checkpoint of a training: where it is (None: nowhere), what it belongs to, seconds between writing it."""

    file: Path | None
    key: str
    every: float = 120.0
    written: float = 0.0

    def read(self, work: Work[Any], optimizer: torch.optim.Optimizer) -> int:
        """Load what was kept, where there is something; the steps that are done. Raises UserError where it is
        damaged."""
        self.written = time.monotonic()
        if self.file is None or not self.file.exists():
            return 0
        try:
            check_stored(self.file)
            found = torch.load(self.file, map_location="cpu", weights_only=True)
            if found["key"] != self.key:
                raise ValueError("it belongs to something else")
            work.model.load_state_dict(found["model"])
            work.tally.update(found["tally"])
            optimizer.load_state_dict(found["optimizer"])
            return int(found["step"])
        except Exception as error:  # a damaged pickle can do anything but run
            raise UserError(f"{self.file} cannot be read as a checkpoint: remove it to begin again.") from error

    def due(self) -> bool:
        """Whether it is time to write."""
        return self.file is not None and time.monotonic() - self.written >= self.every

    def write(self, work: Work[Any], optimizer: torch.optim.Optimizer, step: int) -> None:
        """Write, whole or not at all."""
        if self.file is None:
            return
        content = {
            "key": self.key,
            "step": step,
            "model": work.model.state_dict(),
            "tally": dict(work.tally),
            "optimizer": optimizer.state_dict(),
        }
        write_atomically(self.file, lambda handle: torch.save(content, handle))
        self.written = time.monotonic()


def train(work: Work[B], keeper: Keeper, on_progress: OnProgress | None = None) -> None:
    """Train to the end, from where the keeper's checkpoint is; the model is then in training mode.

    Raises UserError where the loss is not finite, SystemExit (130, 143) after Ctrl-C and SIGTERM with everything kept.
    """
    model, preset, steps = work.model, work.preset, work.preset.iterations
    optimizer = optimizer_of(work)
    first = keeper.read(work, optimizer)
    if on_progress:
        on_progress(first, steps)
    if first == 0:
        work.prepare()
    device = next(model.parameters()).device
    with Interrupt() as interrupt, batches_ahead(work.batch_of, range(first, steps)) as batches:
        for step, batch in zip(range(first, steps), batches, strict=True):
            model.train()
            if work.fixed:
                fix_statistics(model)
            for group in optimizer.param_groups:
                group["lr"] = preset.rate(step)
            with drawing(device, work.seed, "fine-tuning step", step):
                loss = work.loss_of(batch)
                optimizer.zero_grad()
                loss.backward()
            if not bool(torch.isfinite(loss)):
                raise UserError(
                    f"The loss of {preset.name} is not finite in step {step + 1:,} at a rate of {preset.lr:g}: lower "
                    f"the rate by a smaller --train-batch, or check the labels."
                )
            optimizer.step()
            if on_progress:
                on_progress(step + 1, steps)
            stopped = interrupt.signal and step + 1 < steps
            if stopped or keeper.due() or step + 1 == steps:
                keeper.write(work, optimizer, step + 1)
            if stopped:
                kept = "everything is kept, and the same command goes on from there"
                lost = "nothing is kept, since there is no run folder and no --out"
                say(
                    f"Stopped by {name_of(interrupt.signal)} after step {step + 1:,} of {steps:,}; "
                    f"{kept if keeper.file else lost}."
                )
                raise SystemExit(128 + interrupt.signal)


def optimizer_of(work: Work[Any]) -> torch.optim.Optimizer:
    """SGD with the preset's momentum and decay."""
    preset = work.preset
    norms = {id(p) for norm in batch_norms(work.model) for p in norm.parameters()} if not work.decays_norms else set()
    weights = [p for p in work.model.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in weights if id(p) not in norms], "weight_decay": preset.weight_decay},
        {"params": [p for p in weights if id(p) in norms], "weight_decay": 0.0},
    ]
    return torch.optim.SGD([g for g in groups if g["params"]], lr=preset.lr, momentum=preset.momentum)


@contextlib.contextmanager
def drawing(device: torch.device, seed: int, *keys: int | str) -> Iterator[None]:
    """Let torch's own generators, from which torchvision and dropout draw, begin as a function of (seed, keys)."""
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(derive(seed, *keys))
        yield


@contextlib.contextmanager
def batches_ahead(batch_of: Callable[[int], B], steps: range) -> Iterator[Iterator[B]]:
    """The batches of the steps, in order, read in one thread while others are learned from."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[B]] = deque()

        def batches() -> Iterator[B]:
            for step in steps:
                while len(waiting) <= AHEAD and step + len(waiting) < steps.stop:
                    waiting.append(pool.submit(batch_of, step + len(waiting)))
                yield waiting.popleft().result()

        try:
            yield batches()
        finally:
            for future in waiting:
                future.cancel()
