"""What the benchmarks share: run a command and count its CPU seconds, and write results with machine and versions."""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
# Commands run in ROOT with relative paths, so that a result names nobody's folders.
WORK = Path("build/bench")  # pictures and run folders; ignored by git
TWOFOLD, OURS, PEERS = Path(".venv/bin/twofold"), Path(".venv/bin/python"), Path(".venv-peers/bin/python")

# Waiting threads sleep, so that CPU seconds count work and not waiting; the same for every side of a comparison.
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "PYTHONWARNINGS": "ignore"}


@dataclass
class Cost:
    """What one run of a command took. cpu_s: user and system time, children included; others: the share of the
    machine that other processes used meanwhile; peak_mb: resident memory of its largest process."""

    code: int
    cpu_s: float
    wall_s: float
    others: float
    peak_mb: int
    output: str


def quiet(patience: float = 120) -> None:
    """Wait until other processes use less than a tenth of the machine over three seconds, or patience ends.

    A crowded machine costs CPU seconds, not only wall time: kernels that wait for each other in spinning barriers
    (oneDNN's bfloat16 gradients among them) burn ten times their work when their threads cannot run together.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end:
        before = _busy_seconds()
        time.sleep(3)
        if (_busy_seconds() - before) / (3 * (os.cpu_count() or 1)) < 0.1:
            return
    print("the machine is not quiet: these figures are too high", file=sys.stderr, flush=True)


def run(command: list[str], *, timeout: float = 900) -> Cost:
    """Run a command to its end, or to its timeout (code 124)."""
    busy, start = _busy_seconds(), time.monotonic()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")} | ENVIRONMENT
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=ROOT, start_new_session=True
        )
        late = threading.Event()
        timer = threading.Timer(timeout, lambda: (late.set(), os.killpg(child.pid, signal.SIGKILL)))
        timer.start()
        # wait4 counts this child and the descendants that it waited for, and no other child of ours.
        _, status, used = os.wait4(child.pid, 0)
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        output = log.read().decode(errors="replace")
    wall, cpu = time.monotonic() - start, used.ru_utime + used.ru_stime
    others = max(_busy_seconds() - busy - cpu, 0) / (wall * (os.cpu_count() or 1))
    return Cost(124 if late.is_set() else child.returncode, cpu, wall, others, used.ru_maxrss // 1024, output)


def must(command: list[str], **options: float) -> Cost:
    """Run a command that has to succeed."""
    cost = run(command, **options)
    if cost.code:
        sys.exit(f"{' '.join(command)}\nended with exit code {cost.code}:\n{cost.output[-2000:]}")
    return cost


def fresh(name: str) -> Path:
    """The path of a run folder that does not exist yet, below WORK."""
    shutil.rmtree(ROOT / WORK / name, ignore_errors=True)
    return WORK / name


def numbers(cost: Cost) -> dict[str, float]:
    """A cost without its output, rounded for a file."""
    return {k: round(v, 3) for k, v in asdict(cost).items() if k not in ("output", "code")}


def photos(count: int = 2048) -> Path:
    """The folder of bench pictures, flat and without labels, made where it is missing."""
    folder = WORK / f"photos-{count}"
    if not (ROOT / folder).exists():
        making = folder.with_name(folder.name + ".part")
        shutil.rmtree(ROOT / making, ignore_errors=True)
        must([str(PEERS), "benchmarks/make_photos.py", str(making), str(count), "--flat"])
        (ROOT / making).rename(ROOT / folder)
    return folder


def write(name: str, result: dict) -> Path:
    """Write a result with machine, versions, command and date to benchmarks/results/NAME.json."""
    about = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "commit": subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.strip(),
        "machine": {"cpu": _cpu_name(), "cores": os.cpu_count(), "system": platform.platform()},
        "environment": ENVIRONMENT,
        "versions": {name: _versions(python) for name, python in [("twofold", OURS), ("peers", PEERS)]},
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{name}.json"
    file.write_text(json.dumps(about | result, indent=1) + "\n")
    print(f"written: {file.relative_to(ROOT)}")
    return file


def _busy_seconds() -> float:
    """CPU seconds that this machine has worked since it started."""
    ticks = [int(v) for v in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(ticks[:3]) + sum(ticks[5:8])) / os.sysconf("SC_CLK_TCK")


def _cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((ln.split(":", 1)[1].strip() for ln in lines if ln.startswith("model name")), platform.processor())


def _versions(python: Path) -> dict[str, str]:
    """Versions of the packages that matter in an environment, of those that are there."""
    code = (
        "import importlib.metadata as m, json, platform\n"
        "found = {d.metadata['Name'].lower(): d.version for d in m.distributions()}\n"
        "names = ['twofold', 'torch', 'torchvision', 'lightning-fabric', 'lightly', 'pillow', 'numpy']\n"
        "print(json.dumps({'python': platform.python_version()} | {n: found[n] for n in names if n in found}))"
    )
    if not (ROOT / python).exists():
        return {}
    return json.loads(
        subprocess.run([str(ROOT / python), "-c", code], capture_output=True, text=True, check=True).stdout
    )
