"""A folder that one process at a time works in: begun or resumed, and refused where it holds something else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from twofold.errors import UserError
from twofold.files import is_disk_full, is_unfinished, why

_LOCK = ".lock"
_LEFT = (".tmp", ".partial")  # what earlier versions left when they were killed


@dataclass
class Claim:
    """A folder that is this process's own until `close`, as far as others claim it too."""

    path: Path
    lock: IO[str] | None = None

    def close(self) -> None:
        """Let another process have the folder."""
        if self.lock is not None:
            self.lock.close()
            self.lock = None

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def claim(path: Path, marker: str, *, holds: str, doing: str, advice: str = "give a new --out") -> Claim:
    """Make the folder, or use the one that is there; one with `marker` in it holds what it should.

    holds, doing, advice: for the sentences, as in "holds no run", "another process is writing to runs/a", "give a new
    --out". Raises UserError where the folder cannot be made or written to, holds something else, or is another
    process's.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {path} cannot be made ({why(error)}): {advice}.") from error
    if not (path / marker).exists() and (foreign := _foreign(path)):
        raise UserError(f"{path} is not empty and holds no {holds} (it has {foreign}, but no {marker}): {advice}.")
    return Claim(path, _locked(path, doing, advice))


def sweep(*folders: Path) -> None:
    """Remove what killed processes left half written in claimed folders."""
    for folder in folders:
        for file in folder.iterdir() if folder.is_dir() else ():
            if is_unfinished(file.name):
                with suppress(OSError):
                    file.unlink()


@contextmanager
def full_disk(out: str) -> Iterator[None]:
    """A full disk as an error that says that nothing is lost."""
    try:
        yield
    except UserError as error:
        if is_disk_full(error):
            raise UserError(
                f"{out} cannot be written (its disk is full): make room and give the same command; it goes on."
            ) from error
        raise


def _foreign(path: Path) -> str | None:
    """The first name that is not a hidden or unfinished file."""
    return min((p.name for p in path.iterdir() if not p.name.startswith(".") and p.suffix not in _LEFT), default=None)


def _locked(path: Path, doing: str, advice: str) -> IO[str] | None:
    if sys.platform == "win32":
        return None
    import fcntl

    # A record lock: it ends with the process, however that ends, and forked data workers do not inherit it.
    try:
        lock = (path / _LOCK).open("a")
    except OSError as error:
        raise UserError(f"The folder {path} cannot be written to ({why(error)}): {advice}.") from error
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        if isinstance(error, BlockingIOError | PermissionError):
            raise UserError(f"Another process is {doing} {path}: wait for it, or {advice}.") from error
        return None  # a file system without locks
    return lock
