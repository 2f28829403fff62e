"""A real headless browser for the tests: opens a page from disk without a network and returns what became of it."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--virtual-time-budget=8000",
]


def program() -> str:
    """The browser's path; skips the test where there is none, or fails it under TWOFOLD_REQUIRE_BROWSER=1."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        message = "no chromium or google-chrome on the PATH"
        if os.environ.get("TWOFOLD_REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return found


def opened(page: Path, profile: Path, *options: str, width: int = 1200, height: int = 1600) -> str:
    """The page's document as it stands after its scripts ran, as HTML."""
    command = [program(), *_QUIET, f"--user-data-dir={profile}", f"--window-size={width},{height}", *options]
    done = subprocess.run([*command, "--dump-dom", page.resolve().as_uri()], capture_output=True, timeout=120)
    return done.stdout.decode("utf-8", errors="replace")


def with_script(page: Path, script: str, out: Path) -> Path:
    """A copy of `page` that runs `script` last, allowed by the page's policy: a reader's hands for the test."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = page.read_text("utf-8").replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    out.write_text(text.replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    return out
