"""One run, from its folder to its page: opened or resumed, announced, trained, and finished with what to do next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from twofold.catalog.composition import Composition
from twofold.catalog.options import Pretrain
from twofold.catalog.settings import LATER
from twofold.page import PAGE_FILE, Sections, build_or_say
from twofold.runs.environment import environment, versions
from twofold.runs.folder import RunFolder
from twofold.runs.identity import DATA
from twofold.runs.results import FILE as RESULTS_FILE
from twofold.seam import Method, Monitor, Stream, Views
from twofold.training.loop import train
from twofold.training.outcome import Outcome
from twofold.training.plan import Plan

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Session:
    """A run that is open. settings: every option with its value. fabric: None where nothing is trained."""

    composition: Composition
    data: str
    settings: Pretrain
    folder: RunFolder
    fabric: Fabric | None

    @classmethod
    def open(
        cls,
        composition: Composition,
        data: str,
        settings: Pretrain,
        about: Mapping[str, Any],
        *,
        fabric: Fabric | None = None,
        changed: str = "The data",
        without: Collection[str] = (),
        places: Mapping[str, str] = MappingProxyType({}),
    ) -> Session:
        """Begin the run in its folder, or resume the one that is there.

        about: what environment.json says of the data, with its `fingerprint`. changed: what to name as changed where
        the fingerprint differs. without: options that mean nothing in this run. places: options beside the data that
        only say where something lies, by the key of its fingerprint in `about`. Raises UserError like `RunFolder.open`.
        """
        stored = {name: value for name, value in settings.values().items() if name not in without}
        config = {"method": composition.name, "kind": composition.kind, "data": data, **stored}
        folder = RunFolder.open(
            str(settings.out),
            config,
            environment={**environment(), **about},
            data=changed,
            writer=fabric is None or fabric.is_global_zero,
            harmless=type(settings).harmless(),
            usual=type(settings).usual() | {f"method_options.{name}": value for name, value in LATER.items()},
            places={"data": DATA, **places},
            growing=type(settings).growing(),
            trackers=settings.log,
        )
        return cls(composition, data, settings, folder, fabric)

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.fabric is None or self.fabric.is_global_zero

    def announce(self, lines: Iterable[str]) -> None:
        """Say what is going to happen, where it is not to be quiet."""
        if self.settings.quiet:
            return
        version, out = versions()["twofold"], self.settings.out
        self.folder.say(f"twofold {version}: {self.composition.title} on {self.data} -> {out}")
        for line in lines:
            self.folder.say(line)

    def train(
        self,
        method: Method,
        stream: Stream,
        make_views: Callable[[Any, int], Views],
        plan: Plan,
        monitors: Sequence[Monitor],
        shown: Mapping[str, str],
    ) -> Outcome:
        """Train to the end of the plan; see `loop.train`. shown: the columns to show while it runs, and how."""
        assert self.fabric is not None
        quiet = self.settings.quiet
        return train(method, stream, make_views, plan, self.folder, self.fabric, monitors, shown=shown, quiet=quiet)

    def finish_again(self, sections: Sections) -> None:
        """Make the page of a run that had ended before, where it is wanted and not there."""
        if self.settings.report and not (self.path / PAGE_FILE).is_file():
            self.finish(sections)

    def finish(self, sections: Sections, advice: str = "") -> None:
        """Make the page where it is wanted, and say what to do with the run."""
        if self.settings.report:
            self.folder.say(build_or_say(self.path, sections))
        for name in (RESULTS_FILE, PAGE_FILE):
            self.folder.trackers.attach(name)
        if advice:
            self.folder.say(advice)
