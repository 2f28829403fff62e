"""A backbone made again from a file, which decides neither what code runs nor how much memory is taken."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from twofold.errors import UserError, clause
from twofold.given import is_given, is_held
from twofold.pixels.backbones.names import shown
from twofold.pixels.backbones.weights import read_state

BACKBONE_FILE = "backbone.safetensors"

B = TypeVar("B", bound=Any)


def run_or_file(name: str, others: str = "") -> tuple[Path, Path | None]:
    """(the file of the backbone that a command names, its run folder if any).

    others: what else could be named, in words. Raises UserError where there is no such file, in words that say what to
    do.
    """
    path = Path(name)
    if os.path.isdir(path):
        if not os.path.isfile(path / BACKBONE_FILE):
            raise UserError(
                f"{path} holds no {BACKBONE_FILE}: the run has not finished; start the same pretrain command again."
                if (path / "config.yaml").is_file()
                else f"{path} is not a run folder: it holds no config.yaml."
            )
        return path / BACKBONE_FILE, path
    if not os.path.isfile(path):
        raise UserError(f"{name} is no run folder and no backbone file: give one of them{others}.")
    return path, None


def admit(path: str | Path, name: str, *, trust: bool | str, own: bool, plain: re.Pattern[str]) -> None:
    """Whether a file may name this network, else a UserError.

    own: the name is an import path, which runs code: `trust` must allow it, or be that path. plain: what any other name
    looks like.
    """
    if is_given(name):
        if not is_held(name):
            raise UserError(
                f"{path} holds the weights of a network that a program handed over ({shown(name)}): open its run by "
                f"twofold.open_run(RUN, backbone=NETWORK)."
            )
        return
    if own and isinstance(trust, str) and trust != name:
        raise UserError(
            f"{path} asks to import and run {shown(name)}, and {shown(trust)} was named: name that, or remove the file."
        )
    if own and not trust:
        raise UserError(
            f"{path} asks to import and run {shown(name)}: add --trust (in Python trust=True) if you know that code."
        )
    if not own and not plain.fullmatch(name):
        raise UserError(f"{path} names a network that no library has, {shown(name)}: write the file again.")


def hold(path: str | Path, name: str, network: Callable[[], nn.Module]) -> None:
    """A UserError where the file is too small for the weights, as halves, of the network that it names.

    network: makes it; here on the meta device, without memory. What a library cannot make there is let pass.
    """
    try:
        with torch.device("meta"):
            made = network()
    except UserError:
        raise
    except Exception:
        return
    if 2 * sum(p.numel() for p in made.parameters()) > 2 * Path(path).stat().st_size + 2**20:
        raise UserError(f"{path} does not hold the weights of the network it names, {shown(name)}.")


def rebuilt(path: str | Path, name: str, rebuild: Callable[[], B]) -> B:
    """The backbone that `rebuild` makes (it has a `network`), with the weights of the file."""
    try:
        backbone = rebuild()
    except UserError:
        raise
    except Exception as error:  # a size that a library has no words for
        raise UserError(
            f"{path} is damaged (no {shown(name)} can be made as it says, {clause(error)}): write the file again."
        ) from error
    try:
        backbone.network.load_state_dict(read_state(path))
    except RuntimeError as error:
        raise UserError(f"{path} does not hold the weights of the network it names, {backbone.name}.") from error
    return backbone
