"""What a run was made with: versions, machine, command."""

from __future__ import annotations

import functools
import platform
import shlex
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("twofold", "torch", "torchvision", "lightning-fabric", "numpy", "timm", "implicit")


@functools.cache
def versions() -> Mapping[str, str]:
    """Versions of Python and of the packages that the numbers depend on; those that are not installed are left out.

    Read once in a process: each takes milliseconds, and every checkpoint has them.
    """
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def surroundings(processes: int) -> dict[str, str]:
    """What a run's bits depend on beside its settings: versions, threads of each process, and processes."""
    return {**versions(), "threads": str(torch.get_num_threads()), "processes": str(processes)}


def environment() -> dict[str, Any]:
    """Versions, machine, command and time, for environment.json."""
    gpus = (
        [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    return {
        "command": shlex.join([Path(sys.argv[0]).name.replace("__main__.py", "twofold"), *sys.argv[1:]]),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": dict(versions()),
        "machine": {
            "platform": platform.platform(),
            "processor": _processor(),
            "threads": torch.get_num_threads(),
            "gpus": gpus,
        },
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
