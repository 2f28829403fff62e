"""What this process may use, cores and memory, with container limits counted; and what is refused as too much."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twofold.errors import UserError

CGROUP = Path("/sys/fs/cgroup")
PROC = Path("/proc")
SMALL = 2**26  # bytes that are taken without a look at what is free
YEAR = 365 * 86400
YEARS = 10  # that nobody waits


def usable_cores() -> int:
    """Cores this process may use:

    affinity mask and cgroup quota, shared among the local ranks of a distributed run; >= 1.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for folder in _cgroups("cpu"):
        quota = _words(folder / "cpu.max") or [
            *_words(folder / "cpu.cfs_quota_us"),
            *_words(folder / "cpu.cfs_period_us"),
        ]
        if len(quota) == 2 and quota[0].isdigit() and int(quota[0]) > 0 and int(quota[1]) > 0:
            cores = min(cores, -(-int(quota[0]) // int(quota[1])))
    return max(1, cores // local_ranks())


@contextmanager
def one_thread() -> Iterator[None]:
    """In this block torch's operations of this thread work on one core: short ones are not worth sharing, and on busy
    cores their threads wait for each other many times as long as they work."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def free_memory() -> int:
    """Bytes of memory this process may still take:

    free in the machine and under its cgroup's limit, whichever is less.
    """
    free = _machine_free()
    for folder in _cgroups("memory"):
        for limit_name, used_name in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit, used = _words(folder / limit_name), _words(folder / used_name)
            if limit and used and limit[0].isdigit():
                free = min(free, max(0, int(limit[0]) - int(used[0]) + _reclaimable(folder)))
    return free


def require(wanted: float, what: str, remedy: str, device: object = "cpu") -> None:
    """Refuse, by a UserError, what would take more bytes than are free on a device. wanted: at least so many."""
    if wanted <= SMALL:
        return
    free = _free_on(str(device)) if str(device).startswith("cuda") else free_memory()
    if wanted > free:
        there = f"on {device} " if str(device).startswith("cuda") else ""
        needs = f"would take {bytes_in_words(wanted)} of memory, and {bytes_in_words(free)} {there}are free"
        raise UserError(f"{what} {needs}: {remedy}.")


def require_time(seconds: float, what: str, remedy: str) -> None:
    """Refuse, by a UserError, what would go on for more than ten years. seconds: at least so many."""
    if seconds > YEARS * YEAR:
        raise UserError(f"{what} would take {seconds / YEAR:,.0f} years at the very least: {remedy}.")


def _free_on(device: str) -> int:
    import torch

    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + kept


def local_ranks() -> int:
    """How many processes of this run share the machine (torchrun's LOCAL_WORLD_SIZE), 1 by default."""
    value = os.environ.get("LOCAL_WORLD_SIZE", "1")
    return max(1, int(value)) if value.isdigit() else 1


def _machine_free() -> int:
    meminfo = dict(line.split(":", 1) for line in _text(PROC / "meminfo").splitlines() if ":" in line)
    if "MemAvailable" in meminfo:
        return int(meminfo["MemAvailable"].split()[0]) * 1024
    if sys.platform != "win32":  # no MemAvailable (macOS): half of what is built in
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return 4 << 30


def _cgroups(controller: str) -> Iterator[Path]:
    """Folders that may hold this process's limits:

    of its own group and of the root (what a container sees), v1 and v2.
    """
    for line in _text(PROC / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        base = CGROUP if not controllers else CGROUP / controller
        if not controllers or controller in controllers.split(","):
            yield base / path.strip("/")
            if path.strip("/"):
                yield base


def _reclaimable(folder: Path) -> int:
    """Page cache counted as used, which the kernel gives back when asked."""
    stat = dict(line.split(" ", 1) for line in _text(folder / "memory.stat").splitlines() if " " in line)
    return int(stat.get("total_inactive_file", stat.get("inactive_file", "0")))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _words(path: Path) -> list[str]:
    return _text(path).split()


def bytes_in_words(count: float) -> str:
    """A number of bytes for a person: 420 kB, 9.9 MB, 1.3 GB."""
    if count >= 1e21:
        return "more than 1,000 EB"
    for unit, size in (("EB", 1e18), ("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.2g} {unit}" if count < 100 * size else f"{count / size:,.0f} {unit}"
    return f"{count:.0f} bytes"
