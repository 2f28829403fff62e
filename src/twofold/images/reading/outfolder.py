"""The folder that `prepare` writes into: claimed for one set of settings, each file there whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twofold.errors import UserError
from twofold.images.reading.opening import MANIFEST


def claim(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest that is there, of the same key; `manifest`, written, where the folder is new.

    UserError for any other.
    """
    if folder.is_file():
        raise UserError(f"{folder} is a file; name a folder for the prepared images")
    folder.mkdir(parents=True, exist_ok=True)
    held = {p.name for p in folder.iterdir()}
    if MANIFEST not in held:
        strange = sorted(name for name in held if not name.endswith(".partial"))
        if strange:
            raise UserError(f"{folder} holds other files ({strange[0]}); name a new folder for the prepared images")
        write_whole(folder / MANIFEST, json.dumps(manifest).encode())
        return manifest
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
    except ValueError:
        found = {}
    if found.get("key") != manifest["key"]:
        what = f"{found.get('source')} at short side {found.get('short_side')}, quality {found.get('quality')}"
        raise UserError(
            f"{folder} holds images prepared from {what}, which is not what this call would write (or the files have "
            "changed since); name another folder or remove it"
        )
    return found


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, whatever happens meanwhile."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what killed calls left half written; what is younger than ten minutes may be at work elsewhere."""
    for partial in folder.glob("*.partial"):
        if time.time() - partial.stat().st_mtime > 600:
            partial.unlink(missing_ok=True)


@contextmanager
def disk_errors(out: str) -> Iterator[None]:
    """A full disk or a folder that may not be written as UserErrors."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(f"the disk of {out} is full; free some space and run the same again, it goes on") from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise UserError(f"{error.filename or out} may not be written (permission denied)") from error
        raise
