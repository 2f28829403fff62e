"""A run that is asked for more than before: for how much more, and how to begin anew where it cannot go on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twofold.runs.config import CONFIG_FILE

LENGTHS = ("epochs", "steps")
RECORD = "asked_before"  # of environment.json: what earlier starts were asked for, where a later one asked for more


def grown(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, int]:
    """What a run was asked for, of the settings of which it is asked for more now. asked: settings that may grow."""
    return {name: stored[name] for name, now in asked.items() if _is_more(stored.get(name), now)}


def record(before: Mapping[str, Any], was: Mapping[str, int]) -> dict[str, Any]:
    """What environment.json says of earlier lengths. before: what it holds; was: what has grown since, if anything."""
    kept = before.get(RECORD)
    start = {name: before[name] for name in ("command", "started") if name in before}
    entries = [*(kept if isinstance(kept, list) else []), *([{**was, **start}] if was else [])]
    return {RECORD: entries} if entries else {}


def anew(folder: Path, config: Mapping[str, Any], was: Mapping[str, int]) -> str:
    """How to begin a new run, where that of a folder cannot go on: half a sentence."""
    if not was or "weights" not in config:
        return "a new --out"
    more = [word for name in was for word in (f"--{name}", str(config[name]))]
    places = ["--weights", str(folder), "--out", f"{folder}-longer"]
    command = shlex.join(["twofold", "pretrain", "--config", str(folder / CONFIG_FILE), *more, *places])
    return f"a new --out, from its weights: {command}"


def _is_more(old: Any, new: Any) -> bool:
    """Whether a whole number has grown; 0 is without end."""
    return type(old) is int and type(new) is int and old > 0 and (new > old or new == 0)
