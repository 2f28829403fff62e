"""The project's own promises: its commands exist, its files carry nothing of one machine, it starts light."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import twofold

ROOT = Path(__file__).resolve().parent.parent
# Paths of somebody's machine, and settings that name a package index.
FOREIGN = re.compile(r"(?<![\w.~}])/(?:home|root|work|Users)/\w|index[-_]url|find[-_]links|pythonhosted")
# What the command line must not load before it knows what it is asked to do.
HEAVY = {
    "torch",
    "torchvision",
    "lightning",
    "lightning_fabric",
    "numpy",
    "pyarrow",
    "PIL",
    "plotly",
    "sklearn",
    "timm",
}


def tracked() -> list[Path]:
    """The files that git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def after(code: str) -> set[str]:
    """The modules that are loaded once a fresh interpreter has run the code."""
    whole = f"{code}\nimport sys\nprint('LOADED', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rsplit("LOADED", 1)[1].split())


def command(*words: str) -> str:
    """Code that runs the command line and survives its end."""
    call = "try:\n    main()\nexcept SystemExit:\n    pass"
    return f"import sys\nfrom twofold.cli import main\nsys.argv = {['twofold', *words]!r}\n{call}"


def test_the_readme_names_only_commands_that_exist() -> None:
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named, "the README shows no make command"
    assert named <= made


def test_the_readme_has_a_block_that_ci_runs() -> None:
    spec = importlib.util.spec_from_file_location("readme", ROOT / ".ci" / "readme.py")
    assert spec is not None and spec.loader is not None
    readme = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(readme)
    assert readme.blocks("```sh\ngit clone x\ncd x\nmake demo\n```\n```text\nrm\n```\n```sh\ncd y\n```\n") == [
        "make demo"
    ]
    assert "make demo" in readme.blocks((ROOT / "README.md").read_text())[0]


def test_no_file_names_a_machine_or_a_package_index() -> None:
    found = []
    for file in tracked():
        data = file.read_bytes()
        if b"\0" in data[:8192] or file == Path(__file__).resolve():
            continue
        lines = data.decode(errors="replace").splitlines()
        found += [f"{file.relative_to(ROOT)}:{n}: {ln[:100]}" for n, ln in enumerate(lines, 1) if FOREIGN.search(ln)]
    assert not found


@pytest.mark.parametrize("line", ["cd /work" + "/x", "/home" + "/me/x", "--index" + "-url", '"/root' + '/y"'])
def test_the_search_for_foreign_strings_finds_them(line: str) -> None:
    assert FOREIGN.search(line)


@pytest.mark.parametrize("line", ["a/home/b", "https://x.org/home/me", "{out}/root/x", "homework"])
def test_the_search_for_foreign_strings_leaves_others_alone(line: str) -> None:
    assert not FOREIGN.search(line)


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = after("import twofold")
    assert not HEAVY & loaded
    assert len(loaded - after("pass")) < 60


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["pretrain", "--help"],
        ["pretrian"],
        ["pretrain", "simclr", "photos", "--out", "x", "--bach-size", "8"],
    ],
    ids=["help", "help of a verb", "typo in the verb", "typo in an option"],
)
def test_help_and_typos_are_answered_before_anything_heavy_is_loaded(words: list[str]) -> None:
    loaded = after(command(*words))
    assert not HEAVY & loaded
    assert len(loaded) < 700


def test_the_version_is_the_changelogs_newest() -> None:
    headings = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == twofold.__version__
