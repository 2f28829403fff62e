"""Files, paths and commands made wrong, and read: `python -m tests.strangers.fuzz SEED COUNT`.

A line of JSON for each case that fails, and one for all: what is no UserError, takes over five seconds or
more than 2 GB, or ends the process. Case N of seed S is the same wherever it runs: `--first N` with a COUNT of 1.
The work is done in a process of its own, which is begun anew where a case ends it.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import os
import random
import re
import resource
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LACK = re.compile("allocate|malloc of size|not enough memory|realloc of size")
SECONDS, WAITING, MEMORY = 5, 120, 2 << 30  # of processor time, by the clock, bytes
BEGINNING = 600  # seconds until the first case, on a machine that others keep busy


def run(seed: int, first: int, count: int, only: list[str]) -> Iterator[dict[str, Any]]:
    """The cases that fail, and at the end how many each reader was given, and how many it refused in a sentence."""
    seen: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    at, end = first, first + count
    while at < end:
        command = [
            sys.executable,
            "-m",
            "tests.strangers.fuzz",
            str(seed),
            str(end - at),
            "--first",
            str(at),
            "--child",
        ]
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen([*command, "--only", *only], stdout=subprocess.PIPE, stderr=said, text=True) as child,
        ):
            name, waited = "", False
            for row in _lines(child):
                if row is None:
                    waited = True
                    child.kill()
                elif "begun" in row:
                    at, name = row["begun"], row["reader"]
                    seen[name] += 1
                elif "refused" in row:
                    refused[name] += 1
                else:
                    yield row
            child.wait()
            if child.returncode:
                said.seek(0)
                how = f"no sign for {WAITING} s" if waited else f"the process ended with {child.returncode}"
                yield _failed(seed, at, name, only, f"{how}: {said.read()[:3000].decode(errors='replace')}")
                if not name:
                    raise SystemExit("The process that reads cannot begin.")
            at = at + 1 if child.returncode else end
    yield {"done": sum(seen.values()), "readers": dict(sorted(seen.items())), "refused": dict(sorted(refused.items()))}


def _failed(seed: int, number: int, reader: str, only: list[str], wrong: str) -> dict[str, Any]:
    words = [str(seed), "1", "--first", str(number), *(["--only", *only] if only else [])]
    again = f"python -m tests.strangers.fuzz {shlex.join(words)}"
    return {"number": number, "reader": reader, "wrong": wrong, "again": again}


def _lines(child: subprocess.Popen[str]) -> Iterator[dict[str, Any] | None]:
    """What the child says, and None where it says nothing for long."""
    assert child.stdout is not None
    with selectors.DefaultSelector() as waiting:
        waiting.register(child.stdout, selectors.EVENT_READ)
        patience = BEGINNING
        while True:
            if not waiting.select(patience):
                yield None
                return
            if not (line := child.stdout.readline()):
                return
            patience = WAITING
            yield json.loads(line)


def attempt(reader: Any, subject: Any, draw: random.Random) -> str:
    """What went wrong, or "" where it was read, and "refused" where a sentence said why not."""
    from twofold.errors import UserError

    def late(*_: object) -> None:
        raise TimeoutError(f"takes over {SECONDS} s")

    signal.signal(signal.SIGPROF, late)
    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.alarm(WAITING // 2)
    try:
        reader.read(subject, draw)
    except UserError as error:
        if not str(error).strip() or "\n" in str(error):
            return f"not a sentence: {error}"
        return _beyond_memory(error) or "refused"
    except BaseException:
        return traceback.format_exc()[-2500:]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    return ""


def _beyond_memory(error: BaseException | None) -> str:
    """A sentence that stands for a lack of memory, or of time, is none: with more of them it would be taken."""
    whole = error
    while error is not None:
        if isinstance(error, MemoryError | TimeoutError) or LACK.search(str(error)):
            return f"met the limit first: {''.join(traceback.format_exception(whole))[-2500:]}"
        error = error.__cause__ or error.__context__
    return ""


def child(seed: int, first: int, count: int, only: list[str]) -> None:
    """Read cases, saying each before it begins."""
    faulthandler.enable()
    with contextlib.redirect_stdout(None), tempfile.TemporaryDirectory() as scratch:
        said = os.fdopen(os.dup(1), "w")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        readers = _ready(Path(scratch), only)
        shares = [reader.share for reader in readers]
        for number in range(first, first + count):
            draw = random.Random(f"{seed} {number}")
            reader = draw.choices(readers, shares)[0]
            print(json.dumps({"begun": number, "reader": reader.name}), file=said, flush=True)
            folder = Path(scratch) / "deep" / "within" / str(number)
            folder.mkdir(parents=True)
            try:
                subject = reader.make(folder, draw)
            except RecursionError:  # nested deeper than can be written
                continue
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            if (wrong := attempt(reader, subject, draw)) == "refused":
                print(json.dumps({"refused": reader.name}), file=said, flush=True)
            elif wrong:
                print(
                    json.dumps(_failed(seed, number, reader.name, only, f"{subject}: {wrong}")), file=said, flush=True
                )
            os.chdir(scratch)
            shutil.rmtree(folder)


def _ready(scratch: Path, only: list[str]) -> list[Any]:
    """The readers, warm, and from here on little memory."""
    import torch

    from tests.strangers.commands import commands
    from tests.strangers.readers import files
    from twofold import wings
    from twofold.page import build

    torch.set_num_threads(1)
    os.environ["HOME"] = str(scratch)
    old = Path(__file__).parent.parent / "old_runs" / "images-finished"
    with contextlib.suppress(ImportError):
        build([Path(shutil.copytree(old, scratch / "warm"))], scratch / "p.html", [wings.sections_of(str(old))])
    readers = [reader for reader in [*files(scratch / "weights"), *commands()] if not only or reader.name in only]
    peak = re.search(r"VmPeak:\s+(\d+)", Path("/proc/self/status").read_text())
    assert peak and readers
    limit = int(peak[1]) * 1024 + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return readers


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("seed", type=int)
    asked.add_argument("count", type=int)
    asked.add_argument("--first", type=int, default=0)
    asked.add_argument("--only", nargs="*", default=[], help="names of readers")
    asked.add_argument("--child", action="store_true")
    given = asked.parse_args()
    if given.child:
        child(given.seed, given.first, given.count, given.only)
    else:
        for row in run(given.seed, given.first, given.count, given.only):
            print(json.dumps(row), flush=True)
