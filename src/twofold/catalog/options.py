"""Options, each declared once: a field of a frozen dataclass, its meaning in the string under it, its bounds beside it.

An instance is checked when it is made, whether from Python, from a command line or from a file.
"""

from __future__ import annotations

import dataclasses
import math
import os
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

from twofold.catalog.settings import BY_NAME, Setting, convert, read_meanings
from twofold.errors import UserError, nearest
from twofold.resources import require, require_time

T = TypeVar("T", bound="Options")

A_PROCESS = 200 << 20  # bytes that a process takes with torch alone in it


def option(
    default: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    harmless: bool = False,
    grows: bool = False,
    path: bool = False,
    seconds: float = 0.0,
    takes: int = 0,
) -> Any:
    """A field with its default and bounds. harmless: it may differ when a run goes on. grows: it may be more then (0:
    without end). path: ~ is the home folder. seconds, takes: what one of them takes at the very least, in time and in
    bytes of memory."""
    given = {"least": least, "above": above, "most": most, "harmless": harmless, "grows": grows, "path": path}
    given |= {"seconds": seconds, "takes": takes}
    return field(default=default, metadata=given)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a verb may be given. `exclusive` lists pairs of options of which one at most is given."""

    exclusive: ClassVar[tuple[tuple[str, str], ...]] = ()

    def __post_init__(self) -> None:
        kinds = types_of(type(self))
        for declared in dataclasses.fields(self):
            value = convert(spelled(declared.name), getattr(self, declared.name), kinds[declared.name])
            _check_bounds(declared, value)
            if declared.metadata.get("path") and value is not None:
                value = os.path.expanduser(value)
            object.__setattr__(self, declared.name, value)
        for one, other in (pair for cls in type(self).__mro__ for pair in cls.__dict__.get("exclusive", ())):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise UserError(f"Give {spelled(one)} or {spelled(other)}, not both.")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of all options."""
        return tuple(name for group in cls.groups() for name in group.own_names())

    @classmethod
    def groups(cls) -> list[type[Options]]:
        """The classes that declare the options: what every kind shares first, then this kind's own, then the rest."""
        classes = [base for base in cls.__mro__ if issubclass(base, Options) and base is not Options]
        return [*classes[1:2], cls, *classes[2:]] if len(classes) > 1 else classes

    @classmethod
    def own_names(cls) -> tuple[str, ...]:
        """The options that this class declares first."""
        above = {name for base in cls.__mro__[1:] for name in getattr(base, "__annotations__", {})}
        return tuple(name for name in cls.__annotations__ if name not in above)

    @classmethod
    def harmless(cls) -> tuple[str, ...]:
        """The options that may differ when a run goes on."""
        return tuple(declared.name for declared in dataclasses.fields(cls) if declared.metadata.get("harmless"))

    @classmethod
    def growing(cls) -> tuple[str, ...]:
        """The options that may be more when a run goes on."""
        return tuple(declared.name for declared in dataclasses.fields(cls) if declared.metadata.get("grows"))

    @classmethod
    def usual(cls) -> dict[str, Any]:
        """The value of each option where it is not given."""
        return {declared.name: declared.default for declared in dataclasses.fields(cls)}

    @classmethod
    def described(cls) -> list[Setting]:
        """Every option with its type, default and meaning."""
        kinds, meanings, usual = types_of(cls), read_meanings(cls), cls.usual()
        return [Setting(name, kinds[name], usual[name], meanings.get(name, "")) for name in cls.names()]

    @classmethod
    def recorded(cls: type[T], config: Mapping[str, Any]) -> T:
        """The options that a run's config.yaml tells; what it lacks is as usual."""
        return cls(**{name: config[name] for name in cls.names() if name in config})

    def values(self) -> dict[str, Any]:
        """The values by name."""
        return {name: getattr(self, name) for name in self.names()}


def spelled(name: str) -> str:
    """An option as it is typed: --batch-size, --method.NAME."""
    return f"--{BY_NAME[name]}.NAME" if name in BY_NAME else f"--{name.replace('_', '-')}"


def types_of(cls: type[Options]) -> dict[str, Any]:
    """The type of each option."""
    if "_types" not in cls.__dict__:
        cls._types = typing.get_type_hints(cls)  # type: ignore[attr-defined]
    return cls.__dict__["_types"]


def read(cls: type[T], by_name: Mapping[str, Any], verb: str, owners: Mapping[str, str], of: str) -> T:
    """The options of a verb from values by name.

    owners: options of the same verb that belong to other kinds of data, and whose; `of`: what the options are for, as
    "moco learns from images". Raises UserError for an option that is another's, unknown or out of bounds.
    """
    for name in by_name:
        if name in cls.names():
            continue
        if name in owners:
            raise UserError(f"{spelled(name)} belongs to {owners[name]}, and {of}.")
        known = [spelled(known) for known in cls.names()]
        raise UserError(
            f"{verb} has no option {spelled(name)}.{nearest(spelled(name), known)} "
            f"For all options see `twofold {verb} --help`."
        )
    return cls(**by_name)


def _check_bounds(declared: dataclasses.Field[Any], value: Any) -> None:
    """Refuse a number that cannot be meant."""
    if value is None or isinstance(value, bool | str):
        return
    name, bounds = spelled(declared.name), declared.metadata
    for number in value if isinstance(value, list) else [value]:
        if not isinstance(number, int | float):
            return
        if not math.isfinite(number):
            raise UserError(f"{name} must be a finite number, not {number}.")
        if bounds.get("above") is not None and not number > bounds["above"]:
            raise UserError(f"{name} must be above {bounds['above']:g}, not {number}.")
        if bounds.get("least") is not None and not number >= bounds["least"]:
            raise UserError(f"{name} must be at least {bounds['least']:g}, not {number}.")
        if bounds.get("most") is not None and not number <= bounds["most"]:
            share = "is a share: at most" if bounds["most"] == 1 else "must be at most"
            raise UserError(f"{name} {share} {bounds['most']:g}, not {number}.")
        require_time(number * bounds.get("seconds", 0), f"{name} {number:,}", "give less")
        require(number * bounds.get("takes", 0), f"{name} {number:,}", "give fewer")


@dataclass(frozen=True, kw_only=True)
class Pretrain(Options):
    """Options of every training run"""

    exclusive = (("epochs", "steps"),)

    kind: str | None = option(None)
    """The kind of data, where a look at it leaves that open."""
    out: str | None = option(None, harmless=True, path=True)
    """The run folder; runs/METHOD-DATA where not given."""
    recipe: str = option("auto")
    """Settings that belong together, by name; `twofold methods METHOD` lists a method's."""
    epochs: int | None = option(None, least=1, seconds=1e-3, grows=True)
    """Passes over the data (or give steps)."""
    steps: int | None = option(None, least=1, seconds=1e-3, grows=True)
    """Optimizer steps (or give epochs)."""
    batch_size: int | None = option(None, least=1)
    """Things of the data in a step, over all devices; by the recipe where not given."""
    optimizer: Literal["auto", "sgd", "lars", "adam", "adamw"] = option("auto")
    """The optimizer; the recipe's where auto."""
    lr: float | None = option(None, above=0)
    """The final learning rate, not scaled with the batch."""
    weight_decay: float | None = option(None, least=0)
    """How much the weights decay; the recipe's where not given."""
    seed: int = option(0)
    """The seed of everything random."""
    devices: int | None = option(None, least=1, harmless=True, takes=A_PROCESS)
    """GPUs or CPU processes of each machine; all GPUs, or one process, by default."""
    nodes: int = option(1, least=1, harmless=True)
    """Machines (start by torchrun or SLURM)."""
    save_every: float = option(120.0, least=0, harmless=True)
    """Seconds between checkpoints."""
    log_every: int | None = option(None, least=1, harmless=True)
    """Steps between rows of metrics.csv."""
    log: str = option("tensorboard", harmless=True)
    """Trackers, commas between: tensorboard, wandb, mlflow, others; or none."""
    floors: bool = option(True, harmless=True)
    """Measure at the end what needs no training, too."""
    report: bool = option(True, harmless=True)
    """Write report.html at the end."""
    quiet: bool = option(False, harmless=True)
    """Print warnings and results only."""
    method_options: dict[str, Any] | None = option(None)
    """A setting of the method or of an addition, such as --method.temperature 0.1."""


@dataclass(frozen=True, kw_only=True)
class Network(Options):
    """Options of training a network"""

    exclusive = (("base_lr", "lr"),)

    base_lr: float | None = option(None, above=0)
    """Learning rate that is scaled with the batch size by the recipe's rule."""
    scaling: Literal["auto", "linear", "sqrt", "none"] = option("auto")
    """How base_lr grows with the batch: times B/256 (linear), times the root of B (sqrt), or not at all."""
    schedule: Literal["auto", "cosine", "cosine-epoch", "step", "constant"] = option("auto")
    """How the rate goes after its warm-up; the recipe's where auto."""
    warmup_epochs: float | None = option(None, least=0)
    """Epochs of linear warm-up."""
    milestones: list[int] | None = option(None)
    """Epochs at which the schedule "step" drops the rate; the recipe's, or 60 and 80 % of the run."""
    drop: float | None = option(None, above=0)
    """What the schedule "step" multiplies the rate with; the recipe's, or 0.1."""
    lr_floor: float | None = option(None, least=0)
    """The rate from which a warm-up starts and to which a cosine falls; the recipe's, or 0."""
    clip: float | None = option(None, least=0)
    """Largest norm of the gradient, 0 for any; the recipe's, or any."""
    accumulate: int = option(1, least=1)
    """Chunks that a batch is cut into to save memory; losses still see the whole batch."""
    precision: Literal["auto", "bf16", "fp32"] = option("auto")
    """auto takes bf16 where the hardware has it."""
    compile: bool = option(False, harmless=True)
    """Use torch.compile; goes on without it where that fails."""
    strategy: Literal["ddp", "fsdp"] = option("ddp", harmless=True)
    """What several devices share: the batch (ddp), or weights, gradients and the optimizer's state, too (fsdp)."""
    activation_checkpointing: bool = option(False, harmless=True)
    """Keep the inputs of blocks alone and run these again for the gradient: less memory, more time."""


@dataclass(frozen=True, kw_only=True)
class Evaluate(Options):
    """Options of every measurement"""

    floors: bool = option(True)
    """Measure what needs no training, too."""
    out: str | None = option(None, path=True)
    """A JSON file for the results, beside what the run folder keeps."""
    quiet: bool = option(False)
    """Print the table only."""


@dataclass(frozen=True, kw_only=True)
class Compare(Options):
    """Options of every comparison"""

    exclusive = (("epochs", "steps"), ("epochs", "minutes"), ("steps", "minutes"))

    kind: str | None = option(None)
    """The kind of data, where a look at it leaves that open."""
    out: str | None = option(None, path=True)
    """The folder of the comparison; runs/compare-DATA where not given."""
    seeds: int = option(3, least=1, seconds=1.0)
    """Runs of each method."""
    first_seed: int = option(0, least=0)
    """The seeds count from here."""
    epochs: int | None = option(None, least=1, seconds=1e-3)
    """Passes over the data for each run, where no other budget is given."""
    steps: int | None = option(None, least=1, seconds=1e-3)
    """Optimizer steps of each run (or epochs, or minutes)."""
    minutes: float | None = option(None, above=0, seconds=60.0)
    """Minutes of training for each run, turned into steps by timing each method once."""
    recipe: str = option("auto")
    """As for pretrain."""
    recipe_of: str | None = option(None)
    """A method whose views and optimizer plan all take, so that only the methods differ."""
    batch_size: int | None = option(None, least=1)
    """How much of the data a step takes, the same for all."""
    report: bool = option(True)
    """Write report.html."""
    quiet: bool = option(False)
    """Print the table only."""


@dataclass(frozen=True, kw_only=True)
class Embed(Options):
    """Options of writing vectors"""

    out: str | None = option(None, path=True)
    """The parquet file; DATA-embeddings.parquet in the run folder (or here) where not given, not over other data's."""
    quiet: bool = option(False)
    """Print the result only."""
