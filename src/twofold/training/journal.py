"""What a run remembers: metrics, checkpoints, the display, the alarms."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from twofold.errors import UserError
from twofold.runs.checkpoint import Checkpoint, all_finite
from twofold.runs.environment import surroundings
from twofold.runs.events import Events
from twofold.runs.folder import Ended, RunFolder
from twofold.runs.screen import Display, print_plainly
from twofold.seam import Batch, Losses, Method, Monitor, Progress, Stream
from twofold.training.interrupt import Interrupt
from twofold.training.meter import Meter
from twofold.training.outcome import Outcome, TrainingStopped
from twofold.training.plan import Length, Plan
from twofold.training.watch import Watch

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Journal:
    """Takes in each step; at the interval it reads the numbers, writes them, looks for trouble, and saves when due."""

    def __init__(
        self,
        run: RunFolder,
        method: Method,
        optimizer: Optimizer,
        data: Stream[Batch],
        plan: Plan,
        length: Length,
        fabric: Fabric,
    ) -> None:
        self.run, self.method, self.optimizer, self.data = run, method, optimizer, data
        self.plan, self.length, self.fabric = plan, length, fabric
        self.meter, self.watch = Meter(fabric.device), Watch(method, plan)
        self.display: Display | None = None
        self.events: Events | None = None
        self.row: dict[str, float] = {}
        self.messages: set[str] = set()
        self.enough = False
        self.first = self.saved = self.done = 0
        self.earlier = 0.0
        self.begun = self.marked = self.saved_at = time.monotonic()
        self.marked_step, self.marked_waited, self.waited_before = 0, 0.0, 0.0

    def resume(self) -> int:
        """Load the last checkpoint, where there is one, into method, optimizer and metrics; the steps that are done."""
        found, here = self.run.load(), surroundings(self.fabric.world_size)
        if found is not None:
            if (found.steps, found.count) != (self.length.steps, len(self.data)):
                raise UserError(
                    f"{self.run.path} holds a run of {found.steps:,} steps on {found.count:,} {self.plan.unit}, and "
                    f"this one has {self.length.steps:,} on {len(self.data):,}: give a new --out, or the same data."
                )
            try:
                self.method.load_state_dict(found.method)
                _check_kinds(self.optimizer, found.optimizer)
                self.optimizer.load_state_dict(found.optimizer)
                self.meter.load_state_dict(found.meter)
                self.watch.load_state_dict(found.watch)
            except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
                why = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
                raise UserError(
                    f"{self.run.checkpoint_file} does not fit the method as it is now ({why}): give a new --out."
                ) from error
            changed = [
                f"{name} {was} -> {now}" for name, was in found.versions.items() if (now := here.get(name)) != was
            ]
            if changed:
                message = f"Since the checkpoint these have changed: {', '.join(changed)}; numbers may differ."
                self.run.warn(message)
            self.first, self.earlier = found.step, found.seconds
            self.row, self.enough = dict(found.row), found.enough
        if self.run.writer and self.first < self.length.steps and not self.enough:
            self.run.metrics.restore(self.first)
            self.events = Events(self.run.path / "tensorboard", self.first + 1)
        self.done = self.saved = self.marked_step = self.first
        self.begun = self.marked = self.saved_at = time.monotonic()
        self.marked_waited = self.waited_before = self.data.waited
        return self.first

    def show(self, display: Display | None) -> None:
        """Speak through this display from now on."""
        self.display = display
        if display is not None:
            self.run.echo = display.say

    def record(self, done: int, losses: Losses, monitors: Sequence[Monitor], interrupt: Interrupt) -> int:
        """Take in the step that makes `done` steps. Returns the signal that ends the run early, or 0."""
        self.done = done
        self.meter.add(losses, done)
        last, (epoch, inside) = done == self.length.steps, divmod(done, self.length.steps_per_epoch)
        due = [m for m in monitors if last or (inside == 0 and epoch % m.every_epochs == 0)]
        logged = last or bool(due) or done % self.plan.log_every == 0
        if logged:
            self._log(losses, due)
        if self.display is not None:
            self.display.step(done, self.row)
        late = time.monotonic() - self.saved_at >= self.plan.save_every
        enough = logged and any(monitor.enough for monitor in due)
        signal, save, self.enough = self._agree(interrupt.signal, late, enough, logged)
        if last or signal or save or self.enough:
            self._save()
        return 0 if last or self.enough else signal

    def outcome(self, finished_before: bool = False) -> Outcome:
        """How the run ended."""
        seconds = max(time.monotonic() - self.begun, 1e-9) if not finished_before else math.inf
        return Outcome(
            steps=self.done,
            epochs=self.length.epoch(self.done - 1) + 1,
            seconds=self.earlier + (0.0 if finished_before else seconds),
            items_per_second=(self.done - self.first) * self.plan.batch_size / seconds,
            wait_share=(self.data.waited - self.waited_before) / seconds,
            metrics=self.row,
            resumed_from=self.first,
            finished_before=finished_before,
        )

    def stop(self, why: str) -> None:
        """Write down, and say, that the run was stopped early by a signal."""
        self.finish("stopped")
        self.run.say(
            f"Stopped by {why} after step {self.done:,} of {self.length.steps:,}; everything is saved, "
            f"and the same command goes on from there."
        )

    def finish(self, ended: Ended | None = None) -> None:
        """Write down how the run ended, for those who read its folder."""
        ended = ended or ("enough" if self.enough else "finished")
        self.run.finish(ended, steps=self.done, epochs=self.length.epoch(self.done - 1) + 1 if self.done else 0)

    def last_good(self) -> str:
        """Where the last good checkpoint is, as half a sentence."""
        if not self.run.checkpoint_file.exists():
            return "no checkpoint had been saved yet"
        return f"the last good checkpoint, of step {self.saved:,}, is in {self.run.checkpoint_file}"

    def close(self) -> None:
        """Leave the terminal and the files in order."""
        if self.display is not None:
            self.display.close()
            self.run.echo = print_plainly
        with contextlib.suppress(UserError):
            self.run.list_unreadable(self.data.unreadable)
        if self.events is not None:
            self.events.close()

    def _log(self, losses: Losses, due: Sequence[Monitor]) -> None:
        means = self.meter.read()
        if not all(math.isfinite(means[name]) for name in means if name.startswith("loss")):
            raise TrainingStopped(
                f"The loss is not finite from step {max(int(self.meter.first_bad), 1):,} on; {self.last_good()}: "
                f"lower the learning rate (now up to {self.plan.peak_lr:.4g}), lengthen the warm-up or try "
                f"--precision fp32, in a new folder."
            )
        row = self._timing(means["loss"]) | means
        if self.run.writer:
            self._measure(row, losses, due)
            self.run.metrics.append(row)
            if self.events is not None:
                self.events.add(row)
        self.row |= row
        self.meter.reset()
        self.marked, self.marked_step, self.marked_waited = time.monotonic(), self.done, self.data.waited

    def _timing(self, loss: float) -> dict[str, float]:
        """Where the run stands and how fast it goes."""
        now, waited = time.monotonic(), self.data.waited
        span = max(now - self.marked, 1e-9)
        return {
            "step": self.done,
            "epoch": self.done / self.length.steps_per_epoch,
            "seconds": self.earlier + now - self.begun,
            "loss": loss,
            "lr": self.plan.rate(self.done - 1, self.length),
            f"{self.plan.unit}_per_second": (self.done - self.marked_step) * self.plan.batch_size / span,
            "wait_share": min((waited - self.marked_waited) / span, 1.0),
        }

    def _measure(self, row: dict[str, float], losses: Losses, due: Sequence[Monitor]) -> None:
        """Add to the row what is measured now, and warn of what is wrong with it, once each."""
        warning = None
        if losses.rows is not None:
            measured, warning = self.watch(losses.rows, self.done, self.length.steps)
            row |= measured
        for message in [*([warning] if warning else []), *self.method.alarms(row)]:
            if message not in self.messages:
                self.messages.add(message)
                self.run.warn(message)
        length, done = self.length, self.done
        progress = Progress(done, length.steps, length.epoch(done), length.epochs, self.plan.seed)
        for monitor in due:
            row |= monitor(self.method, progress)
        self.method.train()

    def _agree(self, signal: int, late: bool, enough: bool, logged: bool) -> tuple[int, bool, bool]:
        # One process looks after every step; several agree at the interval, since each look would hold all of them up.
        if self.fabric.world_size == 1:
            return signal, late, enough
        if not logged:
            return 0, False, False
        late = late and self.fabric.is_global_zero
        flags = torch.tensor([signal, int(late), int(enough)], device=self.fabric.device)
        torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX)
        agreed, save, enough = flags.tolist()
        return agreed, bool(save), bool(enough)

    def _save(self) -> None:
        if self.run.writer:
            state = self.method.state_dict()
            if not all_finite(state):
                raise TrainingStopped(
                    f"The weights are not finite after step {self.done:,}; {self.last_good()}: "
                    f"lower the learning rate (now up to {self.plan.peak_lr:.4g}), in a new folder."
                )
            self.run.save(
                Checkpoint(
                    method=state,
                    optimizer=self.optimizer.state_dict(),
                    step=self.done,
                    steps=self.length.steps,
                    count=len(self.data),
                    seconds=self.earlier + time.monotonic() - self.begun,
                    meter=self.meter.state_dict(),
                    watch=self.watch.state_dict(),
                    row=self.row,
                    versions=surroundings(self.fabric.world_size),
                    enough=self.enough,
                )
            )
            self.run.list_unreadable(self.data.unreadable)
        self.saved, self.saved_at = self.done, time.monotonic()


def _check_kinds(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Refuse, by a ValueError, an optimizer's state that would fail in the first step only."""
    for own, other in zip(optimizer.state_dict()["param_groups"], state["param_groups"], strict=True):
        for name, value in own.items():
            if _kind(value) is not _kind(other[name]):
                raise ValueError(f"the optimizer's {name} cannot be meant")
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for number, parts in state["state"].items():
        for name, part in parts.items():
            if isinstance(part, Tensor) and part.ndim and part.shape != weights[number].shape:
                raise ValueError(f"the optimizer's {name} has another shape")
            if not isinstance(part, Tensor | int | float | None):
                raise ValueError(f"the optimizer's {name} cannot be meant")


def _kind(value: object) -> type:
    return float if type(value) is int else type(value)
