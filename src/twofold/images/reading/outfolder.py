"""The folder that `prepare` writes into: claimed for one set of settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twofold.errors import UserError
from twofold.files import write_text
from twofold.folders import claim, sweep
from twofold.images.reading.foldered import MANIFEST


@contextmanager
def claimed(folder: Path, manifest: dict[str, Any]) -> Iterator[None]:
    """Within the block the folder belongs to this process, and holds `manifest` or the one of the same key that it had.

    Raises UserError for a folder with anything else, or of another process.
    """
    advice = "name a new folder for the prepared images"
    with claim(folder, MANIFEST, holds="prepared images", doing="preparing images in", advice=advice):
        sweep(folder)
        if not _is_there(folder, manifest):
            write_manifest(folder, manifest)
        yield


def is_done(folder: Path, manifest: dict[str, Any]) -> bool:
    """Whether a finished prepare of the same key is there. Raises UserError where one of another key is."""
    return _is_there(folder, manifest) and bool(_read(folder)["done"])


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write down what the folder is of."""
    write_text(folder / MANIFEST, json.dumps(manifest))


def _is_there(folder: Path, manifest: dict[str, Any]) -> bool:
    if not (folder / MANIFEST).is_file():
        return False
    found = _read(folder)
    if found.get("key") not in (manifest["key"], manifest["timed_key"]):
        settings = f"{found.get('source')} at short side {found.get('short_side')}, quality {found.get('quality')}"
        raise UserError(
            f"{folder} holds images prepared from {settings}, which is not what this call would write (or the files "
            f"have changed since): name another folder, or remove it."
        )
    return True


def _read(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
