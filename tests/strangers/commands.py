"""Command lines and configuration files made wrong, run as far as where training would begin."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import typing
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.strangers.mutations import MARKS, NUMBERS, mutate, odd
from tests.strangers.readers import OLD, Reader, pictures, plays, weights
from twofold import cli, wings
from twofold.catalog.settings import BY_NAME
from twofold.catalog.wing import Verb, load
from twofold.commands import COMMANDS

LEARN = (
    "simclr",
    "moco",
    "moco+co2",
    "moco+tkc",
    "moco+mochi",
    "byol+mixsiam",
    "simsiam",
    "wmse",
    "dino",
    "swav",
    "moco-v3",
)
RANK = ("lightgcn", "sgl", "item-knn", "popularity", "bpr-mf", "graph-filter")
# By kind: right commands, in which {} is a method.
JOBS = {
    "images": (
        "pretrain {} photos --backbone convnet --image-size 16 --no-report",
        "pretrain {} photos --backbone convnet --image-size 16 --no-report",
        "pretrain {} photos --backbone convnet",
        "check photos --method {}",
        "compare {} photos --backbone convnet --image-size 16",
        "evaluate b.safetensors photos --protocols knn",
        "embed b.safetensors photos",
        "export b.safetensors --format safetensors",
        "prepare photos prepared",
        "report images-finished",
    ),
    "interactions": (
        "pretrain {} plays.csv --no-report",
        "pretrain {} plays.csv --no-report",
        "check plays.csv --method {}",
        "compare {} plays.csv",
        "evaluate interactions-finished pairs.csv",
        "embed interactions-finished items",
        "export interactions-finished",
        "recommend interactions-finished",
        "similar interactions-finished 1",
        "report interactions-finished formula",
    ),
}
WORDS = ("auto", "none", "true", "1,2", "x", "[1, 2", "1e9", "1e-9", "0.5", "", "2", "3", "64", "photos", "plays.csv")


class Stopped(Exception):
    """Training would begin here."""


def stop(*_: Any, **__: Any) -> Any:
    raise Stopped


def _legitimate(options: Any) -> bool:
    """Whether a job may take its time: a person who asks for this much gets it."""
    limits = {"epochs": (9, 10**9), "image_size": (100, 10**5), "steps": (9, 10**9)}
    given = {name: getattr(options, name, None) for name in limits}
    return any(
        value is not None and low < value < limits[name][1]
        for name, (low, _) in limits.items()
        if (value := given[name])
    )


def up_to_training(job: str) -> Callable[..., Any]:
    """A job that ends where training would begin, and that does nothing where it would take long by right."""

    def run(*given: Any) -> Any:
        options = given[-1]
        if _legitimate(options) or getattr(options, "format", "") == "onnx":
            return None
        return load(job)(*given[:-1], options)

    return run


@cache
def tame() -> None:
    """From here on, in this process: no job trains, starts processes or asks the network."""
    from lightning_fabric import Fabric

    from twofold.comparison import compare
    from twofold.training.session import Session

    Fabric.launch = Session.train = compare.do_all = stop
    Verb.load = lambda verb: up_to_training(verb.job)


def make_config(folder: Path, draw: random.Random) -> list[str]:
    """A command with a configuration file, changed."""
    settle_in(folder)
    whole: dict[str, Any] = {"method": "moco", "data": "photos", "epochs": 3, "milestones": [1, 2], "lr": 0.1}
    whole |= {"quiet": True, "backbone": "convnet", "image_size": 16, "kind": "images"}
    whole |= {"method_options": {"temperature": 0.2, "queue": 64}}
    if draw.random() < 0.5:
        (folder / "config.yaml").write_text(yaml.safe_dump(odd(whole, draw)))
    else:
        (folder / "config.yaml").write_bytes(mutate(yaml.safe_dump(whole).encode(), draw))
    return ["pretrain", "--config", "config.yaml"]


def make_words(folder: Path, draw: random.Random) -> list[str]:
    """A command whose words are changed: verbs, methods, paths, options and their values; there is no data."""
    words = _command(draw, draw.randrange(4))
    for _ in range(draw.choice((0, 1, 1, 2))):
        at = draw.randrange(len(words))
        place = draw.randrange(len(words[at]) + 1)
        mark = draw.choice(MARKS).decode("utf-8", "surrogateescape")
        words[at] = draw.choice((words[at][:place] + mark + words[at][place:], words[at][:place], mark))
    if draw.random() < 0.1:
        draw.shuffle(words)
    return [word for word in words if _stays_here(word)]


def make_job(folder: Path, draw: random.Random) -> list[str]:
    """A right command on real data with one or two options of any value."""
    settle_in(folder)
    return [word for word in _command(draw, draw.choice((1, 1, 2))) if _stays_here(word)]


def _command(draw: random.Random, options: int) -> list[str]:
    """A right command with some more options."""
    kind = draw.choice(list(JOBS))
    words = draw.choice((*JOBS[kind], "methods {}", "completion", "help pretrain")).split()
    verb, method = words[0], draw.choice(LEARN if kind == "images" else RANK)
    words = [word.format(method) for word in words]
    if verb not in COMMANDS:
        return words
    wing = wings.of_kind(kind)
    known = list(wing.verbs[verb].options.described() if verb in wing.verbs else COMMANDS[verb].own.values())
    known = [setting for setting in known if setting.name not in BY_NAME]
    settings = (
        [s for part in wings.composed(method).settings().values() for s in part]
        if verb in ("pretrain", "check")
        else []
    )
    for _ in range(options if known else 0):
        setting = draw.choice(settings if settings and draw.random() < 0.4 else known)
        name = f"--{'method.' if setting in settings else ''}{setting.name.replace('_', '-')}"
        value = draw.choice((*map(str, NUMBERS), "100", "0.5") if _is_number(setting.type) else WORDS)
        words += draw.choice(([name, value], [f"{name}={value}"]))
    return words


def _is_number(kind: Any) -> bool:
    return bool({int, float} & {kind, *typing.get_args(kind)})


def _stays_here(word: str) -> bool:
    """Whether a word can lead to no other folder and to no other machine."""
    value = word.partition("=")[2] if word.startswith("-") else word
    return not value.startswith(("/", "~")) and ".." not in word and "://" not in word


def settle_in(folder: Path) -> None:
    """Data and runs for commands."""
    for name in ("a/1.png", "a/2.jpg", "b/3.png", "b/4.jpg"):
        file = folder / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pictures()["a.png" if name.endswith("png") else "a.jpg"])
    (folder / "plays.csv").write_bytes(plays()["plays.csv"])
    (folder / "pairs.csv").write_bytes((OLD / "pairs.csv").read_bytes())
    (folder / "b.safetensors").write_bytes(weights(Path.home() / "weights")["b.safetensors"])
    for run in ("images-finished", "interactions-finished", "formula"):
        shutil.copytree(OLD / run, folder / run)


def read_words(words: list[str], draw: random.Random) -> None:
    """A command as the shell calls it, but for what `main` makes of a UserError."""
    tame()
    with contextlib.suppress(Stopped):
        cli.parse(words)()


def in_folder(make: Callable[[Path, random.Random], list[str]]) -> Callable[[Path, random.Random], list[str]]:
    """The same from within the folder."""

    def made(folder: Path, draw: random.Random) -> list[str]:
        os.chdir(folder)
        return make(folder, draw)

    return made


def commands() -> list[Reader]:
    """The readers of command lines and of what --config names."""
    wings.catalog()
    return [
        Reader("words", 60, in_folder(make_words), read_words),
        Reader("config", 12, in_folder(make_config), read_words),
        Reader("jobs", 15, in_folder(make_job), read_words),
    ]
