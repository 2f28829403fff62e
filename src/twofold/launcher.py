"""Processes that were started together, by torchrun, by SLURM or for several devices, and what one does for all."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import pickle
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

from twofold.errors import UserError

T = TypeVar("T")
P = ParamSpec("P")

SOON, STAY = timedelta(seconds=10), 5.0
POLL = 0.1  # seconds between looks at whether the first process has done its work
PIECE = 4 << 20  # bytes; torch's store takes 8 MiB at a time
MISTAKE = "twofold/mistake"
_TOLD_BY = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "NODE_RANK", "TORCHELASTIC_RUN_ID")
_TOLD_BY_SLURM = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_NODEID")
_calls: Counter[str] = Counter()
_unread: list[str] = []
_alone = False
_store: Any = None


def first_process() -> bool:
    """Whether this process is the one that writes, known before any device is touched (torchrun, SLURM, Fabric)."""
    names = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
    rank = next((os.environ[name] for name in names if name in os.environ), "0")
    return rank == "0" and os.environ.get("NODE_RANK", "0") == "0"


def works_alone() -> bool:
    """Whether the others wait for what this process does now: see `by_the_first`."""
    return _alone


def by_the_first(what: str, work: Callable[[], T]) -> T:
    """What `work` returns. Of several processes the first does it, as if alone; the others wait and get the same.

    what: the same words in all of them. They also get the UserError that it raises; where it fails otherwise, or has
    gone, they end (SystemExit).
    """
    number, count = here()
    if count == 1 or _alone:
        return work()
    key = _key(what)
    return _work(key, work) if number == 0 else _wait(key)


def all_arrived(what: str) -> None:
    """Wait until each of the processes that were started together has come here. what: the same words in all."""
    count = here()[1]
    if count == 1 or _alone:
        return
    key = _key(f"arrived {what}")
    try:
        store = _meeting()
        store.add(key, 1)
        while store.add(key, 0) < count:
            if store.check([MISTAKE]):
                raise SystemExit(2)
            time.sleep(POLL)
    except RuntimeError as error:  # the first process, where the others meet, has gone
        raise SystemExit(1) from error


def once(verb: Callable[P, T]) -> Callable[P, T]:
    """A verb that the first of several processes does for all: see `by_the_first`."""

    @functools.wraps(verb)
    def call(*given: P.args, **by_name: P.kwargs) -> T:
        return by_the_first(f"{verb.__name__} {given!r} {by_name!r}", lambda: verb(*given, **by_name))

    return call


def once_or_shared(verb: Callable[P, T]) -> Callable[P, T]:
    """A verb that the first of several processes does for all, or each its share where the option `shard` says so."""
    alone = once(verb)

    @functools.wraps(verb)
    def call(*given: P.args, **by_name: P.kwargs) -> T:
        shared = by_name.get("shard") or any(getattr(one, "shard", None) for one in given)
        return (verb if shared else alone)(*given, **by_name)

    return call


def is_first_to_say(message: str) -> bool:
    """Whether none of several processes has said this yet, so that a mistake which all of them meet is read once."""
    if here()[1] == 1:
        return True
    try:
        digest = hashlib.blake2b(message.encode(errors="replace"), digest_size=16).hexdigest()
        return bool(_meeting(SOON).add(f"twofold/said/{digest}", 1) == 1)
    except Exception:  # with nobody to ask it is better said twice than never
        return True


def note_mistake() -> None:
    """Let the other processes know that this one ends for a mistake of the user's."""
    if here()[1] > 1 and not _alone:
        with suppress(Exception):  # they end in any case
            _meeting().set(MISTAKE, b"1")


def mistake_noted() -> bool:
    """Whether another process has ended for a mistake of the user's, and says so itself."""
    try:
        return here()[1] > 1 and bool(_meeting().check([MISTAKE]))
    except Exception:  # the process that the others meet at has gone
        return False


def here() -> tuple[int, int]:
    """The number of this process, from 0, and how many there are."""
    joined = sys.modules.get("torch.distributed")
    if joined is not None and joined.is_available() and joined.is_initialized():
        return joined.get_rank(), joined.get_world_size()
    for number, count in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")):
        if os.environ.get(number, "").isdigit() and os.environ.get(count, "").isdigit():
            return int(os.environ[number]), int(os.environ[count])
    return 0, 1


def _key(what: str) -> str:
    """The name in the store of what the processes do together, each time anew."""
    _calls[what] += 1
    return f"twofold/{hashlib.blake2b(what.encode(errors='replace'), digest_size=16).hexdigest()}/{_calls[what]}"


def _work(key: str, work: Callable[[], T]) -> T:
    outcome: tuple[str, Any] = ("failed", None)
    try:
        with by_itself():
            result = work()
        outcome = ("done", result)
        return result
    except UserError as error:
        outcome = ("mistake", error)
        raise
    finally:
        with suppress(Exception):  # nobody may be there to read it, and what was done is done
            _send(_meeting(), key, pickle.dumps(outcome))
            _unread.append(key)
            if len(_unread) == 1:
                atexit.register(_stay)


def _send(store: Any, key: str, data: bytes) -> None:
    """Put something of any size under a name; it is there once its last piece is."""
    pieces = range(0, len(data), PIECE)
    for number, begin in enumerate(pieces):
        store.set(f"{key}/{number}", data[begin : begin + PIECE])
    store.set(key, str(len(pieces)))


def _received(store: Any, key: str) -> bytes:
    return b"".join(store.get(f"{key}/{number}") for number in range(int(store.get(key))))


def _stay() -> None:
    """At the end, let the others come and read what the first has done last: the store may end with this process."""
    began, read = time.monotonic(), f"{_unread[-1]}/read"
    with suppress(Exception):
        while _meeting().add(read, 0) < here()[1] - 1 and time.monotonic() - began < STAY:
            time.sleep(POLL)


def _wait(key: str) -> Any:
    try:
        store = _meeting()
        while not store.check([key]):
            if store.check([MISTAKE]):
                raise SystemExit(2)
            time.sleep(POLL)
        how, result = pickle.loads(_received(store, key))  # of a process of the same command
        store.add(f"{key}/read", 1)
    except RuntimeError as error:  # the first process, where the others meet, has gone
        raise SystemExit(1) from error
    if how == "mistake":
        raise result
    if how == "failed":
        raise SystemExit(1)
    return result


def _meeting(within: timedelta = timedelta(days=1)) -> Any:
    """The store of names and values that all processes share, which the first may have to open first."""
    global _store
    import torch.distributed as dist

    if dist.is_initialized():
        return dist.distributed_c10d._get_default_store()
    if _store is None:
        if "MASTER_ADDR" not in os.environ and "SLURM_PROCID" in os.environ:
            from lightning_fabric.plugins.environments import SLURMEnvironment

            slurm = SLURMEnvironment()
            os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = slurm.main_address, str(slurm.main_port)
        number, count = here()
        _store = next(iter(dist.rendezvous("env://", number, count, timeout=within)))[0]
    return _store


@contextmanager
def by_itself() -> Iterator[None]:
    """Within the block nothing tells that there are other processes."""
    global _alone
    hidden = {name: os.environ.pop(name) for name in (*_TOLD_BY, *_TOLD_BY_SLURM) if name in os.environ}
    _alone = True
    try:
        yield
    finally:
        _alone = False
        os.environ.update(hidden)
