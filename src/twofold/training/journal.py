"""What a run remembers: metrics, checkpoints, the display, the alarms."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from twofold.errors import UserError
from twofold.runs.checkpoint import Checkpoint
from twofold.runs.environment import surroundings
from twofold.runs.folder import RunFolder
from twofold.runs.outcome import Ended
from twofold.runs.screen import Display, Lines, print_plainly
from twofold.seam import Batch, Losses, Method, Monitor, Progress, Stream
from twofold.training import fsdp
from twofold.training.asked import Asked
from twofold.training.interrupt import Interrupt, Interrupted
from twofold.training.meter import Meter
from twofold.training.optimizer import Optimizers
from twofold.training.outcome import Outcome, TrainingStopped
from twofold.training.plan import Length, Plan
from twofold.training.resuming import taken_up
from twofold.training.watch import Watch

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Journal:
    """Takes in each step; at the interval it reads the numbers, writes them, looks for trouble, and saves when due."""

    def __init__(
        self,
        run: RunFolder,
        whole: Method,
        method: Method,
        optimizer: Optimizers,
        data: Stream[Batch],
        plan: Plan,
        length: Length,
        fabric: Fabric,
    ) -> None:
        self.run, self.whole, self.method, self.optimizer, self.data = run, whole, method, optimizer, data
        self.plan, self.length, self.fabric = plan, length, fabric
        self.meter, self.watch = Meter(fabric.device), Watch(method, plan)
        self.display: Display | None = None
        self.row: dict[str, float] = {}
        self.unmeasured: dict[str, float] = {}
        self.messages, self.enough = set[str](), False
        self.open_ended = plan.open_ended
        self.first = self.saved = self.done = 0
        self.earlier, self.measuring = 0.0, math.inf  # seconds of earlier starts, and of the last measurement
        self.marked_step, self.marked_waited, self.waited_before = 0, 0.0, 0.0

    def resume(self) -> int:
        """Load the last checkpoint, where there is one, into method, optimizer and metrics; the steps that are done."""
        parts = {
            "method": self.method,
            "optimizer": self.optimizer,
            "meter": self.meter,
            "watch": self.watch,
            "data": self.data,
        }
        found = taken_up(self.run, parts, self.length.steps, len(self.data), self.plan.unit)
        if found is not None:
            here = surroundings(self.fabric.world_size)
            changed = [
                f"{name} {was} -> {now}" for name, was in found.versions.items() if (now := here.get(name)) != was
            ]
            if changed:
                message = f"Since the checkpoint these have changed: {', '.join(changed)}; numbers may differ."
                self.run.warn(message)
            self.first, self.earlier = found.step, found.seconds
            self.row, self.enough, self.unmeasured = dict(found.row), found.enough, dict(found.unmeasured)
            self.open_ended = found.open_ended
            if found.enough and found.asked not in ({}, self.run.asked):  # measured again, it may not be enough
                self.enough, self.unmeasured = False, dict(found.row)
        self.done = self.saved = self.marked_step = self.first
        if self.run.writer and not self.finished:
            self.run.restore(self.first - bool(self.unmeasured))
        self.begun = self.marked = self.saved_at = time.monotonic()
        self.marked_waited = self.waited_before = self.data.waited
        return self.first

    def show(self, display: Display | None) -> None:
        """Speak through this display from now on."""
        self.display = display
        if display is not None:
            self.run.echo = display.say

    def record(self, progress: Asked, losses: Losses, monitors: Sequence[Monitor], interrupt: Interrupt) -> int:
        """Take in a step. Returns the signal that ends the run early, or 0."""
        self.done = done = progress.step + 1
        self.open_ended &= not progress.length_was_asked
        self.meter.add(losses, done)
        due = self._due(monitors)
        logged = done == self.length.steps or bool(due) or done % self.plan.log_every == 0
        if logged:
            self._log(losses, measured=bool(due))
        if due:
            self._measure(due, interrupt)
        return self._conclude(due, interrupt, logged)

    def catch_up(self, monitors: Sequence[Monitor], interrupt: Interrupt) -> int:
        """Measure what the last checkpoint had not measured yet. Returns the signal that ends the run early, or 0."""
        if self.unmeasured:
            self._measure(due := self._due(monitors), interrupt)
            return self._conclude(due, interrupt, logged=True)
        return 0

    @property
    def finished(self) -> bool:
        """Whether nothing is left."""
        return (self.done >= self.length.steps or self.enough) and not self.unmeasured

    def _due(self, monitors: Sequence[Monitor]) -> list[Monitor]:
        last, (epoch, inside) = self.done == self.length.steps, divmod(self.done, self.length.steps_per_epoch)
        return [m for m in monitors if last or (inside == 0 and epoch % m.every_epochs == 0)]

    def _conclude(self, due: Sequence[Monitor], interrupt: Interrupt, logged: bool) -> int:
        """Save where that is due. Returns the signal that ends the run early, or 0."""
        if self.display is not None:
            self.display.step(self.done, self.row)
        late = time.monotonic() - self.saved_at >= self.plan.save_every
        enough = logged and any(monitor.enough for monitor in due) and not self.unmeasured
        signal, save, self.enough, open_yet = self._agree(interrupt.signal, late, enough, logged)
        ended = self.done == self.length.steps or self.enough
        if ended or signal or save:
            self._save()
        return 0 if ended and not open_yet else signal

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
        if self.run.ended in (None, "stopped"):
            self.run.leave_trackers()

    def _log(self, losses: Losses, measured: bool) -> None:
        """Read the numbers of the interval; write them, but where monitors are to add theirs."""
        means = self.meter.read()
        if not all(math.isfinite(means[name]) for name in means if name.startswith("loss")):
            raise TrainingStopped(
                f"The loss is not finite from step {max(int(self.meter.first_bad), 1):,} on; {self.last_good()}: "
                f"lower the learning rate (now up to {self.plan.peak_lr:.4g}), lengthen the warm-up or try "
                f"--precision fp32, in a new folder."
            )
        row = self._timing(means["loss"]) | means | self.data.numbers()
        if self.run.writer:
            self._look(row, losses)
        self.meter.reset()
        self.marked, self.marked_step, self.marked_waited = time.monotonic(), self.done, self.data.waited
        self.row |= row
        if measured:
            self.unmeasured = row
        else:
            self._write(row)

    def _write(self, row: dict[str, float]) -> None:
        self.row |= row
        self.run.log(row)

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

    def _look(self, row: dict[str, float], losses: Losses) -> None:
        """Add to the row what the collapse watch finds, and warn of what is wrong with it, once each."""
        warning = None
        if losses.rows is not None:
            measured, warning = self.watch(losses.rows, self.done, self.length.steps)
            row |= measured
        for message in [*([warning] if warning else []), *self.method.alarms(row)]:
            if message not in self.messages:
                self.messages.add(message)
                self.run.warn(message)

    def _measure(self, due: Sequence[Monitor], interrupt: Interrupt) -> None:
        """Let the monitors complete the row and write it; where a signal comes in between it stays unmeasured.

        Saves first where a kill meanwhile would cost more than `save_every` seconds, as far as that can be told.
        """
        length, began = self.length, time.monotonic()
        if self.fabric.broadcast(began - self.saved_at + self.measuring >= self.plan.save_every):
            self._save()
        progress = Progress(self.done, length.steps, length.epoch(self.done), length.epochs, self.plan.seed)
        row, lines = dict(self.unmeasured), Lines("measuring", lambda text: self.run.echo(text, False))

        def on_progress(done: int, total: int) -> None:
            interrupt.look()
            lines(done, total)

        try:
            with fsdp.in_one_piece(self.whole, self.method, self.fabric):
                for monitor in due if self.run.writer else ():
                    monitor.on_progress = on_progress
                    row |= monitor(self.whole, progress)
        except Interrupted:
            return
        finally:
            self.whole.train()
        self.unmeasured, self.marked, self.marked_waited = {}, time.monotonic(), self.data.waited
        self.measuring = self.marked - began
        self._write(row)

    def _agree(self, signal: int, late: bool, enough: bool, logged: bool) -> tuple[int, bool, bool, bool]:
        # One process looks after every step; several agree at the interval, since each look would hold all of them up.
        if self.fabric.world_size == 1:
            return signal, late, enough, bool(self.unmeasured)
        if not logged:
            return 0, False, False, False
        late = late and self.fabric.is_global_zero
        flags = torch.tensor([signal, int(late), int(enough), int(bool(self.unmeasured))], device=self.fabric.device)
        torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX)
        agreed, save, enough, open_yet = flags.tolist()
        return agreed, bool(save), bool(enough), bool(open_yet)

    def _save(self) -> None:
        if self.run.writer or fsdp.shares_weights(self.fabric):
            checkpoint = Checkpoint(
                method=self.method.state_dict(),
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
                unmeasured=self.unmeasured,
                data=self.data.state_dict(),
                open_ended=self.open_ended and self.data.open_ended,
            )
            if not fsdp.save(self.run, checkpoint, self.fabric):
                raise TrainingStopped(
                    f"The weights are not finite after step {self.done:,}; {self.last_good()}: "
                    f"lower the learning rate (now up to {self.plan.peak_lr:.4g}), in a new folder."
                )
            self.run.list_unreadable(self.data.unreadable)
        self.saved, self.saved_at = self.done, time.monotonic()
