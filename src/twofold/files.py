"""Files that are either wholly there or not at all: written beside, synced, renamed."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

from twofold.errors import UserError
from twofold.printable import fitting, is_text, storable

if TYPE_CHECKING:
    from torch import Tensor

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = _FULL | {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EIO,
    errno.ESTALE,
}  # fmt: skip
_UNFINISHED = re.compile(r"\..+\.\d+\.part(\.[^.]*)?")
_HEADER = 8  # bytes that hold the length of a safetensors header, which is a multiple of it


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A hidden path beside `path` for a library to write to; at the end the file takes the place of `path`.

    It has the ending of `path`. After any failure the old file is as it was, and nothing is left beside it. Missing
    folders are made. A device or a pipe is written to as it is. Raises UserError where the file system refuses, if it
    can before anything is written, and where the disk is full.
    """
    if os.path.isdir(path):
        raise UserError(f"{path} cannot be written (it is a folder): name a file.")
    if _is_stream(path):
        with _refusals(path, writes=path):
            yield path
        return
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    with _ended_in_order(), _removed(part):
        with _refusals(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            part.open("wb").close()
        with _refusals(path, writes=part):
            yield part
        with _refusals(path):
            with part.open("rb+") as handle:
                os.fsync(handle.fileno())
            part.replace(path)
    _sync_folder(path.parent)


@contextmanager
def plainly(path: str | Path) -> Iterator[str]:
    """A path to the same file that libraries can open which know names in UTF-8 alone; for others a link to it."""
    if is_text(os.fspath(path)):
        yield os.fspath(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, f"link{storable(Path(path).suffix)}")
        os.symlink(os.path.abspath(path), link)
        yield link


def write_atomically(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Let `write` fill a file, whole or not at all; see `beside`."""
    with beside(path) as part, part.open("wb") as handle:
        write(handle)


def read_whole(path: Path, most: int) -> str:
    """The text of a regular file, UTF-8.

    Raises OSError where it is something else, which might never end, or has more bytes than that.
    """
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as handle:
        about = os.fstat(handle.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise OSError("it is no regular file")
        if about.st_size > most:
            raise OSError(f"it has {about.st_size:,} bytes, and at most {most:,} are expected")
        return handle.read(most).decode("utf-8")


def write_bytes(path: Path, data: bytes) -> None:
    """A file of these bytes."""
    write_atomically(path, lambda handle: handle.write(data))


def write_text(path: Path, text: str) -> None:
    """A text file; what is no UTF-8 (of a strange file name) is spelled out."""
    write_bytes(path, fitting(text).encode())


def write_json(path: Path, value: Any) -> None:
    """A JSON file, to be read by people too."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """A compressed .npz file of arrays by name."""
    import numpy as np

    write_atomically(path, lambda handle: np.savez_compressed(handle, **arrays))


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str] | None = None) -> None:
    """A .safetensors file of tensors by name, with `about` as its metadata; equal content gives equal bytes."""
    from safetensors.torch import save

    data = save(_apart(tensors), metadata=dict(about) if about else None)
    # The library writes metadata in a random order (and, to a path, readable by its owner alone).
    end = _HEADER + int.from_bytes(data[:_HEADER], "little")
    header = json.loads(data[_HEADER:end])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _HEADER)

    def write(handle: IO[bytes]) -> None:
        handle.write(len(text).to_bytes(_HEADER, "little") + text)
        handle.write(memoryview(data)[end:])

    write_atomically(path, write)


def is_unfinished(name: str) -> bool:
    """Whether a file's name is one that `beside` gives: of a file being written, or left by a process that was
    killed."""
    return _UNFINISHED.fullmatch(name) is not None


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that the disk, the quota or the allowed file size is used up."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        # Libraries in C++ pass on the system's words alone.
        if isinstance(error, RuntimeError) and any(os.strerror(code) in str(error) for code in _FULL):
            return True
        error = error.__cause__ or error.__context__
    return False


def refusal(error: OSError) -> str:
    """What the file system refused, in a sentence, where it is none of the program's mistakes; "" otherwise."""
    if error.errno not in _REFUSED or not error.filename:
        return ""
    return f"{error.filename!s} cannot be used ({why(error)}): mend that, or name another place."


def why(error: OSError) -> str:
    """What the file system says, as a few words for a sentence in brackets."""
    return f"{error.filename} is a file" if isinstance(error, FileExistsError) else error.strerror or str(error)


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors in plain order on the CPU, copied where they share memory, as far as they do."""
    apart: dict[str, Tensor] = {}
    used: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        apart[name] = plain.clone() if plain.untyped_storage().data_ptr() in used else plain
        used.add(plain.untyped_storage().data_ptr())
    return apart


@contextmanager
def _removed(part: Path) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Within the block a signal that would end the process at once ends it as an exception does (SystemExit, 128 and
    its number), so that nothing is left behind; what somebody handles already is let be."""
    handled = []
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _leave)
                handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _is_stream(path: Path) -> bool:
    return path.absolute().parent == Path("/dev") or (os.path.exists(path) and not os.path.isfile(path))


@contextmanager
def _refusals(path: Path, writes: Path | None = None) -> Iterator[None]:
    """Errors of the file system as a UserError. writes: where others do the writing, the file, for their errors may be
    about other files."""
    try:
        yield
    except UserError as error:
        if writes is not None and str(error).startswith(str(writes)) and isinstance(error.__cause__, Exception):
            raise _refused(path, error.__cause__) from error.__cause__  # the hidden name says nothing to anybody
        raise
    except (OSError, RuntimeError) as error:
        if isinstance(error.__context__, (KeyboardInterrupt, SystemExit)):
            raise error.__context__ from None  # of which a writer, such as torch's, has made an error of its own
        own = isinstance(error, OSError) and (writes is None or error.filename == str(writes))
        if own or is_disk_full(error):
            raise _refused(path, error) from error
        raise


def _refused(path: Path, error: Exception) -> UserError:
    if is_disk_full(error):
        return UserError(f"{path} cannot be written (its disk is full): make room and give the same command.")
    reason = why(error) if isinstance(error, OSError) else str(error)
    return UserError(f"{path} cannot be written ({reason}): name another place.")


def _sync_folder(folder: Path) -> None:
    # The rename itself must survive a power cut; some file systems cannot sync a folder, and need not.
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
