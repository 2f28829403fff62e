"""config.yaml of a run folder: settings as text, read back, and which of them must agree for a run to go on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from twofold.errors import UserError, clause
from twofold.files import read_whole
from twofold.runs.schema import fits

CONFIG_FILE = "config.yaml"
MOST_BYTES = 2**18  # of a file of settings
IMPLIED = ("kind",)  # follows from other settings; earlier versions did not write it


class _Plain(yaml.SafeLoader):
    """YAML without references: a few lines of them stand for terabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise ValueError("it holds references; write each value out")
        return super().compose_node(parent, index)


def flatten(mapping: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, names joined by dots; anything else, an empty mapping too, stays a leaf."""
    flat: dict[str, Any] = {}
    for key, value in mapping.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def to_yaml(settings: Mapping[str, Any]) -> str:
    """Settings as YAML, in their order."""
    return yaml.safe_dump(_plain(settings), sort_keys=False, allow_unicode=True)


def read_config(run: str | Path) -> dict[str, Any]:
    """The settings of a run folder, nested as they were written. Raises UserError where they are missing or broken."""
    run = Path(run)
    if not os.path.isdir(run):
        raise UserError(f"{run} does not exist: give the folder that a run was written to with --out.")
    if not (run / CONFIG_FILE).is_file():
        raise UserError(f"{run} is not a run folder: it holds no {CONFIG_FILE}.")
    return read_settings(run / CONFIG_FILE)


def read_settings(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises UserError where it cannot be read or holds none."""
    try:
        return parse_settings(read_whole(file, MOST_BYTES))
    except (ValueError, OSError) as error:
        raise UserError(
            f"{file} cannot be read ({clause(error)}): restore it, or begin anew in another folder."
        ) from error


def parse_settings(text: str) -> dict[str, Any]:
    """A mapping of names to values in YAML. ValueError, with what is wrong, where it is none."""
    try:
        settings = yaml.load(text, Loader=_Plain)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except (yaml.YAMLError, TypeError, AttributeError, LookupError, OverflowError) as error:
        raise ValueError(clause(error)) from error
    if not isinstance(settings, dict) or not all(isinstance(name, str) for name in settings):
        raise ValueError("it holds no settings")
    return settings


def expect(config: Mapping[str, Any], run: str | Path, **kinds: Any) -> None:
    """Refuse, by a UserError, settings of a run folder in which one of these is missing or of another type."""
    for name, kind in kinds.items():
        if not fits(config.get(name), kind):
            raise UserError(
                f"{Path(run) / CONFIG_FILE} is damaged (its {name} cannot be meant): restore it, or train anew."
            )


def differences(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    harmless: Collection[str] = (),
    usual: Mapping[str, Any] = MappingProxyType({}),
) -> list[str]:
    """What differs between settings read from a file and the current ones, as "NAME was A and is now B".

    All settings count but those named in `harmless` (the last part of a dotted name counts). usual: values by name with
    which a setting that is not there agrees, None for others: so a new version may have further options. One that is
    IMPLIED agrees with any value where it is not there.
    """
    before, now = flatten(old), flatten(yaml.safe_load(to_yaml(new)))
    return [
        f"{name} was {_said(before.get(name))} and is now {_said(now.get(name))}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name, usual.get(name)) != now.get(name, usual.get(name))
        and not _is_harmless(name, harmless)
        and not (name in IMPLIED and None in (before.get(name), now.get(name)))
    ]


def settings_hash(
    settings: Mapping[str, Any], harmless: Collection[str] = (), usual: Mapping[str, Any] = MappingProxyType({})
) -> str:
    """A short name for settings: the same where `differences` finds none, in any order."""
    kept = {
        name: value
        for name, value in flatten(settings).items()
        if value != usual.get(name) and name not in IMPLIED and not _is_harmless(name, harmless)
    }
    text = json.dumps(kept, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _said(value: Any) -> Any:
    return "not set" if value is None else value


def _is_harmless(name: str, harmless: Collection[str]) -> bool:
    return name.rsplit(".", 1)[-1] in harmless


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value
