"""The loop: stream -> device -> views -> losses -> updates -> after_step; nothing else happens in it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from twofold.errors import UserError
from twofold.files import is_disk_full
from twofold.nets.recomputing import recompute_blocks
from twofold.runs.folder import RunFolder
from twofold.runs.screen import Display
from twofold.seam import AnyBatch, Method, Monitor, Stream, Views
from twofold.training import fsdp
from twofold.training.asked import Asked
from twofold.training.distribution import make_ready, together
from twofold.training.interrupt import Interrupt, name_of
from twofold.training.journal import Journal
from twofold.training.outcome import Outcome, TrainingStopped
from twofold.training.plan import Length, Plan
from twofold.training.sampler import batches
from twofold.training.step import Updates, reseed

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def train(
    method: Method,
    data: Stream[AnyBatch],
    make_views: Callable[[AnyBatch, int], Views],
    plan: Plan,
    run: RunFolder,
    fabric: Fabric,
    monitors: Sequence[Monitor] = (),
    *,
    quiet: bool = False,
    shown: Mapping[str, str] | None = None,
) -> Outcome:
    """Train a method to the end of the plan, from the run folder's last checkpoint where there is one.

    The method is changed in place (moved to the device, trained). fabric must have been launched. shown: columns to be
    seen while waiting, and how they look; see `runs.screen.SHOWN`. Raises TrainingStopped where the loss is not finite
    or the disk is full, with the last good checkpoint intact; SystemExit (130, 143) after Ctrl-C and SIGTERM, with
    everything saved.
    """
    length = plan.length(len(data))
    whole, method = method, copy.deepcopy(method) if fsdp.shares_weights(fabric) else method
    make_ready(method, fabric, plan.batch_size, plan.accumulate)
    if plan.recompute and not recompute_blocks(method):
        raise UserError(
            "--activation-checkpointing runs blocks again, and this network has none that repeat: leave it out."
        )
    updates = Updates(method, plan, fabric, say=run.say)
    journal = Journal(run, whole, method, updates.optimizer, data, plan, length, fabric)
    first = journal.resume()
    if journal.finished:
        run.say(f"This run is finished: {first:,} steps of {length.steps:,} are done.")
        journal.finish()
        fsdp.gather_into(whole, method, fabric)
        return journal.outcome(finished_before=True)
    journal.show(Display(length.steps, first=first, quiet=quiet, shown=shown) if fabric.is_global_zero else None)
    if first:
        run.say(f"Going on from step {first:,} of {length.steps:,}.")
    method.train()
    with _failures_noted(run, journal), _batches(data, plan, first, length, fabric) as stream:
        with together(fabric), Interrupt() as interrupt:
            _end_at(journal.catch_up(monitors, interrupt), journal)
            for step, batch in enumerate(() if journal.enough else stream, start=first):
                progress = Asked(step, length.steps, length.epoch(step), length.epochs, plan.seed)
                # The state of torch's own generator is a function of the step too, so resuming replays nothing.
                reseed(fabric.device, plan.seed, "step", step, fabric.global_rank)
                views = make_views(batch.to(fabric.device), progress.epoch)
                method.before_step(progress)
                losses = updates(views, progress, plan.rate(step, length))
                method.after_step(progress)
                data.heed(batch, losses)
                _end_at(journal.record(progress, losses, monitors, interrupt), journal)
                if journal.enough:
                    break
        if journal.enough:
            run.say(f"Nothing more is gained: ended after step {journal.done:,} of {length.steps:,}.")
        journal.finish()
        fsdp.gather_into(whole, method, fabric)
        return journal.outcome()


def _end_at(signal: int, journal: Journal) -> None:
    """Leave where a signal has come; everything is saved."""
    if signal:
        journal.stop(name_of(signal))
        raise SystemExit(128 + signal)


@contextmanager
def _batches(
    data: Stream[AnyBatch], plan: Plan, first: int, length: Length, fabric: Fabric
) -> Iterator[Iterator[AnyBatch]]:
    """The batches of this process from step `first` on; what reads them ahead ends with the block."""
    rank, world = fabric.global_rank, fabric.world_size
    epochs = map(length.epoch, range(first, length.steps))
    stream = data.stream(batches(len(data), plan.batch_size, plan.seed, first, length.steps, rank, world), epochs)
    try:
        yield stream
    finally:
        if isinstance(stream, Generator):
            stream.close()


@contextmanager
def _failures_noted(run: RunFolder, journal: Journal) -> Iterator[None]:
    """An error that ends the run is noted in its log, a full disk in a sentence; the journal is closed in any case."""
    try:
        yield
    except Exception as error:
        if is_disk_full(error):
            raise TrainingStopped(
                f"{run.path} cannot be written (its disk is full), {journal.last_good()}: "
                f"make room and give the same command."
            ) from error
        if isinstance(error, UserError):
            run.note(str(error))
        raise
    finally:
        journal.close()
