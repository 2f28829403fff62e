"""The plan: everything about a training run that is a number or a choice, checked before any work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from twofold.errors import UserError
from twofold.resources import require_time
from twofold.training.schedule import Kind, factor, peak_rate

FASTEST = 1000  # steps a second, more than any method does


@dataclass(frozen=True)
class Length:
    """How long a run is: optimizer steps in all, and in one pass over the data."""

    steps: int
    steps_per_epoch: int

    @property
    def epochs(self) -> int:
        """Passes over the data, a begun one counted."""
        return -(-self.steps // self.steps_per_epoch)

    def epoch(self, step: int) -> int:
        """The epoch, from 0, that a step (from 0) belongs to."""
        return step // self.steps_per_epoch


@dataclass(frozen=True)
class Plan:
    """How to train. Exactly one of epochs and steps, and exactly one of base_lr and lr, is given.

    batch_size: over all devices. scaling of base_lr: "linear" x B/256, "sqrt" x sqrt(B), "none". warmup_epochs and
    warmup_steps add up. milestones, drop: of the schedule "step", see `schedule.factor`. floor: rate from which warm-up
    starts and to which a cosine falls. eta: trust coefficient of LARS. accumulate: in how many parts a batch goes
    through the networks (the loss still sees it whole). clip: largest norm of the gradient, or None. eps: what Adam
    adds to its denominator. precision: "bf16" (autocast; weights and losses stay float32) or "fp32". strategy: what
    several devices share, the batch alone ("ddp") or weights, gradients and the optimizer's state, too ("fsdp").
    recompute: whether blocks keep their inputs alone and are run again for the gradient (activation checkpointing).
    log_every: steps between two rows of metrics. save_every: between two checkpoints. unit: what the data is counted
    in.
    """

    batch_size: int
    epochs: int | None = None
    steps: int | None = None
    seed: int = 0
    optimizer: Literal["lars", "sgd", "adam", "adamw"] = "sgd"
    base_lr: float | None = None
    lr: float | None = None
    scaling: Literal["linear", "sqrt", "none"] = "linear"
    momentum: float = 0.9
    weight_decay: float = 1e-4
    eta: float = 0.001
    schedule: Kind = "cosine"
    warmup_epochs: float = 0.0
    warmup_steps: int = 0
    milestones: tuple[int, ...] = ()
    drop: float = 0.1
    floor: float = 0.0
    clip: float | None = None
    eps: float = 1e-8
    accumulate: int = 1
    precision: Literal["bf16", "fp32"] = "fp32"
    compile: bool = False
    strategy: Literal["ddp", "fsdp"] = "ddp"
    recompute: bool = False
    log_every: int = 10
    save_every: float = 300.0
    unit: str = "items"

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise UserError("Give either epochs or steps, one of the two.")
        if (self.base_lr is None) == (self.lr is None):
            raise UserError("Give either base_lr (scaled with the batch size) or lr (as it is), one of the two.")
        if self.batch_size < 2:
            raise UserError(f"A batch of {self.batch_size} has nothing to compare with one another: give at least 2.")
        self._check_memory()
        for name in ("epochs", "steps", "accumulate", "log_every", "eta", "clip", "drop"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UserError(f"{name} is {value}, but must be above 0.")
        for name in ("base_lr", "lr", "floor", "weight_decay", "momentum", "warmup_epochs", "warmup_steps"):
            value = getattr(self, name)
            if value is not None and not (value >= 0 and math.isfinite(value)):
                raise UserError(f"{name} is {value}, but must be a number of at least 0.")

    def _check_memory(self) -> None:
        """Refuse ways to save memory that do not go together."""
        if self.strategy == "fsdp" and self.optimizer == "lars":
            raise UserError("LARS needs whole weights, and --strategy fsdp shares them out: give another --optimizer.")
        if self.strategy == "fsdp" and self.accumulate > 1:
            raise UserError("--accumulate and --strategy fsdp do not go together: give one of the two.")
        if self.compile and (self.strategy == "fsdp" or self.recompute):
            other = "--strategy fsdp" if self.strategy == "fsdp" else "--activation-checkpointing"
            raise UserError(f"--compile and {other} do not go together: give one of the two.")

    def length(self, count: int) -> Length:
        """The length of the run on so many things; the incomplete batch at the end of an epoch is left out."""
        per_epoch = count // self.batch_size
        if per_epoch == 0:
            raise UserError(
                f"A batch of {self.batch_size} is larger than the data, {count:,} {self.unit}: "
                f"give a batch size of at most {max(count, 2)}."
                if count >= 2
                else f"The data holds {count} {self.unit if count != 1 else self.unit.removesuffix('s')}, "
                f"too few to train on."
            )
        steps = self.steps if self.steps is not None else (self.epochs or 0) * per_epoch
        require_time(steps / FASTEST, f"{steps:,} steps", "give fewer epochs or steps")
        return Length(steps, per_epoch)

    @property
    def peak_lr(self) -> float:
        """The learning rate after warm-up."""
        return peak_rate(self.batch_size, base_lr=self.base_lr, lr=self.lr, scaling=self.scaling)[0]

    def rate(self, step: int, length: Length) -> float:
        """The learning rate at a step (from 0)."""
        return self.floor + (self.peak_lr - self.floor) * factor(
            step,
            steps=length.steps,
            steps_per_epoch=length.steps_per_epoch,
            schedule=self.schedule,
            warmup_steps=self._warmup(length),
            milestones=self.milestones,
            drop=self.drop,
        )

    @property
    def open_ended(self) -> bool:
        """Whether no learning rate depends on how long the run is."""
        return self.schedule == "constant" or (self.schedule == "step" and min(self.milestones, default=0) >= 0)

    def describe(self, count: int) -> list[str]:
        """The plan in sentences: the length of the run, the learning rate as arithmetic, the optimizer."""
        length = self.length(count)
        passes = length.steps / length.steps_per_epoch
        left = count - length.steps_per_epoch * self.batch_size
        lines = [
            f"{length.steps:,} steps of {self.batch_size} {self.unit} = {passes:.4g} epochs of "
            f"{length.steps_per_epoch:,} steps over {count:,} {self.unit}"
            + (f" ({left:,} left out of each epoch, others each time)" if left else "")
        ]
        text = peak_rate(self.batch_size, base_lr=self.base_lr, lr=self.lr, scaling=self.scaling)[1]
        warmup = self._warmup(length)
        text += f", warm-up over {warmup:,.4g} {'step' if warmup == 1 else 'steps'}" if warmup else ""
        if self.schedule == "step":
            marks = ", ".join(str(m if m >= 0 else length.epochs + m) for m in self.milestones)
            text += f", then x {self.drop:g} at epochs {marks}"
        else:
            cosine = f"then along a cosine to {self.floor:g}"
            rules = {"cosine": cosine, "cosine-epoch": f"{cosine}, epoch by epoch"}
            text += ", " + rules.get(self.schedule, "then constant")
        if warmup >= length.steps:
            text += " (the whole run is warm-up; give a shorter one)"
        lines.append(text)
        kind = {"lars": "LARS", "sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}[self.optimizer]
        momentum = f", momentum {self.momentum:g}" if self.optimizer in ("lars", "sgd") else ""
        bound = f", gradient norm at most {self.clip:g}" if self.clip else ""
        lines.append(f"{kind}{momentum}, weight decay {self.weight_decay:g}{bound}")
        if self.strategy == "fsdp":
            lines.append("weights, gradients and the optimizer's state are shared out among the devices (fsdp)")
        if self.recompute:
            lines.append("blocks keep their inputs alone and run again for the gradient (activation checkpointing)")
        return lines

    def _warmup(self, length: Length) -> float:
        return self.warmup_epochs * length.steps_per_epoch + self.warmup_steps
