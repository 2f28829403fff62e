"""readme.py FILE: run the shell blocks of a Markdown file, as a reader would, and stop at the first that fails.

Blocks fenced as `sh` are run from the project's root, in order; any other fence (text, python, console) is only shown.
Lines that fetch the project itself (`git clone`, `cd`) are passed over: the reader of this file is already there.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

FENCE = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(text: str) -> list[str]:
    """The shell blocks of a Markdown text, without the lines that fetch the project."""
    kept = (
        "\n".join(ln for ln in b.splitlines() if not ln.startswith(("git clone ", "cd "))) for b in FENCE.findall(text)
    )
    return [b for b in kept if b.strip()]


def main(path: Path) -> None:
    """Run them."""
    found = blocks(path.read_text())
    if not found:
        sys.exit(f"{path} holds no sh block to run")
    for block in found:
        print(f"README: {block}", flush=True)
        started = time.monotonic()
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], stdin=subprocess.DEVNULL)
        if done.returncode:
            sys.exit(f"{path}: this block ended with exit code {done.returncode}:\n{block}")
        print(f"README: done in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
